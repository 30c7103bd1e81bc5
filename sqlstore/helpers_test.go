package sqlstore_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(workerEnv); settings != "" {
		work(settings)
		return
	}
	code := m.Run()
	stopServers()
	for _, dir := range exampleDirs {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}
