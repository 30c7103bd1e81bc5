package servers

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestEachDatabaseIsEmpty(t *testing.T) {
	t.Parallel()
	s := Postgres(t)
	for range 2 {
		conn, err := pgx.Connect(t.Context(), s.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE guests (id int)"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
