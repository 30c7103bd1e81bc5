//go:build !unix

package servers

import "os/exec"

// account is the user that runs a server, here the user of the tests.
type account struct{}

func notRoot(string) (*account, error) { return &account{}, nil }

func (*account) run(*exec.Cmd) {}

func (*account) own(string) error { return nil }
