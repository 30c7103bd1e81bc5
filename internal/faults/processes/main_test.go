package processes

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"testing"
)

// The test binary is its own child: jobEnv has the job, and brokenEnv the name
// of a broken journal.
const (
	jobEnv    = "DEMETERRR_TEST_JOB"
	brokenEnv = "DEMETERRR_TEST_BROKEN_JOURNAL"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(jobEnv); text != "" {
		runJob([]byte(text))
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// child is a process of this binary.
type child struct {
	*exec.Cmd
	out, err bytes.Buffer
}

// start starts a child with a variable of its environment, and kills it if the
// test ends first.
func start(t *testing.T, env, value string, args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	c.Env = append(os.Environ(), env+"="+value)
	c.Stdout, c.Stderr = &c.out, &c.err
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// startJob starts a job.
func startJob(t *testing.T, j job) *child {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, jobEnv, string(text))
}

// report waits for the end of a job and returns its output.
func (c *child) report(t *testing.T) (r jobReport) {
	t.Helper()
	if err := c.Wait(); err != nil {
		t.Fatalf("a job failed: %v\n%s", err, &c.err)
	}
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		t.Fatalf("a job printed %q: %v", &c.out, err)
	}
	return r
}
