package demeterrr_test

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// withoutTime removes the time from a record, for the same output each time.
func withoutTime(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attr
}

// Log a failed call with slog. An *Error becomes a group of its fields, without
// the API key and the contact.
func Example_slog() {
	srv := demeterrrtest.NewServer() // stands for an account; a real program calls demeterrr.NewFromEnv()
	defer srv.Close()
	client := srv.Client()
	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))

	srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Code: demeterrr.CodeInsufficientPermissions})
	_, err := client.Contacts.Create(context.Background(), &demeterrr.ContactParams{
		Email:     "jane.smith@example.com",
		FirstName: "Jane",
	})

	// Log the *Error itself: an error wrapped by fmt.Errorf is logged as text.
	var apiErr *demeterrr.Error
	if errors.As(err, &apiErr) {
		logger.Error("contact not created", "error", apiErr)
	}
	// Output: {"level":"ERROR","msg":"contact not created","error":{"method":"POST","path":"/contacts","status":403,"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","required_scope":"contacts:write","attempts":1}}
}
