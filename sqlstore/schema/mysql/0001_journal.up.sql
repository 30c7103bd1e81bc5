-- +goose Up
-- Tables of github.com/demeterrr/demeterrr-go/sqlstore, version 1, for MySQL 8 and MariaDB 10.6 and later.
-- Names and keys are bytes, so no collation takes one for another. Times are UTC.

CREATE TABLE IF NOT EXISTS demeterrr_schema (
    version    INT       NOT NULL PRIMARY KEY,
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS demeterrr_campaigns (
    campaign     VARBINARY(200) NOT NULL PRIMARY KEY,
    sequence_id  VARBINARY(255) NOT NULL,
    secret_check VARBINARY(32)  NOT NULL, -- empty without a secret
    created_at   DATETIME(6)    NOT NULL
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS demeterrr_journal (
    campaign   VARBINARY(200) NOT NULL,
    email_key  BINARY(32)     NOT NULL,
    email      VARCHAR(320)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,     -- for people
    state      VARCHAR(10)   CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL, -- begun, unknown, done
    status     VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,     -- of a done entry
    contact_id VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,     -- of a done entry
    token      VARBINARY(64)  NOT NULL, -- of the claim
    owner      VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- host and process, for people
    changed_at DATETIME(6)    NOT NULL,
    PRIMARY KEY (campaign, email_key),
    KEY demeterrr_journal_state (state, changed_at)
) ENGINE = InnoDB;

INSERT INTO demeterrr_schema (version) VALUES (1) ON DUPLICATE KEY UPDATE version = 1;
