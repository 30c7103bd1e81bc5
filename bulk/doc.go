// Package bulk works on many contacts in few requests, on top of package
// demeterrr. Use [Sync] to bring an account to your data, and [Execute] to send a
// sequence to any number of people, each once. Use [ExecuteOnce] for an event that
// can arrive twice, such as a webhook.
//
// # Sync an account
//
// Sync reads the account by the cheaper way, creates missing contacts and sends
// only fields that differ. It never deletes.
//
//	customers := []demeterrr.ContactParams{
//		{Email: "jane.smith@example.com", FirstName: "Jane"},
//	}
//	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), nil)
//	if err != nil {
//		log.Print(err) // it stopped early; the report tells how far it came
//	}
//	fmt.Println(report.Created, report.Updated, len(report.Failed))
//
// # Look before you write
//
// A dry run only reads. Its plan has the changes, and their cost in requests.
//
//	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), &bulk.SyncOptions{DryRun: true})
//	for change := range report.Plan.Changes() {
//		fmt.Println(change.Email)
//	}
//
// [SyncOptions].Confirm shows the same plan in a real run, before the first write.
//
// # Send only what has changed since
//
// A [SyncState] remembers what was sent. The next Sync reads nothing, and sends
// one request for each contact that has changed in your data.
//
//	state, err := bulk.OpenSyncState("crm.state")
//	if err != nil {
//		return err
//	}
//	defer state.Close()
//	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), &bulk.SyncOptions{State: state})
//
// Run with Verify from time to time. It reads the account, and repairs account and
// state. ClearEmpty clears fields that have become empty in your data. ManagedTags
// keeps the tags that others have set.
//
// # Send a sequence, to nobody twice
//
// Execute sends batches of 100. It claims each batch in a [Journal] before it is
// sent. Run the same program again after a crash: it sends to the others only.
//
//	journal, err := bulk.OpenJournal("survey-2026-11.journal", sequenceID)
//	if err != nil {
//		return err
//	}
//	defer journal.Close()
//	report, err := bulk.Execute(ctx, client, sequenceID, guests, &bulk.ExecuteOptions{Journal: journal})
//
// A lost reply leaves its contacts Unknown. Look them up under Sendings in the
// dashboard, and forget those that were not sent to.
//
//	for _, entry := range journal.InDoubt() {
//		fmt.Println(entry.Email, entry.At)
//	}
//	err = journal.Forget("jane.smith@example.com")
//
// The others stay in the list, and nobody sends to them again.
//
// Processes on several machines share a journal in a database: see module sqlstore.
// OnResult tells each contact's outcome as soon as it is known.
//
//	options := &bulk.ExecuteOptions{Journal: journal, OnResult: func(r bulk.ExecuteResult) {
//		fmt.Println(r.Contact.Email, r.Outcome, r.ContactID)
//	}}
//
// # Answer an event that can arrive twice
//
// ExecuteOnce sends to one contact. Each event has a journal of its own, here a
// campaign of module sqlstore. An error tells whether the event shall come again.
//
//	result, err := bulk.ExecuteOnce(ctx, client, sequenceID, guest, store.Campaign("order-4711"), nil)
//	switch {
//	case err == nil:
//		fmt.Println(result.Status, result.Earlier)
//	case errors.Is(err, bulk.ErrInFlight), errors.Is(err, bulk.ErrNotSent):
//		w.WriteHeader(http.StatusServiceUnavailable) // let it come again
//	default:
//		log.Print(err) // may have been sent (ErrUnknownOutcome), or can never be
//	}
//
// # Stream the input
//
// The input is a sequence of contacts, each with a nil error. Yield an error if
// your source fails: it stops the operation.
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
// # Read the report
//
// Every contact of the input is in the report, and the parts add up. A failure
// changed nothing, unless its error matches [demeterrr.ErrUnknownOutcome]: Execute
// lists these as Unknown, Sync among Failed. errors.As finds a [*demeterrr.Error] in
// each. NotTried has the places of contacts whose turn did not come. The returned
// error is the reason.
//
//	for _, failure := range report.Failed {
//		log.Print("row ", failure.Index, ": ", failure.Err)
//	}
package bulk
