//go:build go1.27

package validate_test

import (
	"encoding/json/jsontext"
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// streams encodes itself by the interface of encoding/json/v2.
type streams struct{ text string }

func (s streams) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(s.text))
}

func TestAStreamedTextIsLookedAtToo(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{"a": true, mark: true, bad: false} {
		if err := validate.Text(map[string]any{"a": streams{text}}); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
