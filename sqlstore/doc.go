// Package sqlstore keeps the journals and sync states of package bulk in
// PostgreSQL, MySQL, MariaDB or SQLite. Any number of processes and machines
// share them, with SQLite the processes of one machine: each contact is sent to
// once, and a sync sends only the changes.
//
// # Open a store
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
//	if err != nil {
//		return err
//	}
//	if err := sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL); err != nil {
//		return err
//	}
//	store, err := sqlstore.Open(ctx, db, sqlstore.PostgreSQL)
//
// The package works through database/sql with a driver of your choice, and
// imports no driver itself. Migrate is safe at every start of every replica. To
// use a migration tool, pass it the files of [Schema]. Open checks that the
// database keeps its commits through a crash.
//
// # Send a sequence once to each contact
//
//	report, err := bulk.Execute(ctx, client, sequenceID, guests, &bulk.ExecuteOptions{
//		Journal: store.Campaign("survey-2026-11"),
//	})
//
// Run this in any number of processes with the same list: they share the work,
// and each contact is sent to once. A campaign belongs to one sequence. Use a
// new name for each survey.
//
// # Send once for each event
//
//	campaign := store.Campaign("order-4711")
//	result, err := bulk.ExecuteOnce(ctx, client, sequenceID, guest, campaign, nil)
//
// Give each order, visit or ticket its own campaign. The event can then be
// delivered any number of times.
//
// # Resolve doubt
//
//	for entry, err := range store.InDoubt(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(entry.Campaign, entry.Email, entry.At)
//	}
//
// A process that dies between a claim and its outcome leaves entries in doubt,
// and so does a lost reply. These people may have been messaged. They are left
// alone until you look them up under Sendings in the dashboard and forget those
// without a sending:
//
//	err := store.Campaign("survey-2026-11").Forget(ctx, "jane.smith@example.com")
//
// # Sync the changes
//
//	report, err := bulk.Sync(ctx, client, customers, &bulk.SyncOptions{
//		State: store.SyncState("crm"),
//	})
//
// A [SyncState] remembers what Sync sent, and the next Sync sends the
// difference. One run leases it at a time. The lease of a killed run expires
// after 5 minutes; see [WithInFlight].
//
// # Answer and erase people
//
//	entries, err := store.Lookup(ctx, "jane.smith@example.com")
//	if err != nil {
//		return err
//	}
//	fmt.Println(len(entries), "entries")
//	changed, err := store.Redact(ctx, "jane.smith@example.com")
//
// Redact keeps the hash of the email, so the person stays protected from a
// second sending. RedactBefore redacts all done entries of a certain age.
// [WithoutEmails] and [WithSecret] keep readable emails out of the tables.
//
// The README of the module tells what holds in a failover, after a restored
// backup and with wrong clocks. It lists the personal data in each table.
package sqlstore
