package journalfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func lines(list ...string) func(func([]byte) error) error {
	return func(add func([]byte) error) error {
		for _, line := range list {
			if err := add([]byte(line)); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestRewriteReplacesTheLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	f, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := f.Append([]byte(`{"old":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	leftByACrash := header[:5] + strings.Repeat("\x00", 1000)
	if err := os.WriteFile(path+draftSuffix, []byte(leftByACrash), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Rewrite([]byte(header), lines(`{"new":1}`, `{"new":2}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, path); !errors.Is(err, ErrLocked) {
		t.Errorf("the new file is not locked: %v", err)
	}
	if err := f.Append([]byte(`{"new":3}`)); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != f.Size() {
		t.Errorf("%d bytes, want %d (%v)", f.Size(), info.Size(), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	_, got, err := open(t, path)
	for i := range got {
		got[i] = strings.TrimSpace(got[i])
	}
	if want := []string{`{"new":1}`, `{"new":2}`, `{"new":3}`}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q (%v)", got, want, err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}

func TestARewriteThatFailsLeavesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	f, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	torn := errors.New("torn")
	for name, write := range map[string]func(func([]byte) error) error{
		"the caller's":  func(func([]byte) error) error { return torn },
		"a line":        lines(strings.Repeat("x", maxLine)),
		"after a while": func(add func([]byte) error) error { return errors.Join(add([]byte("{}")), torn) },
	} {
		if err := f.Rewrite([]byte(header), write); err == nil || name != "a line" && !errors.Is(err, torn) {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Append([]byte(`{"a":1}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
			t.Errorf("%s left %q", name, left)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, got, err := open(t, path); err != nil || len(got) != 3 {
		t.Error(got, err)
	}
	if err := f.Rewrite([]byte(header), lines()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
}

// The path may be a link to the file, and the link stays.
func TestRewriteKeepsLinkAndMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Chmod(target, 0o400|0o200|0o100)); err != nil {
		t.Fatal(err)
	}
	if os.Symlink(target, link) != nil {
		t.Skip("Windows asks for a privilege")
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Skip("Wine shows what a link leads to in its place")
	}
	f, _, err := open(t, link)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(target)
	if err := errors.Join(f.Rewrite([]byte(header), lines(`{"a":1}`)), f.Append([]byte(`{"b":1}`))); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode() != before.Mode() {
		t.Errorf("mode %v, want %v (%v)", info.Mode(), before.Mode(), err)
	}
}

func TestAFileThatIsNotOursIsNotRewritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	f, err := OpenRestored(path, "do this", []byte(header), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := os.WriteFile(path, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Rewrite([]byte(header), lines()); err == nil || !strings.Contains(err.Error(), "do this") {
		t.Error(err)
	}
	if left, err := os.ReadFile(path); string(left) != "somebody's" {
		t.Errorf("left as %q (%v)", left, err)
	}
}

// A file with the name of the draft may be another journal, open or not. Its
// lines stay.
func TestRewriteLeavesTheFilesOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, content string }{
		{"open elsewhere", header + "\n" + `{"a":1}` + "\n"},
		{"another program's", `{"journal":1}` + "\n"},
		{"short", "x"},
	} {
		path := filepath.Join(t.TempDir(), "f")
		f, _, err := open(t, path)
		if err = errors.Join(err, os.WriteFile(path+draftSuffix, []byte(tt.content), 0o600)); err != nil {
			t.Fatal(err)
		}
		if tt.name == "open elsewhere" {
			if _, _, err := open(t, path+draftSuffix); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Rewrite([]byte(header), lines(`{"new":1}`)); err == nil {
			t.Errorf("%s: it was taken for a draft", tt.name)
		}
		if left, err := os.ReadFile(path + draftSuffix); string(left) != tt.content {
			t.Errorf("%s: left as %q (%v)", tt.name, left, err)
		}
		if err := f.Append([]byte(`{"a":1}`)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
