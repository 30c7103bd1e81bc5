-- +goose Up
-- Tables of github.com/demeterrr/demeterrr-go/sqlstore, version 2: what Sync last sent.

CREATE TABLE IF NOT EXISTS demeterrr_sync_states (
    state        VARBINARY(200)  NOT NULL PRIMARY KEY,
    address      VARBINARY(2000) NOT NULL, -- of the API; empty until the first save
    secret_check VARBINARY(32)   NOT NULL, -- empty without a secret
    token        VARBINARY(64)   NOT NULL, -- of the run that has the state; empty: none
    owner        VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- host and process of that run, for people
    expires_at   DATETIME(6)     NULL      -- when its lease ends
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS demeterrr_sync_entries (
    email_key   BINARY(32)      NOT NULL,
    state       VARBINARY(200)  NOT NULL,
    contact_id  VARBINARY(1000) NOT NULL, -- empty: not known
    fingerprint VARBINARY(64)   NOT NULL, -- of what was sent
    fields      MEDIUMBLOB      NOT NULL, -- names of the fields that were set
    dirty       BOOLEAN         NOT NULL, -- about to be sent, and nothing says that it was
    changed_at  DATETIME(6)     NOT NULL,
    PRIMARY KEY (email_key, state)
) ENGINE = InnoDB;

INSERT INTO demeterrr_schema (version) VALUES (2) ON DUPLICATE KEY UPDATE version = 2;
