package demeterrr_test

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// withoutTime leaves the time out of a record, so that the output is the same each time.
func withoutTime(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attr
}

// Logging a failed call with slog: an *Error is written as a group of its fields.
// Neither the API key nor the contact that was to be sent is among them.
func Example_slog() {
	srv := demeterrrtest.NewServer() // stands for an account; with a real one: demeterrr.NewFromEnv()
	defer srv.Close()
	client := srv.Client()
	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))

	srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Code: demeterrr.CodeInsufficientPermissions})
	_, err := client.Contacts.Create(context.Background(), &demeterrr.ContactParams{
		Email:     "jane.smith@example.com",
		FirstName: "Jane",
	})

	// Log the *Error itself: slog would write one that fmt.Errorf has wrapped as a text.
	var apiErr *demeterrr.Error
	if errors.As(err, &apiErr) {
		logger.Error("contact not created", "error", apiErr)
	}
	// Output: {"level":"ERROR","msg":"contact not created","error":{"method":"POST","path":"/contacts","status":403,"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","required_scope":"contacts:write","attempts":1}}
}
