// Package redislimit keeps the rate limit of an organization across a fleet.
// All processes that share a key in Redis stay within the limits together, in
// every interval.
//
// # Share the limits
//
//	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	limiter, err := redislimit.New(rdb, "acme", []demeterrr.Limit{
//		{Requests: 100, Window: time.Minute, Reserve: 20},
//		{Requests: 1000, Window: time.Hour, Reserve: 150},
//	})
//	if err != nil {
//		return err
//	}
//	client, err := demeterrr.NewFromEnv(demeterrr.WithLimiter(limiter))
//
// Use the same key, limits and options in every process. One round trip to
// Redis takes a place, on Redis's clock. A 429 with a retryAfter pauses the
// whole fleet.
//
// # Let batch jobs yield
//
//	ctx = demeterrr.LowPriority(ctx)
//
// A call of normal priority reserves the next place and sleeps until its
// moment. A call of low priority takes a place only if one is free, and leaves
// the Reserve of each limit to other calls. Sync and Execute of package bulk
// mark their own calls.
//
// # Put a job back
//
//	var late *redislimit.DeadlineError
//	if _, err := limiter.Acquire(ctx); errors.As(err, &late) {
//		fmt.Println("put the job back for", late.Wait)
//	}
//
// If the next place comes after the deadline of the context, Acquire fails at
// once. A call of the client then returns an error that matches
// [demeterrr.ErrRateLimited] and has a RetryAfter.
//
// # Choose a margin
//
//	limiter, err := redislimit.New(rdb, "acme", limits,
//		redislimit.WithMargin(3*time.Second))
//
// A place counts for its window and a margin of one second: 100 requests a
// minute become 100 in 61 seconds. Choose a margin that most requests stay
// within. See [WithMargin].
//
// # Prepare for failures of Redis
//
//	limiter, err := redislimit.New(rdb, "acme", limits,
//		redislimit.WithColdStartHold())
//
// While Redis is away, Acquire returns an error and nothing is sent. A Redis
// that lost its data lets at most one more limit's worth through.
// [WithColdStartHold] prevents that. The README of the module lists the
// promises and their cost.
package redislimit
