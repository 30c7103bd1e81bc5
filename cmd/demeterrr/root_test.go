package main

import (
	"strings"
	"testing"
)

func TestTheCommandLineIsChecked(t *testing.T) {
	newFake(t)
	for line, tt := range map[string]struct {
		code int
		says string
	}{
		"--help":                             {exitDone, "Exit codes:"},
		"--version":                          {exitDone, "demeterrr version "},
		"contact":                            {exitUsage, `unknown command "contact"`},
		"contacts":                           {exitUsage, "contacts needs a command"},
		"contacts lst":                       {exitUsage, `unknown command "lst"`},
		"contacts list --lim 1":              {exitUsage, "unknown flag: --lim; see demeterrr contacts list --help"},
		"contacts list -o xml":               {exitUsage, "use table, json or csv"},
		"contacts list --per-hour 0":         {exitUsage, "must be at least 1"},
		"contacts list --limit -1":           {exitUsage, "--limit must be at least 0"},
		"contacts get":                       {exitUsage, "got 0 arguments; usage: demeterrr contacts get "},
		"contacts get nobody@example.com":    {exitUsage, "contact nobody@example.com: GET /contacts: 404 NOT_FOUND"},
		"contacts sync a b":                  {exitUsage, "got 2 arguments; usage: demeterrr contacts sync FILE"},
		"contacts export /dev/null":          {exitUsage, "directory or a device"},
		"contacts export no/such/folder":     {exitUsage, "cannot create a file there"},
		"completion bash":                    {exitDone, "complete"},
		"__complete contacts list -o ":       {exitDone, "table"},
		"fake --rate-limits 100":             {exitUsage, "want requests/window"},
		"fake --window sliding":              {exitUsage, "--window needs --rate-limits"},
		"fake --window x --rate-limits 1/1m": {exitUsage, "want fixed or sliding"},
		"fake --addr 0.0.0.0:0":              {exitUsage, "add --public"},
		"fake --seed none.json":              {exitUsage, "open none.json"},
	} {
		t.Run(line, func(t *testing.T) {
			args := strings.Fields(line)
			if strings.HasSuffix(line, " ") {
				args = append(args, "")
			}
			command(t, "", args...).want(t, tt.code, tt.says)
		})
	}
}

func TestAKeyThatIsMissingOrRefusedIsExplained(t *testing.T) {
	srv := newFake(t)
	srv.DeactivateKey(srv.APIKey())
	command(t, "contacts list").want(t, exitStopped, "INVALID_API_KEY")
	t.Setenv("DEMETERRR_API_KEY", "")
	command(t, "contacts list").want(t, exitUsage, "DEMETERRR_API_KEY")
}
