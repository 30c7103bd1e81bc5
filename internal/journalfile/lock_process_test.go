package journalfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// heldBy says what a child does with the file f in its working directory.
const heldBy = "DEMETERRR_TEST_HELD_BY"

func TestMain(m *testing.M) {
	if by := os.Getenv(heldBy); by != "" {
		fmt.Fprintln(os.Stderr, hold("f", by == "rewrites"))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

type numbered struct{ N int }

// hold opens the file and writes to it until it is killed. It prints the number of
// each line that is on the disk.
func hold(path string, rewrites bool) error {
	f, err := Open(path, []byte(header), nil, nil)
	for n := 1; err == nil; n++ {
		line := fmt.Appendf(nil, `{"n":%d}`, n)
		if rewrites {
			err = f.Rewrite([]byte(header), lines(string(line)))
		} else {
			err = f.Append(line)
		}
		if err == nil {
			_, err = fmt.Println(n)
		}
	}
	return err
}

// The system keeps a second process out, and lets it in when the first one dies,
// with every line that was on the disk.
func TestAKilledProcessLeavesTheFileFreeAndWhole(t *testing.T) {
	t.Parallel()
	if !locks {
		t.Skip("this system has no locks")
	}
	for name, rewrites := range map[string]bool{"appends": false, "rewrites": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Dir, child.Env = dir, append(os.Environ(), heldBy+"="+name)
			var stderr bytes.Buffer
			child.Stderr = &stderr
			stdout, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			out, printed := bufio.NewScanner(stdout), 0
			for printed < 20 && out.Scan() {
				printed++
			}
			if !rewrites || runtime.GOOS != "windows" { // it lets go while it rewrites
				if _, _, err := open(t, path); !errors.Is(err, ErrLocked) {
					t.Errorf("opened beside the child: %v", err)
				}
			}
			_ = child.Process.Kill()
			for out.Scan() {
				printed++
			}
			_ = child.Wait()
			if stderr.Len() > 0 {
				t.Errorf("the child failed: %s", &stderr)
			}

			f, left, err := open(t, path)
			if err != nil {
				t.Fatal(err)
			}
			var last numbered
			for i, line := range left {
				if err := json.Unmarshal([]byte(line), &last); err != nil || !rewrites && last.N != i+1 {
					t.Fatalf("line %d is %q (%v)", i+1, line, err)
				}
			}
			if last.N < printed || last.N > printed+1 {
				t.Errorf("the last line is %d, want %d or the one after it", last.N, printed)
			}
			if rewrites {
				err = f.Rewrite([]byte(header), lines(`{"n":0}`)) // takes the draft that the child left
			} else {
				err = f.Append([]byte(`{"n":0}`))
			}
			if left, _ := filepath.Glob(path + "*"); err != nil || len(left) != 1 {
				t.Errorf("%v, left %q", err, left)
			}
		})
	}
}
