package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// recorder stands between client and fake. It checks every request and reply
// against openapi.yaml with closed objects.
type recorder struct {
	t      *testing.T
	next   http.RoundTripper
	router routers.Router

	mu       sync.Mutex
	injected bool            // the fake's reply tells nothing about the request
	seen     map[string]bool // "listContacts 200", "listContacts 401 EXPIRED_API_KEY"
	queries  []string        // of the last request
}

// formats are checked only on request: kin-openapi ignores these two.
var formats = []openapi3.SchemaValidationOption{
	openapi3.WithStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562)),
	openapi3.WithStringFormatValidator("email", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForEmail)),
}

func newRecorder(t *testing.T, next http.RoundTripper) *recorder {
	t.Helper()
	doc, err := loadStrict()
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &recorder{t: t, next: next, router: router, seen: map[string]bool{}}
}

// under returns a client of the fake above the recorder, at the address in the
// file.
func (r *recorder) under(srv *demeterrrtest.Server) *demeterrr.Client {
	return srv.Client(demeterrr.WithBaseURL(demeterrr.DefaultBaseURL), demeterrr.WithHTTPClient(&http.Client{Transport: r}))
}

// inject makes the fake fail, and tells the recorder.
func (r *recorder) inject(srv *demeterrrtest.Server, f demeterrrtest.Fault) {
	r.injected = true
	srv.Inject(f)
}

// RoundTrip passes one exchange on and checks it.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body := []byte{}
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	ctx := req.Context()
	input, refused := r.checkRequest(ctx, req, body)
	req = req.Clone(ctx)
	req.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := r.next.RoundTrip(req)
	if input == nil {
		return resp, err
	}
	if refused != nil && (r.injected || err != nil) {
		r.t.Errorf("%s %s %s: %v", req.Method, req.URL.Path, body, refused)
	}
	if err != nil {
		return nil, err
	}
	reply, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(reply))
	code := errorCode(reply)
	if !r.injected && (refused != nil) != (code == demeterrr.CodeValidation) {
		r.t.Errorf("%s %s %s: openapi.yaml says %v, the fake says %d %s", req.Method, req.URL.Path, body, refused, resp.StatusCode, reply)
	}
	if err := checkReply(ctx, input, resp, reply); err != nil {
		why, _, _ := strings.Cut(err.Error(), "\n") // the schema follows
		r.t.Errorf("%s: openapi.yaml does not have this reply: %s\n%d %s", input.Route.Operation.OperationID, why, resp.StatusCode, reply)
	}
	r.seen[strings.TrimSpace(fmt.Sprint(input.Route.Operation.OperationID, " ", resp.StatusCode, " ", code))] = true
	return resp, nil
}

// checkRequest returns the violations of openapi.yaml in the request.
func (r *recorder) checkRequest(ctx context.Context, req *http.Request, body []byte) (*openapi3filter.RequestValidationInput, error) {
	route, params, err := r.router.FindRoute(req)
	if err != nil {
		r.t.Errorf("%s %s: %v", req.Method, req.URL, err)
		return nil, err
	}
	clone := req.Clone(ctx)
	clone.Body = io.NopCloser(bytes.NewReader(body))
	clone.ContentLength = int64(len(body))
	input := &openapi3filter.RequestValidationInput{
		Request: clone, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc:                checkKey,
			IncludeResponseStatus:             true,
			RejectWhenRequestBodyNotSpecified: true,
			SkipSettingDefaults:               true,
			SchemaValidationOptions:           formats,
		},
	}
	r.queries = nil
	for name := range req.URL.Query() {
		r.queries = append(r.queries, name)
		// kin-openapi overlooks unknown names.
		if route.Operation.Parameters.GetByInAndName("query", name) == nil {
			return input, fmt.Errorf("query %q is not in openapi.yaml", name)
		}
	}
	slices.Sort(r.queries)
	return input, openapi3filter.ValidateRequest(ctx, input)
}

// checkReply returns the violations of openapi.yaml in the reply.
func checkReply(ctx context.Context, input *openapi3filter.RequestValidationInput, resp *http.Response, body []byte) error {
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Options:                input.Options,
	}
	output.SetBodyBytes(body)
	err := openapi3filter.ValidateResponse(ctx, output)
	if err == nil && resp.StatusCode == http.StatusNoContent && len(body) > 0 {
		return errors.New("a 204 has no body")
	}
	return err
}

// checkKey wants a key in the place of the security scheme (contract, section
// 2).
func checkKey(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	header := in.RequestValidationInput.Request.Header
	key := header.Get("X-API-Key")
	if in.SecurityScheme.Type == "http" {
		key = strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
	}
	if !strings.HasPrefix(key, "dem_") {
		return fmt.Errorf("no key for the scheme %s", in.SecuritySchemeName)
	}
	return nil
}

func errorCode(body []byte) demeterrr.Code {
	var reply struct {
		Error struct{ Code demeterrr.Code }
	}
	_ = json.Unmarshal(body, &reply) // a list's or an empty body has no code
	return reply.Error.Code
}

// TestTheStrictFileIsStrict plays replies beyond the file.
func TestTheStrictFileIsStrict(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a member too many":           `{"data":{"id":"` + surveyID + `","name":"S","status":"active","steps":1}}`,
		"a member too few":            `{"data":{"id":"` + surveyID + `","name":"S"}}`,
		"a member of another type":    `{"data":{"id":"` + surveyID + `","name":1,"status":"active"}}`,
		"an id that is no UUID":       `{"data":{"id":"1","name":"S","status":"active"}}`,
		"an envelope with more in it": `{"data":{"id":"` + surveyID + `","name":"S","status":"active"},"meta":{}}`,
		"no envelope":                 `{"id":"` + surveyID + `","name":"S","status":"active"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, rec := setUp(t)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demeterrr.DefaultBaseURL+"/sequences/"+surveyID, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("X-API-Key", srv.APIKey())
				input, err := rec.checkRequest(t.Context(), req, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}}
				if err := checkReply(t.Context(), input, resp, []byte(body)); err == nil {
					t.Error("it is let through")
				}
			})
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// withKey returns a client like that of under, with another key.
func (r *recorder) withKey(key string) *demeterrr.Client {
	r.t.Helper()
	client, err := demeterrr.New(key, demeterrr.WithHTTPClient(&http.Client{Transport: r}))
	if err != nil {
		r.t.Fatal(err)
	}
	return client
}
