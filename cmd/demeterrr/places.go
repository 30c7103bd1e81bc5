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

// stateFolder is where journals and states are kept of the account that the
// environment names: one folder for each address.
func stateFolder() (string, error) {
	home, err := os.UserHomeDir()
	dir := filepath.Join(home, ".local", "state")
	switch xdg := os.Getenv("XDG_STATE_HOME"); {
	case filepath.IsAbs(xdg):
		dir, err = xdg, nil
	case runtime.GOOS == "windows":
		dir, err = os.UserCacheDir() // %LocalAppData%, which stays on the machine
	case runtime.GOOS == "darwin":
		dir, err = os.UserConfigDir()
	}
	if err != nil {
		return "", errors.New("there is no home folder for journals and states; name the file, or set XDG_STATE_HOME")
	}
	return filepath.Join(dir, "demeterrr", account()), nil
}

// account names the address of the account that the environment names. A key is
// left out: it can change, and sequences have unique ids.
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

// normalAddress is the same for all spellings of an address: the scheme, the case
// of the host, a default port and slashes at the end make no difference.
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

// hash tells names apart in the name of a file, and reveals none.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// fileName is a name as the name of a file.
func fileName(name string) string { return url.QueryEscape(name) }

// makeFolder makes the folder of a file, for the user alone.
func makeFolder(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("the folder of journals and states cannot be made (%w); name the file, or set XDG_STATE_HOME", err)
	}
	return nil
}
