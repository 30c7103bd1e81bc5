package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// Under every fault, an Execute messages each person at most once. The
// exception is a repeat that the API itself asks for. WithAtMostOnce has no
// exception.
func TestNobodyIsMessagedTwice(t *testing.T) {
	t.Parallel()
	executions, sent := 0, 0
	for _, f := range faults() {
		if f.stalls {
			continue // the matrix has them; this test has no time limit
		}
		for _, once := range []bool{false, true} {
			l := newLab(f)
			if err := l.connect(patient, minWait, func() {}); err != nil {
				t.Fatal(err)
			}
			var opts []demeterrr.CallOption
			if once {
				opts = append(opts, demeterrr.WithAtMostOnce())
			}
			l.left.Store(-1)
			err := execute(context.Background(), l, opts...)
			executions++
			counts := map[string]int{}
			for _, s := range l.fake.Sendings() {
				counts[s.Email]++
				sent++
			}
			for email, n := range counts {
				if n > 1 && (once || f.class != apiFailed) {
					t.Errorf("%s, at most once %v: %s was messaged %d times", f.name, once, email, n)
				}
			}
			if len(counts) > 0 && err != nil && !errors.Is(err, demeterrr.ErrUnknownOutcome) {
				t.Errorf("%s, at most once %v: somebody was messaged, and the error does not say that it may be: %v", f.name, once, err)
			}
			if len(counts) == 0 && err == nil {
				t.Errorf("%s, at most once %v: success, and nobody was messaged", f.name, once)
			}
			l.close()
		}
	}
	t.Logf("%d executions under a fault, %d sendings", executions, sent)
}

// The default behavior of http.Client with a custom header, beside the SDK's.
// docs/reliability.md reports it.
func TestTheKeyGoesToTheConfiguredHostOnly(t *testing.T) {
	t.Parallel()
	const key = "dem_canary0000000000000000000000000000000000001"
	var got atomic.Pointer[http.Header]
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(&r.Header)
		fmt.Fprint(w, `{"data":{"id":"x"}}`)
	}))
	defer elsewhere.Close()
	other := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1) // another host, as far as net/http is concerned
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+r.URL.Path, http.StatusTemporaryRedirect) //nolint:gosec // that is what is tested
	}))
	defer origin.Close()

	req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, origin.URL+"/api/v1/contacts/x", nil))
	req.Header.Set("X-API-Key", key)
	req.Header.Set("Authorization", "Bearer "+key)
	resp := must(new(http.Client).Do(req)) //nolint:bodyclose // it is, below
	_ = resp.Body.Close()
	if header := got.Load(); header == nil || header.Get("X-API-Key") != key || header.Get("Authorization") != "" {
		t.Errorf("net/http does otherwise than the documentation says: %v", header)
	}

	got.Store(nil)
	c := must(demeterrr.New(key, demeterrr.WithBaseURL(origin.URL+"/api/v1"), demeterrr.WithHTTPClient(&http.Client{})))
	_, err := c.Contacts.Get(t.Context(), "x")
	var e *demeterrr.Error
	if !errors.As(err, &e) || e.StatusCode != http.StatusTemporaryRedirect || !strings.Contains(e.Message, "redirects are refused") {
		t.Errorf("got %v, want the refusal of a redirect", err)
	}
	if got.Load() != nil {
		t.Error("the SDK has followed a redirect")
	}
}

func TestTheKeyIsNotInAProxysConnect(t *testing.T) {
	t.Parallel()
	l := newLab(&fault{name: "none", tls: true, setup: func(l *lab) { l.useProxy(closing) }})
	defer l.close()
	if err := l.connect(patient, minWait, func() {}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.client.Contacts.Get(t.Context(), l.known.ID); err != nil {
		t.Fatal(err)
	}
	asked := l.connects.String()
	if !strings.HasPrefix(asked, "CONNECT 127.0.0.1:") || strings.Contains(asked, l.fake.APIKey()) || strings.Contains(asked, "contacts") {
		t.Errorf("the proxy was asked %q", asked)
	}
	l.transport.CloseIdleConnections()
}

func TestTheKeyIsNotSentInTheClearUnlessAllowed(t *testing.T) {
	t.Parallel()
	fake := demeterrrtest.NewServer()
	defer fake.Close()
	key := fake.APIKey()
	for base, allowed := range map[string]bool{
		"http://app.demeterrr.com/api/v1": false, "http://10.0.0.1": false, "http://localhost.example.com": false,
		"http://127.0.0.1.example.com": false, "http://[::ffff:10.0.0.1]": false, "http://0.0.0.0": false,
		"http://localhost": true, "http://127.0.0.1:8080": true, "http://[::1]": true, "https://app.demeterrr.com/api/v1": true,
	} {
		_, err := demeterrr.New(key, demeterrr.WithBaseURL(base))
		if (err == nil) != allowed {
			t.Errorf("%s: got %v", base, err)
		}
		if _, err := demeterrr.New(key, demeterrr.WithBaseURL(base), demeterrr.WithInsecureHTTP()); err != nil {
			t.Errorf("%s, allowed: %v", base, err)
		}
	}
}
