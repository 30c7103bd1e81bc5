package demeterrr

import (
	"encoding/json"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// A decoder reads each member of an object between begin and end. Extra then holds
// unknown members as raw JSON, and known ones of an unexpected type. The fields of
// the latter stay zero.

// begin drops an earlier member of the same name from extra, and returns where the
// member is, for end.
func begin(r *jsonread.Reader, extra *map[string]json.RawMessage) jsonread.Place {
	if len(*extra) > 0 {
		drop(r, extra)
	}
	return r.Place()
}

// end keeps the member if its value did not fit its field.
func end(r *jsonread.Reader, extra *map[string]json.RawMessage, at jsonread.Place) {
	if r.Err() != nil {
		keepOdd(r, extra, at)
	}
}

func drop(r *jsonread.Reader, extra *map[string]json.RawMessage) {
	if delete(*extra, string(r.Key())); len(*extra) == 0 {
		*extra = nil
	}
}

// keepOdd keeps the member at a place after a read has failed. It fails again on a
// value that is not JSON, and on an id: ids are strict.
func keepOdd(r *jsonread.Reader, extra *map[string]json.RawMessage, at jsonread.Place) {
	r.Rewind(at)
	if key := string(r.Key()); key == "id" || strings.HasSuffix(key, "Id") {
		r.Text()
		return
	}
	keep(r, extra)
}

// keep puts the member that r is at into extra.
func keep(r *jsonread.Reader, extra *map[string]json.RawMessage) {
	if *extra == nil {
		*extra = map[string]json.RawMessage{}
	}
	name := r.KeyText()
	(*extra)[name] = r.Raw()
}
