package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/servers"
)

// lab is a test with the PostgreSQL that all tests share.
type lab struct {
	*testing.T
	postgres *servers.Server
}

// TestNightly runs its tests in sequence: the program finds its account in the
// environment.
func TestNightly(t *testing.T) { //nolint:paralleltest // see above
	postgres := servers.Postgres(t)
	for name, test := range map[string]func(lab){ //nolint:paralleltest // see above
		"a second run finds nothing to do":    testSecondRun,
		"exit codes":                          testExitCodes,
		"fake needs no account":               testFake,
		"an interrupted run can be run again": testInterrupted,
	} {
		t.Run(name, func(t *testing.T) { test(lab{t, postgres}) })
	}
}

// account starts a demeterrr and points the environment to it.
func (l lab) account() *demeterrrtest.Server {
	srv := demeterrrtest.NewServer()
	l.Cleanup(srv.Close)
	l.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	l.Setenv("DEMETERRR_BASE_URL", srv.URL())
	return srv
}

// shop returns the URL of a new database after the statements.
func (l lab) shop(statements ...string) string {
	l.Helper()
	url := l.postgres.Database(l)
	conn, err := pgx.Connect(l.Context(), url)
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // it is the test's own
	for _, s := range append([]string{"CREATE TABLE customers (id bigserial PRIMARY KEY, email text, first_name text, last_name text, phone text, tags text[])"}, statements...) {
		if _, err := conn.Exec(l.Context(), s); err != nil {
			l.Fatal(err)
		}
	}
	return url
}

const fiveCustomers = `INSERT INTO customers (email, first_name, last_name, phone, tags) VALUES
	('ann@example.com', 'Ann', 'Lee-Day', NULL, '{vip,new}'),
	('bo@example.com', 'Bo', NULL, '', NULL),
	(NULL, 'Nobody', NULL, NULL, NULL),
	('cy@example.com', 'Cy', 'Fox', '+15551234567', '{}'),
	('di@example.com', NULL, NULL, NULL, NULL)`

func testSecondRun(l lab) {
	srv := l.account()
	srv.AddContact(demeterrr.Contact{Email: "ann@example.com", FirstName: "Ann", LastName: "Lee", Tags: []string{"vip"}})
	srv.AddContact(demeterrr.Contact{Email: "bo@example.com", FirstName: "Bo", LastName: "Roe", Tags: []string{"kept"}})
	l.Setenv("DATABASE_URL", l.shop(fiveCustomers))

	for _, tt := range []struct {
		args []string
		out  string
	}{
		{[]string{"-dry-run"}, "customer 1 {\"lastName\":\"Lee-Day\",\"tags\":[\"vip\",\"new\"]}\ncustomer 4 new\n" +
			"4 customers: 1 created, 1 updated, 1 unchanged, 0 duplicates, 1 failed, in 1 requests\n"},
		{nil, "4 customers: 1 created, 1 updated, 1 unchanged, 0 duplicates, 1 failed, in 3 requests\n"},
		{nil, "4 customers: 0 created, 0 updated, 3 unchanged, 0 duplicates, 1 failed, in 1 requests\n"},
	} {
		var out, errs bytes.Buffer
		if code := run(l.Context(), tt.args, &out, &errs); code != exitPartly {
			l.Errorf("%v: exit %d, want %d: %s", tt.args, code, exitPartly, &errs)
		}
		if diff := cmp.Diff(tt.out, out.String()); diff != "" {
			l.Errorf("%v: output (-want +got):\n%s", tt.args, diff)
		}
		if !strings.HasPrefix(errs.String(), "customer 5 demeterrr: ") || !strings.Contains(errs.String(), "first name is empty") {
			l.Errorf("%v: got the errors %q, want that customer 5 has no first name", tt.args, &errs)
		}
	}
	var have []string
	for _, c := range srv.Contacts() {
		have = append(have, strings.Join(append([]string{c.Email, c.FirstName, c.LastName, c.Phone}, c.Tags...), " "))
	}
	want := []string{"ann@example.com Ann Lee-Day  vip new", "bo@example.com Bo Roe  kept", "cy@example.com Cy Fox +15551234567"}
	if diff := cmp.Diff(want, have); diff != "" {
		l.Errorf("contacts (-want +got):\n%s", diff)
	}
}

