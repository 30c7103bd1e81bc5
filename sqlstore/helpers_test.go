package sqlstore_test

import (
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(workerEnv); settings != "" {
		work(settings)
		return
	}
	_ = mysql.SetLogger(&mysql.NopLogger{}) // it prints each cut connection
	code := m.Run()
	stopServers()
	for _, dir := range exampleDirs {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}
