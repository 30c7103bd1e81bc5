package main

import (
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go/sqlstore"
)

func TestADatabaseIsNamedByAnAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][3]string{
		"postgres://u:p@host/db":       {"pgx", string(sqlstore.PostgreSQL), "postgres://u:p@host/db"},
		"postgresql://host/db":         {"pgx", string(sqlstore.PostgreSQL), "postgresql://host/db"},
		"mysql://u:p@tcp(host:1)/db":   {"mysql", string(sqlstore.MySQL), "u:p@tcp(host:1)/db"},
		"mariadb://u@unix(/s)/db?tls=": {"mysql", string(sqlstore.MySQL), "u@unix(/s)/db?tls="},
		"sqlite:a b.db":                {"sqlite", string(sqlstore.SQLite), "file:a%20b.db?"},
		"sqlite:///var/x.db":           {"sqlite", string(sqlstore.SQLite), "file:/var/x.db?"},
	} {
		driver, dialect, source, err := dataSource(address)
		if err != nil || driver != want[0] || string(dialect) != want[1] || !strings.HasPrefix(source, want[2]) {
			t.Errorf("%s: %s %s %s %v", address, driver, dialect, source, err)
		}
	}
	for _, address := range []string{"x", "sqlite:", "mongo://x"} {
		if _, _, _, err := dataSource(address); err == nil {
			t.Errorf("%s is accepted", address)
		}
	}
}
