package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

func (a *app) contactsExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export [FILE]",
		Short: "Export all contacts to a file or to standard output",
		Long: "Export all contacts to a file. Without a file name, or with -, export to standard output.\n" +
			"The file is CSV by default; -o json writes JSON lines. Its mode is 0600. An earlier export is replaced.\n" +
			"Each request reads 100 contacts.",
		Example: "  demeterrr contacts export all.csv\n  demeterrr contacts export -o json all.jsonl",
		Args:    cobra.MaximumNArgs(1),
		RunE:    a.exportContacts,
	}
}

func (a *app) exportContacts(c *cobra.Command, args []string) error {
	path := ""
	if len(args) > 0 && args[0] != "-" {
		path = args[0]
		if !c.Flags().Changed("output") {
			a.output = "csv"
		}
		if err := checkNewFile(path); err != nil {
			return usagef("%s: %w", path, err)
		}
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	ctx := demeterrr.LowPriority(c.Context())
	contacts, err := bulk.Collect(client.Contacts.All(ctx, nil, a.tellWaits()))
	if err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	if path == "" {
		return a.printContacts(contacts)
	}
	if err := writeFile(path, func(out io.Writer) error {
		to := *a
		to.out = out
		return to.printContacts(contacts)
	}); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Fprintf(a.errs, "%s in %s\n", count(len(contacts), "contact"), path)
	return nil
}

// checkNewFile reports whether writeFile could write path.
func checkNewFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("is a directory or a device; choose another file")
	}
	if err == nil && !isExport(path) {
		return errors.New("the file exists and is not an export; move it away, or choose another file")
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".demeterrr-*")
	if err != nil {
		return fmt.Errorf("cannot create a file there; choose another one: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// isExport reports whether a file is empty or an export. Other files are never
// replaced.
func isExport(path string) bool {
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // it was only read
	head := make([]byte, 64)
	n, err := io.ReadFull(file, head)
	text := string(head[:n])
	return n == 0 && errors.Is(err, io.EOF) || strings.HasPrefix(text, "id,email,firstName,") || strings.HasPrefix(text, `{"id":"`) ||
		strings.HasPrefix(text, "email ") || strings.HasPrefix(text, "email: ")
}

// writeFile atomically replaces path. It follows a symbolic link, and replaces
// the target.
func writeFile(path string, write func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".demeterrr-*") // mode 0600
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
