package sqlstore_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	stopServers()
	os.Exit(code)
}
