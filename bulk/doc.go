// Package bulk works on many contacts in few requests, on top of package
// demeterrr. Use [Sync] to bring an account to your data, and [Execute] to send a
// sequence to any number of people, each once.
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
//	for _, change := range report.Plan.Changes {
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
// Processes on several machines share a journal in a database. Each contact gets
// its outcome as soon as it is known.
//
//	options := &bulk.ExecuteOptions{Journal: journal, OnResult: func(r bulk.ExecuteResult) {
//		fmt.Println(r.Contact.Email, r.Outcome, r.ContactID)
//	}}
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
// Every contact of the input is in the report, and the parts add up. NotTried
// contacts are those that Sync did not come to, and its error is the reason. A failure
// changed nothing, unless its error matches [demeterrr.ErrUnknownOutcome].
// errors.As finds a [*demeterrr.Error] in each. What was not tried is listed by its
// place: the returned error is the reason.
//
//	for _, failure := range report.Failed {
//		log.Print("row ", failure.Index, ": ", failure.Err)
//	}
package bulk
