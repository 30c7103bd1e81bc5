package contract

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// TestPrism runs every method of the SDK against an independent mock server,
// Stoplight Prism, on openapi.yaml.
func TestPrism(t *testing.T) {
	t.Parallel()
	baseURL := startPrism(t)
	for _, reply := range replies(t) {
		t.Run(fmt.Sprint(reply.operation, " ", reply.status, " ", reply.name), func(t *testing.T) {
			t.Parallel()
			code := codeOf(reply)
			var resp demeterrr.Response
			got, err := operations[reply.operation](t.Context(), prefer(t, baseURL, "", fmt.Sprintf("code=%d, example=%s", reply.status, reply.name)), demeterrr.WithResponse(&resp))
			if code == "" {
				if err != nil {
					t.Fatal(err)
				}
				isBody(t, reply.body, got)
			} else {
				isError(t, err, reply.status, code)
				failed := asError(t, err)
				isErrorBody(t, failed, reply.body)
				if limited := code == demeterrr.CodeRateLimited; limited != (failed.RetryAfter == time.Minute) {
					t.Errorf("retry after %v", failed.RetryAfter)
				}
			}
			quota := demeterrr.RateLimit{Limit: 1000, Remaining: 987, Reset: time.Unix(1644518400, 0)}
			if diff := cmp.Diff(quota, resp.RateLimit); diff != "" || resp.RequestID != "req_1" {
				t.Errorf("request id %q; rate limit (-file +client):\n%s", resp.RequestID, diff)
			}
		})
	}
	t.Run("any 2xx of an execution", func(t *testing.T) {
		t.Parallel()
		got, err := operations["executeSequence"](t.Context(), prefer(t, baseURL, "", "code=202"))
		if err != nil {
			t.Fatal(err)
		}
		isBody(t, asJSON(t, spec(t).Components.Examples["execution"].Value.Value), got)
	})
	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{204, 200} { // the second is one of any 2xx
			if _, err := operations["deleteContact"](t.Context(), prefer(t, baseURL, "", fmt.Sprintf("code=%d", status))); err != nil {
				t.Errorf("%d: %v", status, err)
			}
		}
	})
	t.Run("methods of several calls", func(t *testing.T) {
		t.Parallel()
		severalCalls(t, baseURL)
	})
}

func severalCalls(t *testing.T, baseURL string) {
	t.Helper()
	client := prefer(t, baseURL, "", "")
	if found, err := client.Contacts.FindByEmail(t.Context(), "john.doe@example.com"); err != nil || found.ID != johnID {
		t.Errorf("FindByEmail: %v, %v", found, err)
	}
	if _, outcome, err := client.Contacts.Upsert(t.Context(), jane()); err != nil || outcome != demeterrr.UpsertCreated {
		t.Errorf("Upsert of a new contact: %q, %v", outcome, err)
	}
	taken := prefer(t, baseURL, http.MethodPost, "code=409")
	changed, outcome, err := taken.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith"})
	if err != nil || outcome != demeterrr.UpsertUpdated || changed.LastName != "Doe-Smith" || changed.Phone != "+15551234567" {
		t.Errorf("Upsert of one that exists: %+v, %s, %v", changed, outcome, err)
	}
	for contact, err := range client.Contacts.All(t.Context(), nil) {
		if err != nil || contact.ID != johnID {
			t.Errorf("Contacts.All: %v, %v", contact, err)
		}
		break // the example is page 1 of 5, whichever page is asked for
	}
	sequences := 0
	for sequence, err := range client.Sequences.All(t.Context(), nil) {
		if sequences++; err != nil || sequence.ID != surveyID {
			t.Errorf("Sequences.All: %v, %v", sequence, err)
		}
	}
	if sequences != 1 {
		t.Errorf("Sequences.All: %d sequences", sequences)
	}
	var raw struct{ Data demeterrr.Sequence }
	if err := client.Do(t.Context(), &demeterrr.Request{Method: "GET", Path: "/sequences/" + surveyID}, &raw); err != nil || raw.Data.ID != surveyID {
		t.Errorf("Do: %+v, %v", raw, err)
	}
}

// prefer returns a client without retries. It asks Prism for a certain reply to
// requests of the method; an empty method means every request.
func prefer(t *testing.T, baseURL, method, preference string) *demeterrr.Client {
	t.Helper()
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		if preference != "" && (method == "" || method == req.Method) {
			req = req.Clone(req.Context())
			req.Header.Set("Prefer", preference)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		// Prism answers as requested, and lists here the faults of the request
		// or of its own reply.
		if err == nil && resp.Header.Get("Sl-Violations") != "" {
			t.Errorf("%s %s: Prism says %s", req.Method, req.URL.Path, resp.Header.Get("Sl-Violations"))
		}
		return resp, err
	})
	client, err := demeterrr.New("dem_your_key_here", demeterrr.WithBaseURL(baseURL),
		demeterrr.WithHTTPClient(&http.Client{Transport: transport}), demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{}))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// startPrism starts the mock server on a free loopback port until the test
// ends. If Prism is not installed, the test is skipped, or fails in CI.
func startPrism(t *testing.T) (baseURL string) {
	t.Helper()
	missing := t.Skip
	if os.Getenv("CI") == "true" {
		missing = t.Fatal
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("SKIPPED: Node is missing, so nothing was run against Prism: ", err)
	}
	script := filepath.Join("node_modules", "@stoplight", "prism-cli", "dist", "index.js")
	if _, err := os.Stat(script); err != nil {
		missing("SKIPPED: Prism is not installed, so nothing was run against it; run npm ci in internal/contract: ", err)
	}
	port := freePort(t)
	prism := exec.CommandContext(t.Context(), node, script, "mock", "-h", "127.0.0.1", "-p", port, "openapi.yaml")
	prism.Env = append(os.Environ(), "NO_COLOR=1")
	output, err := prism.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := prism.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prism.Process.Kill(); _ = prism.Wait() })
	ready := make(chan bool, 1)
	var said strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if said.Len() < 1<<12 {
				said.WriteString(lines.Text() + "\n")
			}
			if strings.Contains(lines.Text(), "Prism is listening") {
				ready <- true
			}
		}
		close(ready)
	})
	select {
	case ok := <-ready:
		if !ok {
			reading.Wait()
			t.Fatalf("Prism has ended:\n%s", said.String())
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("Prism is not listening after two minutes")
	}
	return "http://127.0.0.1:" + port
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
