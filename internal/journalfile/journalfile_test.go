package journalfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const header = `{"header":1}`

// open opens a file that holds content, and returns the lines behind its header.
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
	for _, tt := range []struct{ name, content, left string }{ // left is empty if the file is refused
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