func testExitCodes(l lab) {
	good := "INSERT INTO customers (email, first_name) VALUES ('ann@example.com', 'Ann')"
	for _, tt := range []struct {
		name   string
		shop   []string // statements; nil: no database
		args   []string
		status int // of the API
		code   int
		want   string // in the errors
	}{
		{name: "all is done", shop: []string{good}, code: exitDone},
		{name: "no customers", shop: []string{""}, code: exitDone},
		{name: "no table", shop: []string{good, "DROP TABLE customers"}, code: exitStopped, want: "run it again"},
		{name: "a row fails after others were read", shop: []string{
			"INSERT INTO customers (email, first_name) SELECT 'c' || n || '@example.com', 'Ann' FROM generate_series(1, 3000) n",
			"ALTER TABLE customers RENAME TO all_customers",
			"CREATE VIEW customers AS SELECT id, email, first_name, (1 / (2900 - id))::text AS last_name, phone, tags FROM all_customers",
		}, code: exitStopped, want: "division by zero"},
		{name: "the key is refused", shop: []string{good}, status: 401, code: exitStopped, want: "INVALID_API_KEY"},
		{name: "the database is down", args: []string{"-database", "postgres://127.0.0.1:1/shop?connect_timeout=5"}, code: exitStopped, want: "run it again"},
		{name: "no database", code: exitUsage, want: "-database"},
		{name: "another kind of database", args: []string{"-database", "mysql://localhost/shop"}, code: exitUsage, want: "mysql"},
		{name: "a surplus argument", args: []string{"-database", "postgres:///shop", "customers"}, code: exitUsage, want: "nothing else"},
		{name: "an unknown flag", args: []string{"-databse", "x"}, code: exitUsage, want: "databse"},
		{name: "help", args: []string{"-help"}, code: exitDone, want: "-dry-run"},
	} {
		l.Run(tt.name, func(t *testing.T) {
			srv := lab{t, l.postgres}.account()
			if tt.status != 0 {
				srv.Inject(demeterrrtest.Fault{Status: tt.status})
			}
			t.Setenv("DATABASE_URL", "")
			if tt.shop != nil {
				t.Setenv("DATABASE_URL", lab{t, l.postgres}.shop(tt.shop...))
			}
			var out, errs bytes.Buffer
			if code := run(t.Context(), tt.args, &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
				t.Errorf("exit %d, want %d with %q: %s%s", code, tt.code, tt.want, &out, &errs)
			}
			wrote := 0
			if tt.name == "all is done" {
				wrote = 1
			}
			if n := len(srv.Contacts()); n != wrote {
				t.Errorf("%d contacts were written, want %d", n, wrote)
			}
		})
	}

	l.account()
	l.Setenv("DEMETERRR_API_KEY", "")
	var out, errs bytes.Buffer
	if code := run(l.Context(), []string{"-database", "postgres:///shop"}, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "DEMETERRR_API_KEY") {
		l.Errorf("no key: exit %d, want %d: %s", code, exitUsage, &errs)
	}
}

func testFake(l lab) {
	l.Setenv("DEMETERRR_API_KEY", "")
	var out, errs bytes.Buffer
	args := []string{"-fake", "-database", l.shop("INSERT INTO customers (email, first_name) VALUES ('ann@example.com', 'Ann')")}
	if code := run(l.Context(), args, &out, &errs); code != exitDone || !strings.HasPrefix(out.String(), "1 customers: 1 created") {
		l.Errorf("exit %d: %s%s", code, &out, &errs)
	}
}

func testInterrupted(l lab) {
	srv := l.account()
	l.Setenv("DATABASE_URL", l.shop("INSERT INTO customers (email, first_name) SELECT 'c' || n || '@example.com', 'Ann' FROM generate_series(1, 20) n"))
	ctx, cancel := context.WithCancel(l.Context())
	defer cancel()
	srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Skip: 9, Times: demeterrrtest.Always, Status: 500}) // it waits to retry
	go func() {
		for len(srv.Contacts()) < 9 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	var out, errs bytes.Buffer
	if code := run(ctx, nil, &out, &errs); code != exitStopped || !strings.Contains(errs.String(), "run it again") || strings.Contains(errs.String(), "not tried") {
		l.Errorf("interrupted: exit %d: %s%s", code, &out, &errs)
	}
	srv.ClearFaults()
	out.Reset()
	if code := run(l.Context(), nil, &out, &errs); code != exitDone || len(srv.Contacts()) != 20 {
		l.Errorf("again: exit %d with %d contacts: %s", code, len(srv.Contacts()), &out)
	}
}
