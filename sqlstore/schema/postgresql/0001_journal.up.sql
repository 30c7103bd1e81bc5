-- +goose Up
-- Tables of github.com/demeterrr/demeterrr-go/sqlstore, version 1, for PostgreSQL 13 and later.

CREATE TABLE IF NOT EXISTS demeterrr_schema (
    version    integer     NOT NULL PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS demeterrr_campaigns (
    campaign     text COLLATE "C" NOT NULL PRIMARY KEY,
    sequence_id  text COLLATE "C" NOT NULL,
    secret_check bytea            NOT NULL, -- empty without a secret
    created_at   timestamptz      NOT NULL
);

CREATE TABLE IF NOT EXISTS demeterrr_journal (
    campaign   text COLLATE "C" NOT NULL,
    email_key  bytea            NOT NULL CHECK (octet_length(email_key) = 32),
    email      text COLLATE "C",          -- for people
    state      text COLLATE "C" NOT NULL, -- begun, unknown, done
    status     text COLLATE "C",          -- of a done entry
    contact_id text COLLATE "C",          -- of a done entry
    token      text COLLATE "C" NOT NULL, -- of the claim
    owner      text COLLATE "C" NOT NULL, -- host and process, for people
    changed_at timestamptz      NOT NULL,
    PRIMARY KEY (campaign, email_key)
);

CREATE INDEX IF NOT EXISTS demeterrr_journal_doubt ON demeterrr_journal (campaign, email_key) WHERE state <> 'done';

CREATE INDEX IF NOT EXISTS demeterrr_journal_done ON demeterrr_journal (changed_at) WHERE state = 'done';

INSERT INTO demeterrr_schema (version) VALUES (1) ON CONFLICT DO NOTHING;
