// Recordings draws the program at work: it runs cmd/demeterrr in terminals of
// 80 columns, against the program's own fake, and writes each scene as an
// animated SVG. Run it in the root folder of the repository:
//
//	go run ./internal/recordings
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

// madeBy is the command in the first line of each file.
const madeBy = "go run ./internal/recordings"

func main() {
	log.SetFlags(0)
	root := flag.String("root", ".", "the root `folder` of the repository")
	docs := flag.String("docs", "cmd/demeterrr/docs", "the `folder` of the recordings, in the root folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := record(ctx, *root, filepath.Join(*root, *docs)); err != nil {
		log.Fatal(err)
	}
}

// record builds the program and writes a file for each scene.
func record(ctx context.Context, root, docs string) error {
	folder, err := os.MkdirTemp("", "recordings")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	program, err := build(ctx, root, folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(docs, 0o750); err != nil {
		return err
	}
	for _, s := range scenes() {
		start := time.Now()
		events, err := s.play(ctx, program)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		picture := draw(s.label, frames(events, columns, s.rows))
		file := filepath.Join(docs, s.name+".svg")
		if err := os.WriteFile(file, []byte(picture), 0o644); err != nil { //nolint:gosec // everybody may read documentation
			return err
		}
		log.Printf("%s: %d KB in %v", file, len(picture)/1000, time.Since(start).Round(time.Second/10))
	}
	return nil
}

// build builds the program in the folder.
func build(ctx context.Context, root, folder string) (string, error) {
	program := filepath.Join(folder, "demeterrr")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".") //nolint:gosec // a path in a folder of its own
	cmd.Dir = filepath.Join(root, "cmd", "demeterrr")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the program does not build: %w\n%s", err, output)
	}
	return program, nil
}
