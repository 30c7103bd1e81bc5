// Command syncscale runs bulk.Sync over a large account that another process
// serves, and measures memory, processor time and requests. From the root of the
// repository:
//
//	go run ./internal/syncscale -contacts 1000000
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	role := flag.String("role", "measure", "measure; serve and sync are the processes that it starts")
	var job job
	job.register(flag.CommandLine)
	flag.Parse()
	var err error
	switch *role {
	case "serve":
		err = serve(job.Contacts)
	case "sync":
		err = job.run(os.Stdout)
	default:
		err = measure(job.Contacts, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
