package main

import "regexp"

// target is what is mutated together, and the tests that have to notice.
type target struct {
	name  string
	files []source
	tests []tests // in order, until one fails
	sql   bool    // mutate SQL statements
}

// source is a file, and which of its functions are mutated; all of them if want
// and not are empty.
type source struct{ path, want, not string }

func (s source) wants(fn string) bool {
	return regexp.MustCompile(s.want).MatchString(fn) && (s.not == "" || !regexp.MustCompile(s.not).MatchString(fn))
}

// tests are the tests of a package that match run and not skip. Of their subtests
// those that match sub run.
type tests struct{ dir, run, skip, sub string }

// heavy tests measure, or read the source: they are not for code with mutants in it.
const heavy = "Allocat|FewConnections|AMillion|ALongLine|README|HasAnExample|^Benchmark"

var targets = []target{
	{
		name: "retry",
		files: []source{
			{path: "retry.go"},
			{path: "call_retry.go"},
			{path: "call_errors.go", not: `Error$|withoutEcho`},
			{path: "internal/gate/gate.go"},
		},
		tests: []tests{
			{dir: "internal/gate", run: "."},
			{dir: ".", run: ".", skip: heavy},
		},
	},
	{
		name: "pacer",
		files: []source{
			{path: "pacer.go"},
			{path: "pacer_queue.go"},
			{path: "limiter.go"},
			{path: "internal/window/window.go"},
			{path: "internal/window/ledger.go"},
		},
		tests: []tests{
			{dir: "internal/window", run: "."},
			{dir: ".", run: ".", skip: heavy},
		},
	},
	{
		name: "claim",
		files: []source{
			{path: "bulk/execute_claim.go"},
			{path: "bulk/execute_once.go"},
			{path: "bulk/journal_ask.go"},
			{path: "bulk/journal_file.go", not: "^(owner|errNotMade)$"},
		},
		tests: []tests{
			{dir: "bulk", run: ".", skip: heavy + "|Sync|StateFile|AState|DryRun|AfterVerify|ManagedTags|ATable"},
		},
	},
	{
		name:  "memory",
		files: []source{{path: "demeterrrtest/journal.go"}},
		tests: []tests{{dir: "demeterrrtest", run: "."}},
	},
	{
		name: "sql",
		files: []source{
			{path: "sqlstore/campaign.go"},
			{path: "sqlstore/finish.go"},
		},
		tests: []tests{
			{dir: "sqlstore", run: ".", skip: "PostgreSQL|MariaDB|MySQL|Crash|Lease|Killed|State|Migrat|Dialect|FourProcesses", sub: "/SQLite"},
		},
		sql: true,
	},
}
