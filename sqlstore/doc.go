// Package sqlstore keeps journals and sync states of package bulk in PostgreSQL,
// MySQL, MariaDB or SQLite. Any number of processes and machines send to each
// contact once, and sync an account for the price of what changed.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
//	err = sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL)
//	store, err := sqlstore.Open(ctx, db, sqlstore.PostgreSQL)
//	report, err := bulk.Execute(ctx, client, sequenceID, guests, &bulk.ExecuteOptions{Journal: store.Campaign("survey-2026-11")})
//
// It works through database/sql, with the driver of your choice. It imports none.
//
// # Campaigns
//
// A campaign sends one sequence, and to each contact once. A survey of a month is
// a campaign. For events, such as orders, visits and tickets, each event is one.
// The first claim creates the campaign and ties it to its sequence.
//
// # Doubt
//
// A process that dies between a claim and its outcome leaves entries in doubt:
// these people may have been messaged. Nobody sends to them until a person has
// looked and calls [Campaign.Forget]. [Store.InDoubt] lists them for all campaigns.
//
// # Sync
//
// A [SyncState] remembers what Sync sent, so that the next Sync sends the
// difference. One run has it at a time, by a lease. A killed run's lease expires
// after 5 minutes.
//
//	report, err := bulk.Sync(ctx, client, customers, &bulk.SyncOptions{State: store.SyncState("crm")})
//
// # Promises
//
// The README of the module says what holds in a failover, after a backup is
// restored, and when clocks are wrong. It says which personal data is kept, and
// how to erase it.
package sqlstore
