package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/demeterrr/demeterrr-go"
)

// stateFolder returns the folder of journals and states. Each address has its
// own folder.
func stateFolder() (string, error) {
	home, err := os.UserHomeDir()
	dir := filepath.Join(home, ".local", "state")
	switch xdg := os.Getenv("XDG_STATE_HOME"); {
	case filepath.IsAbs(xdg):
		dir, err = xdg, nil
	case runtime.GOOS == "windows":
		dir, err = os.UserCacheDir() // %LocalAppData%, which is not synced to other machines
	case runtime.GOOS == "darwin":
		dir, err = os.UserConfigDir()
	}
	if err != nil {
		return "", errors.New("no home folder for journals and states; set XDG_STATE_HOME, or name a file with --journal or --state")
	}
	return filepath.Join(dir, "demeterrr", account()), nil
}

// account returns the name of the address in the environment. The name contains
// no key, because keys change. Sequence ids are unique anyway.
func account() string {
	address := cmp.Or(os.Getenv("DEMETERRR_BASE_URL"), demeterrr.DefaultBaseURL)
	if normalAddress(address) == normalAddress(demeterrr.DefaultBaseURL) {
		return "app.demeterrr.com"
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-", r) {
			return r
		}
		return '_'
	}, normalAddress(address))
	return name + "-" + hash(normalAddress(address))
}

// normalAddress normalizes an address. It drops the scheme, a default port and
// trailing slashes, and lowers the case of the host.
func normalAddress(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return address
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if port := u.Port(); port != "" && u.Scheme+port != "https443" && u.Scheme+port != "http80" {
		host += ":" + port
	}
	return host + strings.TrimRight(u.EscapedPath(), "/")
}

// hash returns a short hash for file names.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// fileName escapes a name for use as a file name.
func fileName(name string) string { return url.QueryEscape(name) }

// makeFolder creates the folder of a file, with mode 0700.
func makeFolder(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("cannot create the folder of journals and states (%w); set XDG_STATE_HOME, or name a file with --journal or --state", err)
	}
	return nil
}
