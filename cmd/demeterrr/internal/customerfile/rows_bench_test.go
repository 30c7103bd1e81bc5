package customerfile_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/demeterrr/demeterrr-go/cmd/demeterrr/internal/customerfile"
)

// BenchmarkHalfAMillionRows opens a file and reads its rows. That is two passes
// over the file.
func BenchmarkHalfAMillionRows(b *testing.B) {
	const rows = 500_000
	path := filepath.Join(b.TempDir(), "customers.csv")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(file)
	_, _ = w.WriteString("Email,First name,Last name,Phone,Tags,City,Customer since,Accepts Marketing,Notes\n")
	for i := range rows {
		_, _ = fmt.Fprintf(w, "customer%06d@example.com,Zoë,Doe,+1 555 %07d,\"vip, new\",Lyon,2024-05-01,yes,\n", i, i)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil || file.Close() != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	var peak uint64
	for b.Loop() {
		f, err := customerfile.Open(path, customerfile.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ready := 0
		for row, err := range f.Rows() {
			if err != nil {
				b.Fatal(err)
			}
			if row.Status == customerfile.Ready && row.Params.Phone != "" {
				ready++
			}
			if row.Number%100_000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.Sys)
			}
		}
		if ready != rows {
			b.Fatalf("%d of %d rows are ready", ready, rows)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(peak)/(1<<20), "MB-from-system")
}
