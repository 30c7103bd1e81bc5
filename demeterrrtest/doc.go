// Package demeterrrtest is a fake demeterrr for tests: an API server in memory
// that keeps contacts and sequences, and remembers what would have been sent to
// whom. A test needs three lines to have a client that works:
//
//	srv := demeterrrtest.NewServer()
//	defer srv.Close()
//	client := srv.Client() // a *demeterrr.Client; no port, no network, no key of your own
//
// Give that client to the code under test, then look at what the server was
// asked ([Server.Requests]), what it has now ([Server.Contacts]) and whom it
// would have written to ([Server.Sendings], [Server.SentTwice]). Make it fail
// with [Server.Inject]; give it quotas with [WithRateLimits]. [Server.AddObjects]
// plays lists of other endpoints, such as /surveys.
//
// [Server.Client] and [Server.Transport] start no goroutine and read the time
// from package time only, so they work inside a testing/synctest bubble, where
// waits cost nothing. [Server.URL] opens a port on the loopback interface for
// programs that need one, and [Server.Handler] can be served anywhere.
//
// # Journals
//
// [NewJournal] keeps a [bulk.Journal] in memory, for tests of programs that send to
// each contact once. [Journal.Process] plays another process on the same memory,
// and [Journal.Close] its crash:
//
//	journal := demeterrrtest.NewJournal()
//	report, err := bulk.Execute(ctx, client, sequenceID, guests, &bulk.ExecuteOptions{Journal: journal})
//	fmt.Println(journal.Entries(sequenceID))
//
// [TestJournal] tests a journal of your own, such as one in a database.
//
// # What it checks, and in which order
//
// A request passes: the fault injected for its route, the key, the rate windows,
// the route, the key's scope, the query, the body, and only then reaches the data.
// Where the API's documentation is unclear, the fake is stricter, never kinder:
//
//   - a body has Content-Type application/json, is one object, and has no member that is not documented;
//     the details of a VALIDATION_ERROR are a list of {"field": …, "message": …};
//   - a query has no name that is not documented, none twice and none empty;
//   - POST refuses null; PATCH takes it for a whole field and clears that field, which the API does not document;
//   - custom fields are strings, numbers or booleans: null for customFields clears all of them, null for one key is refused;
//   - PATCH does not take locationId and contactOrganizationId;
//   - emails are unique and are looked up ignoring case; a 409 does not name the contact that is in the way;
//   - an unknown path, or a method that a path does not have, is 404 NOT_FOUND;
//   - lists are in the order of creation; an empty list has totalPages 0; perPage is the limit after the cap of 100.
//
// Execute skips contacts whose email is no address, and unsubscribed ones: their
// result has the status "skipped", and no sending is made. A batch in which no
// contact is valid (an unsubscribed one is) is refused with VALIDATION_ERROR. Executing twice sends twice,
// and so does naming one contact twice, because nothing documents otherwise.
package demeterrrtest
