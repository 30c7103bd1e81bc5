package contract

import (
	"encoding/json"
	"strconv"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// loadSpec reads openapi.yaml, and checks the file as a whole with its
// examples.
var loadSpec = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(openapi3.NewLoader().Context)
})

func spec(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := loadSpec()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// loadStrict reads the file and closes every object: a reply may have members
// beyond the contract, but the fake must not send any.
var loadStrict = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	for _, schema := range doc.Components.Schemas {
		closeObject(schema.Value)
	}
	for _, response := range doc.Components.Responses {
		closeObject(response.Value.Content["application/json"].Schema.Value)
	}
	return doc, nil
})

func closeObject(s *openapi3.Schema) {
	if s.Type.Is("object") && len(s.Properties) > 0 {
		s.AdditionalProperties = openapi3.BoolSchema{Has: new(bool)}
	}
}

// documentedReply is one example of a reply in the file.
type documentedReply struct {
	operation, name string
	status          int
	body            any // as encoding/json decodes it
}

// replies returns all examples of replies in the operations: successes, and
// errors by their codes.
func replies(t *testing.T) []documentedReply {
	t.Helper()
	var out []documentedReply
	for _, path := range spec(t).Paths.Map() {
		for _, operation := range path.Operations() {
			for code, response := range operation.Responses.Map() {
				status, err := strconv.Atoi(code)
				if err != nil {
					continue // 2XX
				}
				for _, content := range response.Value.Content {
					for name, example := range content.Examples {
						out = append(out, documentedReply{operation.OperationID, name, status, asJSON(t, example.Value.Value)})
					}
				}
			}
		}
	}
	return out
}

// asJSON encodes v and returns it as encoding/json decodes it.
func asJSON(t *testing.T, v any) any {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(encoded, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
