// Package demeterrrtest is a fake demeterrr for tests. Its API server runs in
// memory, keeps contacts and sequences, and records each survey that it would
// send.
//
// # Start a server
//
// Three lines give a test a working client.
//
//	srv := demeterrrtest.NewServer()
//	defer srv.Close()
//	client := srv.Client() // a *demeterrr.Client without port, network or key
//
// Pass that client to the code under test. It also works inside a
// testing/synctest bubble, where waits take no time: [Server.Client] and
// [Server.Transport] start no goroutine and read the time from package time
// only.
//
// # Add data
//
// A server starts empty. Empty fields get default values, such as an ID.
//
//	jane := srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com"})
//	welcome := srv.AddSequence(demeterrr.Sequence{Name: "Welcome"})
//	srv.AddObjects("/surveys", map[string]any{"id": "s1"}) // another endpoint
//	key := srv.AddKey("contacts:read")                     // with one scope
//
// [Server.Seed] reads contacts and sequences from JSON.
//
// # Check the results
//
// The server keeps the requests it received and the surveys it would have sent.
//
//	if emails := srv.SentTwice(); len(emails) > 0 {
//		t.Error("messaged twice:", emails)
//	}
//	for _, sending := range srv.Sendings() {
//		t.Log(sending.Email, sending.SequenceID)
//	}
//	t.Log(len(srv.Requests()), "requests", len(srv.Contacts()), "contacts")
//
// # Inject faults
//
// A [Fault] makes requests fail: with a status, a lost reply or a delay.
//
//	srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute})
//	srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Status: 500})
//	srv.Inject(demeterrrtest.Fault{
//		Route: "/sequences/{id}/execute",
//		Drop:  demeterrrtest.DropAfter, // sent, but the reply is lost
//	})
//
// # Set rate limits
//
// By default the server has no rate limits.
//
//	hour := demeterrrtest.Limit{Requests: 1000, Window: time.Hour}
//	limits := demeterrrtest.WithRateLimits(demeterrrtest.FixedWindow, hour)
//	srv := demeterrrtest.NewServer(limits)
//
// # Serve other programs
//
// [Server.URL] opens a port on the loopback interface. [Server.Handler] works
// in any HTTP server.
//
//	cmd.Env = append(cmd.Environ(),
//		"DEMETERRR_BASE_URL="+srv.URL(), "DEMETERRR_API_KEY="+srv.APIKey())
//
// # Test with a journal
//
// [NewJournal] keeps a [bulk.Journal] in memory. [Journal.Process] returns it
// as another process sees it, and [Journal.Close] simulates a crash.
//
//	journal := demeterrrtest.NewJournal()
//	options := &bulk.ExecuteOptions{Journal: journal}
//	report, err := bulk.Execute(ctx, client, sequenceID, guests, options)
//	if err != nil {
//		t.Fatal(err)
//	}
//	t.Log(report.Sent, journal.Entries(sequenceID))
//
// # Test your own journal
//
// [TestJournal] runs the conformance test of a journal, such as one in a
// database.
//
//	demeterrrtest.TestJournal(t, func(t *testing.T, sequenceID string) bulk.Journal {
//		return openJournal(t, sequenceID)
//	})
//
// # Order of checks
//
// Each request passes these checks in order: the fault injected for its route,
// the key, the rate limits, the route, the scope of the key, the query, the
// body. Then it reaches the data.
//
// # Where the API documentation is open
//
// The fake settles open questions as follows, and strictly in case of doubt:
//
//   - A body has Content-Type application/json and is one object with
//     documented members only. The details of a VALIDATION_ERROR are a list of
//     {"field": …, "message": …}.
//   - A query has documented names only, each once and with a value.
//   - POST refuses null. PATCH accepts null for a whole field and clears it,
//     which is undocumented.
//   - Custom fields are strings, numbers or booleans. Null for customFields
//     clears all of them. Null for one key is refused.
//   - PATCH refuses locationId and contactOrganizationId.
//   - Emails are unique and looked up ignoring case. A 409 leaves out the
//     contact that has the email.
//   - An unknown path, or a wrong method for a path, is 404 NOT_FOUND.
//   - Lists are in the order of creation. An empty list has totalPages 0.
//     perPage is the limit after the cap of 100.
//
// Execute skips unsubscribed contacts and contacts whose email is not an
// address. Their result has the status "skipped", and nothing is sent. If all
// emails of a batch are invalid, the batch is refused with VALIDATION_ERROR. An
// unsubscribed contact counts as valid here.
//
// Executing twice sends twice, and so does naming a contact twice: the
// documentation promises nothing else.
package demeterrrtest
