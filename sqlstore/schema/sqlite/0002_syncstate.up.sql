-- +goose Up
-- Tables of github.com/demeterrr/demeterrr-go/sqlstore, version 2: what Sync last sent.

CREATE TABLE IF NOT EXISTS demeterrr_sync_states (
    state        TEXT NOT NULL PRIMARY KEY,
    address      TEXT NOT NULL, -- of the API; empty until the first save
    secret_check BLOB NOT NULL, -- empty without a secret
    token        TEXT NOT NULL, -- of the run that has the state; empty: none
    owner        TEXT NOT NULL, -- host and process of that run, for people
    expires_at   TEXT           -- when its lease ends
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS demeterrr_sync_entries (
    email_key   BLOB    NOT NULL CHECK (length(email_key) = 32),
    state       TEXT    NOT NULL,
    contact_id  TEXT    NOT NULL, -- empty: not known
    fingerprint BLOB    NOT NULL, -- of what was sent
    fields      BLOB    NOT NULL, -- names of the fields that were set
    dirty       INTEGER NOT NULL, -- about to be sent, and nothing says that it was
    changed_at  TEXT    NOT NULL,
    PRIMARY KEY (email_key, state)
) WITHOUT ROWID;

INSERT INTO demeterrr_schema (version) VALUES (2) ON CONFLICT DO NOTHING;
