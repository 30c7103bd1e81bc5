package sqlstore_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// TestACampaignIsAJournal has a pool for each process.
func TestACampaignIsAJournal(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			d.migrated(t)
			demeterrrtest.TestJournal(t, func(t *testing.T, sequenceID string) bulk.Journal {
				t.Helper()
				return d.openStore(t, d.open(t, d.dsn)).Campaign("survey " + sequenceID)
			})
		})
	}
}

// oneStatement is a campaign with a wrong claim. Its SELECT sees the table as
// of the start of the statement. It misses the rows of another process that the
// INSERT has waited for.
type oneStatement struct {
	*sqlstore.Campaign
	db *sql.DB
}

func (c *oneStatement) Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []bulk.JournalEntry, err error) {
	if _, err := c.db.ExecContext(ctx, `INSERT INTO demeterrr_campaigns (campaign, sequence_id, secret_check, created_at)
		VALUES ($1, $2, '', now()) ON CONFLICT DO NOTHING`, c.Name(), sequenceID); err != nil {
		return nil, err
	}
	byKey := map[string]string{}
	var keys pgtype.FlatArray[[]byte]
	for _, email := range emails {
		key := sha256.Sum256([]byte(email))
		byKey[string(key[:])] = email
		keys = append(keys, key[:])
	}
	tx, err := c.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, `
		WITH ins AS (
			INSERT INTO demeterrr_journal (campaign, email_key, state, token, owner, changed_at)
			SELECT $1, key, 'begun', $2, '', now() FROM unnest($3::bytea[]) key ORDER BY key
			ON CONFLICT DO NOTHING RETURNING email_key, token, state
		)
		SELECT email_key, token, state FROM ins
		UNION SELECT email_key, token, state FROM demeterrr_journal WHERE campaign = $1 AND email_key = ANY($3)`, c.Name(), token, keys)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key []byte
		var owner string
		var e bulk.JournalEntry
		if err := rows.Scan(&key, &owner, &e.State); err != nil {
			return nil, err
		}
		if e.Email = byKey[string(key)]; owner != token {
			e.Live = e.State == bulk.JournalBegun
			taken = append(taken, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return taken, tx.Commit()
}

const oneStatementEnv = "SQLSTORE_TEST_ONE_STATEMENT"

// TestTheConformanceTestFindsTheClaimInOneStatement runs the conformance test
// in its own process, because it fails there.
func TestTheConformanceTestFindsTheClaimInOneStatement(t *testing.T) {
	t.Parallel()
	if dsn := os.Getenv(oneStatementEnv); dsn != "" {
		d := &testDB{dialect: sqlstore.PostgreSQL, driver: "pgx", dsn: dsn}
		demeterrrtest.TestJournal(t, func(t *testing.T, sequenceID string) bulk.Journal {
			t.Helper()
			db := d.open(t, d.dsn)
			return &oneStatement{d.openStore(t, db).Campaign("survey " + sequenceID), db}
		})
		return
	}
	d := wanted(t, postgresServer).database(t)
	d.migrated(t)
	for range 5 { // the claims must meet
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$/AtOnce", "-test.v")
		cmd.Env = append(os.Environ(), oneStatementEnv+"="+d.dsn)
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), "--- PASS: "+t.Name()+"/") && !strings.Contains(string(out), "--- FAIL: "+t.Name()+"/") {
			t.Fatalf("nothing was tested:\n%s", out)
		}
		if err != nil && strings.Contains(string(out), "two claims") {
			return
		}
	}
	t.Error("the claim in one statement passes")
}
