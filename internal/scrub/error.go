package scrub

import (
	"errors"
	"fmt"
	"net/url"
)

var errNone = errors.New("matches nothing")

// Readable returns err, or a plain error in its place if reading err panics. A
// typed nil and a *net.OpError without an error panic.
func Readable(err error) (safe error) {
	if err == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			safe = fmt.Errorf("a %T that panics when it is read; return a complete error or a plain nil", err)
		}
	}()
	_ = err.Error()
	_ = errors.Is(err, errNone) // unwraps it to the end
	return err
}

// WithoutURL removes every *url.Error: it carries the URL, and with it emails.
func WithoutURL(err error) error {
	var u *url.Error
	for err = Readable(err); errors.As(err, &u); err = Readable(u.Err) {
		if u.Err == nil {
			return errors.New("the transport gave no reason")
		}
	}
	return err
}

// Panic turns a panic into the error of the function that defers it.
func Panic(err *error) {
	switch v := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("panic: %w", v)
	default:
		*err = fmt.Errorf("panic: %v", v)
	}
}
