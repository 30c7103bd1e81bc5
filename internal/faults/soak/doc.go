// Package soak runs everything together for as long as asked: bulk.Execute on
// shared journals, bulk.Sync with a state, bulk.ExecuteOnce, a Pacer, redislimit
// on a real Redis and the tracer of module otel, against an API that fails.
//
// Its figures are written by
//
//	go test -race ./internal/faults/soak -timeout 20m -args -soak 10m -out ../../../docs/reliability.md
package soak
