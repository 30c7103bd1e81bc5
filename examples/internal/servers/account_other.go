//go:build !unix

package servers

import "os/exec"

// account is the user who runs a server: here that of the tests.
type account struct{}

func notRoot(string) (*account, error) { return &account{}, nil }

func (*account) run(*exec.Cmd) {}

func (*account) own(string) error { return nil }
