package demeterrr

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/scrub"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// keySource returns the key of the next attempt, or an [*Error].
type keySource func(context.Context) (string, error)

// takeKey gets the key of the next attempt, with which it is sent and of which
// everything that comes back is cleaned.
func (k *call) takeKey() error {
	key, err := k.client.apiKey(k.ctx)
	if err != nil {
		return err
	}
	k.key = key
	return nil
}

// askKey asks the function of [WithAPIKeyFunc] for a key, and checks it.
func askKey(ctx context.Context, f func(context.Context) (string, error)) (string, error) {
	key, err := callKeyFunc(ctx, f)
	if err != nil {
		return "", &Error{Code: CodeMissingAPIKey, Message: "WithAPIKeyFunc: the function gave no key", cause: withoutKeys(err, key)}
	}
	if failed := checkKey(key); failed != nil {
		failed.Message = "WithAPIKeyFunc: " + failed.Message
		return "", failed
	}
	return key, nil
}

func callKeyFunc(ctx context.Context, f func(context.Context) (string, error)) (key string, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("panic: %w", v)
		default:
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f(ctx)
}

// checkKey returns the error for a key that cannot be sent, or nil.
func checkKey(key string) *Error {
	if key == "" {
		return &Error{Code: CodeMissingAPIKey, Message: "no API key was given; make one in the dashboard"}
	}
	if err := validate.APIKey(key); err != nil {
		return &Error{Code: CodeInvalidAPIKeyFormat, Message: err.Error()}
	}
	return nil
}

// anyKey matches what looks like an API key.
var anyKey = regexp.MustCompile(`dem_[^\s"'<>()\[\],;:=&\\]+`)

// withoutKeys is err with a text that holds neither key nor anything like one.
func withoutKeys(err error, key string) error {
	err = scrub.Readable(err)
	text := err.Error()
	if key = strings.TrimSpace(key); key != "" {
		text = scrub.Key(text, key)
	}
	return foreign{&cleanText{err, anyKey.ReplaceAllString(text, scrub.Gone)}}
}

// cleanText is an error with another text.
type cleanText struct {
	err  error
	text string
}

func (c *cleanText) Error() string { return c.text }

func (c *cleanText) Unwrap() error { return c.err }
