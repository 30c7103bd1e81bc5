package main

import (
	"fmt"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// limits are the quota that the program keeps to.
func (a *app) limits() []demeterrr.Limit {
	return []demeterrr.Limit{{Requests: a.perMinute, Window: time.Minute}, {Requests: a.perHour, Window: time.Hour}}
}

// client returns a client of the account that the environment names.
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

// tellWaits tells on standard error what a call waits for, if it takes long.
func (a *app) tellWaits() demeterrr.CallOption {
	return demeterrr.WithOnWait(func(w demeterrr.WaitStart) {
		if time.Until(w.Until) > 2*time.Second {
			fmt.Fprintln(a.errs, waiting(w.Reason, w.Until))
		}
	})
}

// waiting says what is waited for, and until when by the local clock.
func waiting(reason demeterrr.WaitReason, until time.Time) string {
	text := "waiting for the quota"
	if reason == demeterrr.WaitReasonBackoff {
		text = "waiting to try again"
	}
	if until.IsZero() {
		return text
	}
	return text + " until " + until.Local().Add(time.Minute-1).Format("15:04") // the minute in which it is over
}
