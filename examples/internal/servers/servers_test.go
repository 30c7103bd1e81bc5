package servers

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
)

// PostgreSQL keeps its commits, and Redis forgets everything.
func TestAServerStartsAgain(t *testing.T) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		s := Postgres(t)
		db, err := sql.Open("pgx", s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE kept (n int)"); err != nil {
			t.Fatal(err)
		}
		s.Crash()
		if err := db.PingContext(t.Context()); err == nil {
			t.Error("it answers after the crash")
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "INSERT INTO kept VALUES (1)"); err != nil {
			t.Error(err)
		}
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		s := Redis(t)
		options, err := redis.ParseURL(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		rdb := redis.NewClient(options)
		defer rdb.Close()
		if err := rdb.Set(t.Context(), "key", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		s.Crash()
		if err := rdb.Ping(t.Context()).Err(); err == nil {
			t.Error("it answers after the crash")
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if n, err := rdb.Exists(t.Context(), "key").Result(); n != 0 || err != nil {
			t.Errorf("%d keys, %v", n, err)
		}
	})
}
