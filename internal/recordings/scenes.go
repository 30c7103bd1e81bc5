package main

import (
	"context"
	"strings"
	"time"
)

// columns is the width of every terminal.
const columns = 80

// scene is one recording.
type scene struct {
	name     string                          // of the file
	label    string                          // for a screen reader
	rows     int                             // of the terminal
	delay    func(path string) time.Duration // of a reply
	commands func(*session)
}

func scenes() []*scene {
	return []*scene{
		{
			name: "check", label: "demeterrr check: address, clock, key, scopes and quota, one line each", rows: 10,
			delay:    func(string) time.Duration { return 0 },
			commands: func(s *session) { s.run(0, "check") },
		},
		{
			name: "sync", label: "demeterrr contacts sync: a dry run, then the plan, a question answered with yes, and a progress bar", rows: 24,
			delay: func(string) time.Duration { return beat },
			commands: func(s *session) {
				s.run(3, "contacts", "sync", "--dry-run", "customers.csv")
				s.pause(reading)
				s.start("contacts", "sync", "customers.csv")
				s.answer("[y/N] ", "y")
				s.wait(3)
			},
		},
		{
			name: "execute", label: "demeterrr sequences execute: the plan, a question, a progress bar, Ctrl-C, and the same command again, which sends to the others", rows: 24,
			delay: func(path string) time.Duration {
				if strings.HasSuffix(path, "/execute") {
					return 2 * beat
				}
				return 0
			},
			commands: func(s *session) {
				line := []string{"sequences", "execute", "Post-Purchase Survey", "customers.csv"}
				s.hold("/execute", 4)
				s.start(line...)
				s.answer("[y/N] ", "y")
				s.interrupt()
				s.wait(130)
				s.pause(reading)
				s.start(line...)
				s.answer("[y/N] ", "y")
				s.wait(3)
			},
		},
	}
}

// reading is how long a plan or a result stands before something is typed.
const reading = 2 * time.Second

// play runs the commands of a scene in a new account, and returns the output.
func (sc *scene) play(ctx context.Context, program string) (events []event, err error) {
	s, err := newSession(ctx, program, sc.delay)
	if err != nil {
		return nil, err
	}
	defer s.close()
	sc.commands(s)
	s.prompt()
	return s.recorder.recording(), s.err
}
