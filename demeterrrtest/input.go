package demeterrrtest

import (
	"encoding/json"
	"maps"
	"mime"
	"net/mail"
	"slices"
	"unicode/utf8"
)

// input reads the members of a JSON object one by one and collects their
// problems. Members left at the end are unknown.
type input struct {
	members  map[string]json.RawMessage
	nullable bool   // members may be null
	prefix   string // before the names of members, such as "contacts[3]."
	problems []problem
}

// readBody reads the object in the body of a POST or PATCH. If there is none,
// it returns a reply.
func readBody(c *call) (*input, *reply) {
	mediaType, _, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, validationError(problem{"Content-Type", "must be application/json"})
	}
	in := &input{}
	if !utf8.Valid(c.body) || json.Unmarshal(c.body, &in.members) != nil || in.members == nil {
		return nil, validationError(problem{"body", "must be a JSON object"})
	}
	return in, nil
}

func (in *input) refuse(name, message string) {
	in.problems = append(in.problems, problem{in.prefix + name, message})
}

// finish refuses the members left over, and replies if there was any problem.
func (in *input) finish() *reply {
	in.refuseRest()
	if len(in.problems) > 0 {
		return validationError(in.problems...)
	}
	return nil
}

func (in *input) refuseRest() {
	for _, name := range slices.Sorted(maps.Keys(in.members)) {
		in.refuse(name, "is not accepted here")
	}
}

// take reads the member name as a T that passes check. The value is nil if the
// member is null or wrong. given is false if the member is missing or wrong.
func take[T any](in *input, name, want string, check func(T) bool) (value *T, given bool) {
	raw, given := in.members[name]
	if !given {
		return nil, false
	}
	delete(in.members, name)
	if string(raw) == "null" && in.nullable {
		return nil, true
	}
	var v T
	if string(raw) == "null" || json.Unmarshal(raw, &v) != nil || check != nil && !check(v) {
		in.refuse(name, "must be "+want)
		return nil, false
	}
	return &v, true
}

// require refuses a missing member, unless it was refused already.
func (in *input) require(name string, given bool) {
	wrong := slices.ContainsFunc(in.problems, func(p problem) bool { return p.Field == in.prefix+name })
	if !given && !wrong {
		in.refuse(name, "is required")
	}
}

func (in *input) text(name string) (*string, bool) {
	return take[string](in, name, "a string", nil)
}

func (in *input) requiredText(name string) *string {
	v, given := take(in, name, "a string that is not empty", func(s string) bool { return s != "" })
	in.require(name, given)
	return v
}

func (in *input) email(name string) (*string, bool) {
	return take(in, name, "a valid email address", isEmail)
}

func (in *input) language(name string) (*string, bool) {
	return take(in, name, "en or fr", func(s string) bool { return s == "en" || s == "fr" })
}

func (in *input) uuid(name string) *string {
	v, _ := take(in, name, "a UUID", isUUID)
	return v
}

func (in *input) tags(name string) ([]string, bool) {
	// Pointers keep a null apart from an empty string.
	v, given := take(in, name, "an array of strings", func(tags []*string) bool { return !slices.Contains(tags, nil) })
	if v == nil {
		return nil, given
	}
	tags := make([]string, len(*v))
	for i, tag := range *v {
		tags[i] = *tag
	}
	return tags, given
}

func (in *input) customFields(name string) (map[string]json.RawMessage, bool) {
	v, given := take(in, name, "an object of strings, numbers and booleans", func(fields map[string]json.RawMessage) bool {
		for _, raw := range fields {
			if raw[0] == '{' || raw[0] == '[' || raw[0] == 'n' {
				return false
			}
		}
		return true
	})
	if v == nil {
		return nil, given
	}
	return *v, given
}

// isEmail reports whether s is an email address and nothing else.
func isEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && len(s) <= 254
}
