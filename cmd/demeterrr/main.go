// Demeterrr manages a demeterrr account from the command line.
//
// It checks an API key, lists and exports contacts, and syncs customer files.
// It sends a sequence once to each contact. It also serves a fake account for
// trials and tests.
//
//	go install github.com/demeterrr/demeterrr-go/cmd/demeterrr@latest
//	demeterrr check
//	demeterrr contacts sync --dry-run customers.csv
//	demeterrr sequences execute "Post-Purchase Survey" customers.csv
//
// DEMETERRR_API_KEY holds the key. DEMETERRR_BASE_URL overrides the address.
// The README lists the commands, the exit codes and the folders of journals.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	debug.SetGCPercent(50) // saves memory on big customer files
	ctx := notify(context.Background())
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// notify returns a context that ends at the first Ctrl-C, SIGTERM or SIGHUP. A
// second Ctrl-C or SIGTERM kills the program. A second SIGHUP has no effect,
// because a closing terminal can send two. Ignored signals, as under nohup,
// stay ignored. A closed pipe is a write error; SIGPIPE is ignored.
func notify(parent context.Context) context.Context {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		<-signals
		cancel()
		signal.Reset(os.Interrupt, syscall.SIGTERM)
	}()
	return ctx
}
