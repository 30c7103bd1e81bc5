// Package bulk works on many contacts in few requests, on top of package
// demeterrr. Pick the function for your task:
//
//   - [Sync] brings an account in line with your data.
//   - [Execute] sends a sequence to any number of contacts, each once.
//   - [ExecuteOnce] answers an event that can arrive twice, such as a webhook.
//
// # Sync an account
//
// Sync creates the missing contacts and sends only the fields that differ. It
// never deletes.
//
//	customers := []demeterrr.ContactParams{
//		{Email: "jane.smith@example.com", FirstName: "Jane"},
//	}
//	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), nil)
//	if err != nil {
//		log.Print(err) // it stopped early; the report shows how far it came
//	}
//	fmt.Println(report.Created, report.Updated, len(report.Failed))
//
// Sync reads the account first, page by page or email by email. It picks the
// way with fewer requests. If an email appears twice in your data, the last row
// wins. With [SyncOptions].ManagedTags, Sync changes your own tags only and
// keeps all others.
//
// # Preview the changes
//
// A dry run only reads. Its plan lists the changes and their cost in requests.
//
//	options := &bulk.SyncOptions{DryRun: true}
//	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), options)
//	if err != nil {
//		return err
//	}
//	for change := range report.Plan.Changes() {
//		fmt.Println(change.Email, change.Requests)
//	}
//
// To see the plan of a real run, set [SyncOptions].Confirm. Sync calls it
// before the first write.
//
// # Send only new changes
//
// A [SyncState] remembers the content last sent for each contact. With it, the
// next Sync reads nothing, and sends one request for each contact that has
// changed in your data.
//
//	state, err := bulk.OpenSyncState("crm.state")
//	if err != nil {
//		return err
//	}
//	defer state.Close()
//	options := &bulk.SyncOptions{State: state}
//	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), options)
//
// Two more fields of [SyncOptions] need a state:
//
//   - Verify reads the account and repairs both, account and state. Use it from
//     time to time.
//   - ClearEmpty clears fields that have become empty in your data.
//
// # Send a sequence, each contact once
//
// Execute sends batches of 100. It claims each batch in a [Journal] just before
// the request. After a crash, run the same program again: it sends to the rest.
//
//	journal, err := bulk.OpenJournal("survey-2026-11.journal", sequenceID)
//	if err != nil {
//		return err
//	}
//	defer journal.Close()
//	options := &bulk.ExecuteOptions{Journal: journal}
//	report, err := bulk.Execute(ctx, client, sequenceID, guests, options)
//
// OpenJournal keeps the journal in a file, for one process at a time. Module
// sqlstore keeps it in a database, for any number of machines.
//
// # Follow the outcomes
//
// OnResult receives each contact's outcome as soon as it is known.
//
//	options.OnResult = func(r bulk.ExecuteResult) {
//		fmt.Println(r.Contact.Email, r.Outcome, r.ContactID)
//	}
//
// # Resolve unknown outcomes
//
// If a reply is lost, its contacts are Unknown: the sequence may have been
// sent. Look them up in the dashboard, under Sendings. Then forget the contacts
// without a sending, and the next Execute sends to them.
//
//	for _, entry := range journal.InDoubt() {
//		fmt.Println(entry.Email, entry.At)
//	}
//	err = journal.Forget("jane.smith@example.com")
//
// All other contacts stay in the journal, and Execute sends nothing to them.
//
// # Answer an event that can arrive twice
//
// ExecuteOnce sends to one contact, at most once for each event. Give each
// event its own journal, here a campaign of module sqlstore. The error decides
// the answer: 503 asks for another delivery.
//
//	order := store.Campaign("order-4711")
//	result, err := bulk.ExecuteOnce(ctx, client, sequenceID, guest, order, nil)
//	switch {
//	case err == nil:
//		fmt.Println(result.Status, result.Earlier)
//	case errors.Is(err, bulk.ErrInFlight), errors.Is(err, bulk.ErrNotSent):
//		w.WriteHeader(http.StatusServiceUnavailable) // deliver again later
//	default:
//		log.Print(err) // permanent, or possibly sent (ErrUnknownOutcome)
//	}
//
// # Stream the input
//
// The input yields pairs of a contact and an error. Yield a nil error with each
// contact. Yield your error to stop, for example when your source fails.
//
//	customers := func(yield func(demeterrr.ContactParams, error) bool) {
//		for rows.Next() {
//			var p demeterrr.ContactParams
//			err := rows.Scan(&p.Email, &p.FirstName)
//			if !yield(p, err) {
//				return
//			}
//		}
//		if err := rows.Err(); err != nil {
//			yield(demeterrr.ContactParams{}, err)
//		}
//	}
//
// For data in memory, use [Slice].
//
// # Read the report
//
// The report covers every contact of the input, and its numbers add up.
//
//	for _, failure := range report.Failed {
//		log.Print("row ", failure.Index, ": ", failure.Err)
//	}
//
// A failure changed nothing. The exception is an error that matches
// [demeterrr.ErrUnknownOutcome]: its write may have taken effect. Execute lists
// these contacts in Unknown, Sync in Failed. errors.As finds a
// [*demeterrr.Error] in every failure.
//
// If an operation stops early, NotTried has the input positions of the
// remaining contacts. The returned error is the reason.
package bulk
