package journalfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const header = `{"header":1}`

// open opens a file and returns the lines after its header.
func open(t *testing.T, path string) (*File, []string, error) {
	t.Helper()
	var lines []string
	keep := func(line []byte) error { lines = append(lines, strings.TrimSpace(string(line))); return nil }
	f, err := Open(path, []byte(header), func([]byte) error { return nil }, keep)
	if err == nil {
		t.Cleanup(func() { _ = f.Close() })
	}
	return f, lines, err
}

func TestAppendedLinesAreReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	f, lines, err := open(t, path)
	if err != nil || lines != nil {
		t.Fatal(lines, err)
	}
	if err := errors.Join(f.Append([]byte(`{"a":1}`)), f.Append([]byte(`{"b":2}`)), f.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := f.Append([]byte(`{}`)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	_, lines, err = open(t, path)
	if diff := cmp.Diff([]string{`{"a":1}`, `{"b":2}`}, lines); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestAFileIsOpenOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	f, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, path); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	_ = f.Close()
	if _, _, err := open(t, path); err != nil {
		t.Error(err)
	}
}

// replace puts a copy of the file in its place, as an editor does that saves it.
func replace(path string) error {
	data, err := os.ReadFile(path)
	return errors.Join(err, os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path))
}

// changes are what other programs do to a file that is open, with what Append says
// of it. Windows refuses those of its name.
var changes = []struct {
	name, want string
	ofName     bool
	change     func(path string) error
}{
	{"replaced", "another file took its place", true, replace},
	{"removed", "removed or renamed", true, os.Remove},
	{"renamed", "removed or renamed", true, func(path string) error { return os.Rename(path, path+".old") }},
	{"truncated", "from 21 bytes to 0", false, func(path string) error { return os.Truncate(path, 0) }},
	{"longer", "from 21 bytes to 24", false, func(path string) error {
		return os.WriteFile(path, []byte(header+"\n"+`{"a":1}`+"\n{}\n"), 0o600)
	}},
}

func TestNothingIsAppendedToAFileThatAnotherProgramChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "f")
			f, _, err := open(t, path)
			if err := errors.Join(err, f.Append([]byte(`{"a":1}`))); err != nil {
				t.Fatal(err)
			}
			err = tt.change(path)
			if tt.ofName && runtime.GOOS == "windows" {
				if err == nil || f.Append([]byte(`{"b":2}`)) != nil {
					t.Errorf("the change: %v; then the file is %v", err, f.broken)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			err = f.Append([]byte(`{"b":2}`))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "put the original back") {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if again := f.Append([]byte(`{"c":3}`)); again == nil {
				t.Error("it goes on after that")
			}
			after, _ := os.ReadFile(path)
			if diff := cmp.Diff(string(before), string(after)); diff != "" {
				t.Errorf("the file was written to (-want +got):\n%s", diff)
			}
		})
	}
}

// A line is safe only in the file that the next run opens. Append checks this
// when the line is on the disk.
func TestALineIsLostIfTheFileChangesWhileItIsWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "f")
			f, _, err := open(t, path)
			if err != nil {
				t.Fatal(err)
			}
			f.sync = func() error {
				if err := tt.change(path); (err != nil) != (tt.ofName && runtime.GOOS == "windows") {
					t.Errorf("the change: %v", err)
				}
				return f.file.Sync()
			}
			if tt.ofName && runtime.GOOS == "windows" {
				if err := f.Append([]byte(`{"a":1}`)); err != nil {
					t.Error(err)
				}
				return
			}
			if err := f.Append([]byte(`{"a":1}`)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestAFileThatWasReplacedBeforeItsLockIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows replaces no open file")
	}
	path := filepath.Join(t.TempDir(), "f")
	f, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	old, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = old.Close() })
	if err := replace(path); err != nil {
		t.Fatal(err)
	}
	if _, err := (&File{file: old, path: old.Name()}).acquire(); err == nil || !strings.Contains(err.Error(), "another file took its place") {
		t.Error(err)
	}
}

func TestAFailedSyncEndsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	f, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	f.sync = func() error { return full }
	for range 2 {
		if err := f.Append([]byte(`{"a":1}`)); !errors.Is(err, full) {
			t.Error(err)
		}
	}
	if left, err := os.ReadFile(path); string(left) != header+"\n" {
		t.Errorf("left as %q (%v)", left, err)
	}
}

func TestOpenLeavesNoFileBehindWhenItFails(t *testing.T) {
	t.Parallel()
	endless := []byte(`{"header":"` + strings.Repeat("x", maxLine) + `"}`)
	path := filepath.Join(t.TempDir(), "f")
	if _, err := Open(path, endless, nil, nil); err == nil {
		t.Error("opened")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a file behind (%v)", err)
	}
	// An earlier file stays, and so does the link to a new one.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + ".link"
	linked := os.Symlink(path+".target", link) == nil // Windows asks for a privilege
	if _, err := os.Lstat(link); err != nil {
		linked = false // Wine hides links without a target
	}
	for _, name := range []string{path, link} {
		_, err := Open(name, endless, nil, nil)
		if _, errStat := os.Lstat(name); err == nil || errStat != nil && (name == path || linked) {
			t.Errorf("%s: %v, %v", filepath.Base(name), err, errStat)
		}
	}
}

func TestAFileIsTheSameFromAnyDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	f, _, err := open(t, "f")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := f.Append([]byte(`{"a":1}`)); err != nil {
		t.Error(err)
	}
}

func TestALineThatIsTooLongIsNotWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	f, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	line := func(n int) []byte { return []byte(`{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}`) }
	if err := f.Append(line(maxLine)); err == nil {
		t.Error("a line was written that cannot be read")
	}
	if err := errors.Join(f.Append(line(maxLine-1)), f.Close()); err != nil {
		t.Error(err)
	}
	if _, lines, err := open(t, path); err != nil || len(lines) != 1 || len(lines[0]) != maxLine-1 {
		t.Error(len(lines), err)
	}
}

func TestWhatIsLeftOfALastLine(t *testing.T) {
	t.Parallel()
	const whole = header + "\n" + `{"a":1}` + "\n"
	for _, tt := range []struct{ name, content, left string }{ // left is empty if the file is rejected
		{"nothing", "", header + "\n"},
		{"part of the header", header[:5], header + "\n"},
		{"the header without its newline", header, header + "\n"},
		{"somebody else's", "Email", ""},
		{"somebody else's line", "Email\n", ""},
		{"whole", whole, whole},
		{"torn", whole + `{"b":`, whole},
		{"zeros", whole + "\x00\x00", whole},
		{"zeros with a newline", whole + `{"b"` + "\x00\n", whole},
		{"zeros with a newline in between", whole + "\x00\n{}\n", ""},
		{"no newline", whole + `{"b":2}`, whole + `{"b":2}` + "\n"},
		{"an edited line", whole + `{"b":2,}` + "\n", ""},
		{"an empty line", whole + "\n", ""},
		{"no object", whole + "[]\n", ""},
		{"two objects", whole + "{}{}\n", ""},
		{"two objects without a newline", whole + "{}{}", ""},
		{"a damaged newline", whole + `{"b":2}` + "\v", ""},
		{"not UTF-8", whole + "{\"\xe9\":1}\n", ""},
		{"too long", whole + strings.Repeat(" ", maxLine) + "{}\n", ""},
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := open(t, path)
		want := tt.left
		if want == "" {
			want = tt.content
		}
		left, _ := os.ReadFile(path)
		if (err == nil) != (tt.left != "") || string(left) != want {
			t.Errorf("%s: left as %.60q, error %v", tt.name, left, err)
		}
	}
}
