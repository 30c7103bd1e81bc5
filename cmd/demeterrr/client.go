package main

import (
	"fmt"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// limits returns the request limits of the program.
func (a *app) limits() []demeterrr.Limit {
	return []demeterrr.Limit{{Requests: a.perMinute, Window: time.Minute}, {Requests: a.perHour, Window: time.Hour}}
}

// client returns a client for the account in the environment.
func (a *app) client(options ...demeterrr.Option) (*demeterrr.Client, error) {
	client, err := demeterrr.NewFromEnv(append([]demeterrr.Option{
		demeterrr.WithAppInfo("demeterrr-program", demeterrr.Version),
		demeterrr.WithLimiter(demeterrr.NewPacer(a.limits()...)),
	}, options...)...)
	if err != nil {
		return nil, usage(err)
	}
	return client, nil
}

// tellWaits reports waits over two seconds on standard error.
func (a *app) tellWaits() demeterrr.CallOption {
	return demeterrr.WithOnWait(func(w demeterrr.WaitStart) {
		if time.Until(w.Until) > 2*time.Second {
			fmt.Fprintln(a.errs, waiting(w.Reason, w.Until))
		}
	})
}

// waiting describes a wait and its end in local time.
func waiting(reason demeterrr.WaitReason, until time.Time) string {
	text := "waiting for the quota"
	if reason == demeterrr.WaitReasonBackoff {
		text = "waiting to retry"
	}
	if until.IsZero() {
		return text
	}
	return text + " until " + until.Local().Add(time.Minute-1).Format("15:04") // rounded up to the minute
}
