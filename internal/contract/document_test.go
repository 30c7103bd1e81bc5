package contract

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows returns the matches of the pattern's groups in docs/api-contract.md.
func rows(t *testing.T, pattern string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/api-contract.md")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?m)"+pattern).FindAllStringSubmatch(string(text), -1)
}

func TestTheFileHasTheEndpointsOfSection3(t *testing.T) {
	t.Parallel()
	want, got := map[string]string{}, map[string]string{}
	for _, row := range rows(t, "^\\| `([A-Z]+) (/[^`]+)` \\| `([a-z:]+)` \\|") {
		want[row[1]+" "+strings.ReplaceAll(row[2], ":id", "{id}")] = row[3]
	}
	for path, item := range spec(t).Paths.Map() {
		for method, operation := range item.Operations() {
			for _, requirement := range *operation.Security {
				for scheme, scopes := range requirement {
					if other, ok := got[method+" "+path]; ok && other != scopes[0] || len(scopes) != 1 {
						t.Errorf("%s %s: %s has the scopes %v", method, path, scheme, scopes)
					}
					got[method+" "+path] = scopes[0]
				}
			}
			if operations[operation.OperationID] == nil {
				t.Errorf("no test calls %s", operation.OperationID)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("endpoints and scopes (-document +file):\n%s", diff)
	}
}

func TestTheFileHasTheErrorsOfSection7(t *testing.T) {
	t.Parallel()
	want, got := map[string]string{}, map[string]string{} // messages by status and code
	for _, row := range rows(t, "^\\| (\\d{3}) \\| `([A-Z_]+)` \\| (.*?) ?\\|") {
		want[row[1]+" "+row[2]] = row[3]
	}
	for _, reply := range replies(t) {
		if reply.status < 300 {
			continue
		}
		body := reply.body.(map[string]any)["error"].(map[string]any)
		if body["code"] != reply.name {
			t.Errorf("the example %s has the code %v", reply.name, body["code"])
		}
		key := fmt.Sprint(reply.status, " ", reply.name)
		got[key] = body["message"].(string)
		if want[key] == "" { // the document has no message
			got[key] = ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != len(sentinels) {
		t.Errorf("errors (-document +file):\n%s", diff)
	}
}

// TestTheFileHasTheDocumentedSamples compares its examples with the golden
// files. The root package's tests compare those with the document.
func TestTheFileHasTheDocumentedSamples(t *testing.T) {
	t.Parallel()
	examples := spec(t).Components.Examples
	for name, want := range map[string]struct{ request, reply string }{
		"list":         {"", "contactPage"},
		"create":       {"createBody", "createdContact"},
		"update":       {"updateBody", "updatedContact"},
		"execute":      {"executeBody", "execution"},
		"forbidden":    {"", "INSUFFICIENT_PERMISSIONS"},
		"rate_limited": {"", "RATE_LIMIT_EXCEEDED"},
	} {
		data, err := fs.ReadFile(os.DirFS("../../testdata/golden"), name+".json")
		if err != nil {
			t.Fatal(err)
		}
		var golden struct{ Request, Reply struct{ Body any } }
		if err := json.Unmarshal(data, &golden); err != nil {
			t.Fatal(err)
		}
		if want.request != "" {
			if diff := cmp.Diff(golden.Request.Body, asJSON(t, examples[want.request].Value.Value)); diff != "" {
				t.Errorf("%s (-document +file):\n%s", want.request, diff)
			}
		}
		if diff := cmp.Diff(golden.Reply.Body, asJSON(t, examples[want.reply].Value.Value)); diff != "" {
			t.Errorf("%s (-document +file):\n%s", want.reply, diff)
		}
	}
}
