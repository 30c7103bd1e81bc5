package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// maxMemory is the limit for half a million rows with 9 mapped columns.
const maxMemory = 250 << 20

func TestAHugeFileTakesLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes several seconds")
	}
	srv := demeterrrtest.NewServer()
	t.Cleanup(srv.Close)
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	dir := t.TempDir()
	input := filepath.Join(dir, "customers.csv")
	writeCustomers(t, input, 500_000)
	bin := filepath.Join(dir, "program") // the test binary may include the race detector
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, args := range map[string][]string{
		"contacts sync":     {"contacts", "sync", "--map", "customFields.city=City", "--map", "customFields.level=Membership"},
		"sequences execute": {"sequences", "execute", sequence.ID},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), bin, append(args, "--dry-run", "--errors", filepath.Join(dir, "errors.csv"), input)...)
			cmd.Env = append(os.Environ(), "DEMETERRR_API_KEY="+srv.APIKey(), "DEMETERRR_BASE_URL="+srv.URL(), "XDG_STATE_HOME="+dir)
			start := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			if !ok {
				t.Fatal("no usage")
			}
			memory := usage.Maxrss << 10
			t.Logf("%d MB, %s, of which %s of a processor", memory>>20, time.Since(start).Round(time.Millisecond),
				(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(time.Millisecond))
			if memory > maxMemory {
				t.Errorf("%d MB, want %d at most", memory>>20, maxMemory>>20)
			}
		})
	}
}

// writeCustomers writes a file of n rows.
func writeCustomers(t *testing.T, path string, n int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	fmt.Fprintln(w, "Email,First name,Last name,Phone,Language,Tags,Status,City,Membership")
	for i := range n {
		fmt.Fprintf(w, "customer%d@example.com,First%d,Last%d,+1555%07d,English,\"VIP,Blog\",Active,City%d,Gold\n", i, i, i, 2_000_000+i, i%1000)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
