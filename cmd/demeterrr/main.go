// Demeterrr works on a demeterrr account from the command line. It checks a key,
// lists and exports contacts, brings customer files into the account, sends
// sequences to each contact once, and plays a fake account.
//
//	go install github.com/demeterrr/demeterrr-go/cmd/demeterrr@latest
//	demeterrr check
//	demeterrr contacts sync --dry-run customers.csv
//	demeterrr sequences execute "Post-Purchase Survey" customers.csv
//
// It reads the key from DEMETERRR_API_KEY, and the address from
// DEMETERRR_BASE_URL if that is set. The README has the commands, the exit
// codes and where files are kept.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	debug.SetGCPercent(50) // the memory of big customer files counts more than the time
	ctx := notify(context.Background())
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// notify returns a context that ends at the first Ctrl-C, SIGTERM or SIGHUP. A
// second Ctrl-C or SIGTERM ends the program at once. A second SIGHUP does not:
// a terminal that closes can send two. A signal that is ignored, as nohup does,
// stays ignored. A closed pipe is an error of the write, and no signal.
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
