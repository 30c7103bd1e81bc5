//go:build !unix

package sqlstore_test

import (
	"os"
	"os/exec"
)

// account is the user that runs a server, here the user of the tests.
type account struct{}

func notRoot(string) (*account, error) { return &account{}, nil }

func (*account) run(*exec.Cmd) {}

func (*account) tempDir() (string, error) { return os.MkdirTemp("", "sqlstore") }
