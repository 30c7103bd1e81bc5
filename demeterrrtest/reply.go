package demeterrrtest

import (
	"bytes"
	"encoding/json"
	"net/http"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// reply is the answer of the server, before it goes to a client in memory or
// over a port.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// envelope is the JSON around every success (contract, section 4).
type envelope struct {
	Data any   `json:"data"`
	Meta *meta `json:"meta,omitempty"`
}

type meta struct {
	Page       int `json:"page"`
	PerPage    int `json:"perPage"`
	Total      int `json:"total"`
	TotalPages int `json:"totalPages"`
}

func dataReply(status int, data any) *reply {
	return jsonReply(status, envelope{Data: data})
}

func jsonReply(status int, v any) *reply {
	body, err := encode(v)
	if err != nil {
		misuse("encode a reply: %v", err) // AddContact and AddSequence refuse what cannot be encoded
	}
	return &reply{
		status: status,
		header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		body:   body,
	}
}

// encode returns v as JSON on one line.
func encode(v any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // a documented message contains <key>
	err := encoder.Encode(v)
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), err
}

// errorBody is the body of every error. Its members are in the order of the
// documented samples (contract, section 7).
type errorBody struct {
	Code          demeterrr.Code `json:"code"`
	Message       string         `json:"message"`
	RequiredScope string         `json:"requiredScope,omitempty"`
	Details       any            `json:"details,omitempty"`
}

// documented maps each code to its status and message. A message without
// documentation is invented.
var documented = map[demeterrr.Code]struct {
	status  int
	message string
}{
	demeterrr.CodeMissingAPIKey:           {401, "API key required. Provide via X-API-Key header or Authorization: Bearer <key>"},
	demeterrr.CodeInvalidAPIKeyFormat:     {401, "Invalid API key format. Key must start with 'dem_'"},
	demeterrr.CodeInvalidAPIKey:           {401, "Invalid or inactive API key"},
	demeterrr.CodeExpiredAPIKey:           {401, "API key has expired"},
	demeterrr.CodeInsufficientPermissions: {403, "This API key does not have the required scope: "},
	demeterrr.CodeValidation:              {400, "Validation failed"},
	demeterrr.CodeSequenceInactive:        {400, "Sequence is not active"},
	demeterrr.CodeNotFound:                {404, "Resource not found"},
	demeterrr.CodeContactExists:           {409, "A contact with this email already exists"},
	demeterrr.CodeRateLimited:             {429, "Rate limit exceeded. Please try again later."},
	demeterrr.CodeInternal:                {500, "An unexpected error occurred"},
}

func documentedError(code demeterrr.Code) *reply {
	d := documented[code]
	return errorReply(d.status, errorBody{Code: code, Message: d.message})
}

func errorReply(status int, body errorBody) *reply {
	return jsonReply(status, map[string]errorBody{"error": body})
}

func scopeError(status int, scope string) *reply {
	return errorReply(status, errorBody{
		Code:          demeterrr.CodeInsufficientPermissions,
		Message:       documented[demeterrr.CodeInsufficientPermissions].message + scope,
		RequiredScope: scope,
	})
}

// problem is one entry in the details of a VALIDATION_ERROR.
type problem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func validationError(problems ...problem) *reply {
	d := documented[demeterrr.CodeValidation]
	return errorReply(d.status, errorBody{Code: demeterrr.CodeValidation, Message: d.message, Details: problems})
}
