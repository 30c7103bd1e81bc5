-- +goose Up
-- Tables of github.com/demeterrr/demeterrr-go/sqlstore, version 1, for SQLite 3.24 and later.
-- Times are UTC, as 2026-11-27T19:57:05.123Z.

CREATE TABLE IF NOT EXISTS demeterrr_schema (
    version    INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE IF NOT EXISTS demeterrr_campaigns (
    campaign     TEXT NOT NULL PRIMARY KEY,
    sequence_id  TEXT NOT NULL,
    secret_check BLOB NOT NULL, -- empty without a secret
    created_at   TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS demeterrr_journal (
    campaign   TEXT NOT NULL,
    email_key  BLOB NOT NULL CHECK (length(email_key) = 32),
    email      TEXT,          -- for people
    state      TEXT NOT NULL, -- begun, unknown, done
    status     TEXT,          -- of a done entry
    contact_id TEXT,          -- of a done entry
    token      TEXT NOT NULL, -- of the claim
    owner      TEXT NOT NULL, -- host and process, for people
    changed_at TEXT NOT NULL,
    PRIMARY KEY (campaign, email_key)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS demeterrr_journal_doubt ON demeterrr_journal (campaign, email_key) WHERE state <> 'done';

CREATE INDEX IF NOT EXISTS demeterrr_journal_done ON demeterrr_journal (changed_at) WHERE state = 'done';

INSERT INTO demeterrr_schema (version) VALUES (1) ON CONFLICT DO NOTHING;
