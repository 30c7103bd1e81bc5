package fakepage

import (
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/google/go-cmp/cmp"
)

func TestWhyARequestFailed(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	send := func(method, path, content string) {
		f.send(t, method, "/api/v1"+path, content, "Content-Type: application/json")
	}
	send("GET", "/contacts", "")
	send("GET", "/contacts?page=0&x=1", "")
	send("POST", "/contacts", `{"email":"ann@example.com","firstName":"A"}`)
	send("GET", "/nothing", "")
	f.server().Inject(demeterrrtest.Fault{Status: 502})
	send("GET", "/contacts", "")
	f.server().Inject(demeterrrtest.Fault{Delay: time.Nanosecond})
	send("GET", "/contacts", "")
	f.server().Inject(demeterrrtest.Fault{Delay: time.Nanosecond})
	send("GET", "/nothing", "")
	f.server().ExpireKey(f.APIKey())
	send("GET", "/contacts", "")
	want := []string{
		"EXPIRED_API_KEY: API key has expired", "injected: reply delayed by 1ns; NOT_FOUND: Resource not found", "injected: reply delayed by 1ns", "injected: 502", "NOT_FOUND: Resource not found",
		"CONTACT_EXISTS: A contact with this email already exists", "VALIDATION_ERROR: page must be a whole number from 1, x is not a parameter of this endpoint", "",
	}
	var got []string
	for _, r := range read[list[struct{ Why string }]](t, f.send(t, "GET", "/_fake/requests", "")).Data {
		got = append(got, r.Why)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	found := read[list[struct{ Number int }]](t, f.send(t, "GET", "/_fake/requests?search=contact_exists&limit=1", ""))
	if len(found.Data) != 1 || found.Data[0].Number != 3 || found.Meta.Total != 1 {
		t.Errorf("%+v", found)
	}
}

func TestTheNewestThousandRequestsAreKept(t *testing.T) {
	t.Parallel()
	a := newAccount(func() {})
	a.server = demeterrrtest.NewServer()
	big := strings.Repeat("é", 1<<20)
	bytes := []byte(big)
	for i := range 5*keptRequests + 7 {
		a.log(demeterrrtest.Request{Method: "POST", Path: "/" + big[:1000], Body: bytes, Header: map[string][]string{"User-Agent": {big}}, Status: 400, ErrorBody: bytes})
		if len(a.requests) > 2*keptRequests {
			t.Fatalf("%d are kept after %d", len(a.requests), i)
		}
	}
	kept, whole := a.kept(0)
	if len(kept) != keptRequests || whole || kept[0].Number != 5007 || kept[999].Number != 4008 {
		t.Errorf("%d kept, whole %v, %d to %d", len(kept), whole, kept[0].Number, kept[len(kept)-1].Number)
	}
	size := len(kept[0].Body) + len(kept[0].ErrorBody) + len(kept[0].UserAgent) + len(kept[0].Path) + len(kept[0].Why)
	if size > 2*keptBody+3*keptText+40 || !strings.HasSuffix(kept[0].Body, "é…") {
		t.Errorf("%d bytes of a request are kept", size)
	}
	for after, n := range map[int]int{5007: 0, 5006: 1, 4007: 1000, 6000: 0} {
		kept, whole := a.kept(after)
		if len(kept) != n || whole != (after <= 5007) {
			t.Errorf("after %d: %d, whole %v", after, len(kept), whole)
		}
	}
}

func TestTheKeyIsInNoRequestThatIsKept(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	key := f.APIKey()
	f.send(t, "POST", "/api/v1/"+key+"?a="+key, `{"`+key+`":1}`, "User-Agent: "+key, "Content-Type: application/json")
	text := body(t, f.send(t, "GET", "/_fake/requests/1", ""), 200)
	if strings.Contains(text, key) || strings.Count(text, "[key]") < 3 {
		t.Error(text)
	}
	if got := read[map[string]requestDetailsJSON](t, f.send(t, "GET", "/_fake/requests/1", ""))["data"]; got.Body != `{"[key]":1}` || got.Status != 404 || !strings.Contains(got.ErrorBody, "NOT_FOUND") {
		t.Errorf("%+v", got)
	}
	for _, number := range []string{"0", "2", "x", "-1"} {
		if text := body(t, f.send(t, "GET", "/_fake/requests/"+number, ""), 404); !strings.Contains(text, "there is no request "+number) {
			t.Error(text)
		}
	}
}

// requestDetailsJSON is what a script reads of one request.
type requestDetailsJSON struct {
	Status          int
	Body, ErrorBody string
}

func TestWaitsAreShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0 s", 1: "1 s", time.Minute: "60 s", 121 * time.Second: "3 min", 2 * time.Hour: "120 min", 2*time.Hour + 1: "3 h"} {
		if got := wait(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
