// Command scale measures how bulk.Sync, bulk.Execute and Contacts.All grow with
// the account: requests, processor time and memory for each contact. Another
// process serves the account. From the root of the repository:
//
//	go run ./internal/scale                   prints the table
//	go run ./internal/scale -docs docs        puts it into docs/performance.md too
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	role := flag.String("role", "measure", "measure; serve and work are the processes that it starts")
	sizes := sizes{10_000, 100_000, 1_000_000}
	flag.Var(&sizes, "sizes", "the numbers of contacts, with commas between")
	docs := flag.String("docs", "", "the folder of performance.md, which gets the table and a chart")
	writeTime := flag.Duration("write", 0, "the time that a write takes the server")
	var job job
	job.register(flag.CommandLine)
	flag.Parse()
	var err error
	switch *role {
	case "serve":
		err = serve(job.Contacts, *writeTime)
	case "work":
		err = job.run(os.Stdout)
	default:
		err = measure(sizes, *docs, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
