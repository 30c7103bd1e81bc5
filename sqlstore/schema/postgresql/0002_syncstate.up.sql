-- +goose Up
-- Tables of github.com/demeterrr/demeterrr-go/sqlstore, version 2: what Sync last sent.

CREATE TABLE IF NOT EXISTS demeterrr_sync_states (
    state        text COLLATE "C" NOT NULL PRIMARY KEY,
    address      text COLLATE "C" NOT NULL, -- of the API; empty until the first save
    secret_check bytea            NOT NULL, -- empty without a secret
    token        text COLLATE "C" NOT NULL, -- of the run that has the state; empty: none
    owner        text COLLATE "C" NOT NULL, -- host and process of that run, for people
    expires_at   timestamptz                -- when its lease ends
);

CREATE TABLE IF NOT EXISTS demeterrr_sync_entries (
    email_key   bytea            NOT NULL CHECK (octet_length(email_key) = 32),
    state       text COLLATE "C" NOT NULL,
    contact_id  text COLLATE "C" NOT NULL, -- empty: not known
    fingerprint bytea            NOT NULL, -- of what was sent
    fields      bytea            NOT NULL, -- names of the fields that were set
    dirty       boolean          NOT NULL, -- about to be sent, and nothing says that it was
    changed_at  timestamptz      NOT NULL,
    PRIMARY KEY (email_key, state)
);

INSERT INTO demeterrr_schema (version) VALUES (2) ON CONFLICT DO NOTHING;
