// Package demeterrr is the official Go client of the demeterrr
// customer-feedback API. It manages contacts and sends survey sequences.
//
// Sequences.Execute repeats a request after a 500 INTERNAL_ERROR, because the
// API documents it. People may then get the survey twice. [WithAtMostOnce]
// prevents it for one call, [RetryPolicy].AtMostOnce for every call of a client.
//
// # Make a client
//
//	client, err := demeterrr.NewFromEnv() // DEMETERRR_API_KEY
//	if err != nil {
//		return err
//	}
//
// Make one client for the whole program and share it. It is safe for concurrent
// use. [New] takes the key as an argument. Options such as [WithTimeout] and
// [WithLogger] change the defaults.
//
// # Save a contact
//
//	params := &demeterrr.ContactParams{
//		Email:     "jane.smith@example.com",
//		FirstName: "Jane",
//	}
//	contact, outcome, err := client.Contacts.Upsert(ctx, params)
//	if err != nil {
//		return err
//	}
//	fmt.Println(contact.ID, outcome) // created, updated or unchanged
//
// Upsert creates the contact, or updates the one with this email. Use Create to
// fail with [ErrContactExists] instead. Update sends only fields that are set:
//
//	update := &demeterrr.ContactUpdate{
//		LastName: demeterrr.Set("Doe-Smith"),
//		Title:    demeterrr.Null[string](), // clear it
//	}
//	contact, err := client.Contacts.Update(ctx, contactID, update)
//
// # Read contacts
//
//	contact, err := client.Contacts.FindByEmail(ctx, "john.doe@example.com")
//	if errors.Is(err, demeterrr.ErrNotFound) {
//		return nil
//	}
//
// FindByEmail and Get read one contact, List reads a page. All reads every page
// as the loop goes on:
//
//	for contact, err := range client.Contacts.All(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(contact.Email)
//	}
//
// # Send a sequence
//
//	params := &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{
//		{Email: "customer1@example.com", FirstName: "Alice"},
//	}}
//	execution, err := client.Sequences.Execute(ctx, sequenceID, params,
//		demeterrr.WithAtMostOnce())
//	if errors.Is(err, demeterrr.ErrUnknownOutcome) {
//		log.Print("look under Sendings in the dashboard before you send again")
//	}
//	if err != nil {
//		return err
//	}
//	fmt.Println(execution.SendingsCreated)
//
// One Execute takes 1 to 100 contacts. Sequences.All lists the sequences with
// their ids.
//
// # Handle errors
//
//	var apiErr *demeterrr.Error
//	switch {
//	case errors.Is(err, demeterrr.ErrValidation):
//		log.Print(err) // fix the input
//	case errors.As(err, &apiErr) && apiErr.Retryable():
//		time.Sleep(apiErr.RetryAfter) // or let a queue redeliver
//	}
//
// Every failed call returns an [*Error]. Ask for the cause with errors.Is.
// [ErrContactExists], [ErrRateLimited] and [ErrValidation] match the API's
// code, [ErrConflict] and [ErrServer] the HTTP status. Invalid input fails
// before anything is sent, with the error the server would have returned.
// Error.Attempts is then 0.
//
// [ErrUnknownOutcome] matches a failed write that may have taken effect. Any
// other failed call has changed nothing.
//
// # Retry failed calls
//
//	policy := demeterrr.DefaultRetryPolicy()
//	policy.MaxRetries = 5
//	client, err := demeterrr.NewFromEnv(demeterrr.WithRetryPolicy(policy))
//
// The client retries a call when the API asks for it or when a repeat is
// harmless:
//
//	reply                              GET PATCH DELETE, Execute,
//	                                   POST /contacts    other POST, PUT
//	429                                retry             retry
//	500 with the API's INTERNAL_ERROR  retry             retry unless AtMostOnce
//	408, 425, any other 5xx but 501    retry             error, outcome unknown
//	no connection was made             retry             retry
//	certificate error                  error             error
//	reply lost, cut or unreadable      retry             error, outcome unknown
//	2xx with the API's own error       error             error, outcome unknown
//	anything else                      error             error
//
// A 2xx with the API's own error leaves the outcome of every write unknown.
// With AtMostOnce, the client retries only after a 429 or a failed connection.
//
// Waits double from 1 second to 30 seconds, plus up to 25 % random jitter. A
// retryAfter of the API is always honored. A 429 with a retryAfter pauses every
// call of the client. [RetryPolicy] has the limits and the worst case. Give the
// context a deadline to bound a call. A wait that would outlast the deadline is
// skipped, and the call fails at once.
//
// # Stay within the quota
//
//	pacer := demeterrr.NewPacer(
//		demeterrr.Limit{Requests: 100, Window: time.Minute, Reserve: 20},
//		demeterrr.Limit{Requests: 1000, Window: time.Hour, Reserve: 150},
//	)
//	client, err := demeterrr.NewFromEnv(demeterrr.WithLimiter(pacer))
//
// All keys and programs of an organization share one rate limit. Every attempt
// asks the [Limiter] first. A [Pacer] keeps one process within the limits, and
// module redislimit a whole fleet. Mark batch jobs with [LowPriority]: they
// yield to other calls and leave them the Reserve. [Client.RateLimit] returns
// the most recently reported quota.
//
// # Sync many contacts
//
//	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), nil)
//	if err != nil {
//		return err
//	}
//	fmt.Println(report.Created, report.Updated)
//
// Package bulk syncs any number of contacts in few requests. Its Execute and
// ExecuteOnce send a sequence to each contact once, across runs and crashes.
//
// # Call other endpoints
//
//	type Survey struct {
//		ID string `json:"id"`
//	}
//	surveys := demeterrr.FetchAll[Survey](ctx, client, "/surveys", nil)
//	for survey, err := range surveys {
//		if err != nil {
//			return err
//		}
//		fmt.Println(survey.ID)
//	}
//
// [FetchAll] reads a list and [Fetch] an object, such as surveys, responses and
// reviews, into a type of yours. [Client.Do] is for replies without a body or
// outside the API's envelope.
//
// # Log and trace calls
//
//	client, err := demeterrr.NewFromEnv(demeterrr.WithLogger(slog.Default()))
//
// [WithLogger] logs attempts, retries and long waits. A [Tracer] given with
// [WithTracer] follows each call with its attempts and waits, for traces and
// metrics. It receives durations, statuses, codes and the quota. Ids and emails
// stay out. [Client.TraceOperation] groups the calls of your own code.
//
// # Test your code
//
//	srv := demeterrrtest.NewServer()
//	defer srv.Close()
//	client := srv.Client()
//
// Package demeterrrtest is a fake demeterrr in the process of the test. It has
// contacts, sequences, the documented errors, and faults on demand.
package demeterrr
