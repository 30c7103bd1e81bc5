package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// SyncState is a [bulk.SyncState] for jobs on any machine. Make one with
// [Store.SyncState]. It is safe for concurrent use. One run has it at a time:
// the others get bulk.ErrStateInUse.
type SyncState struct {
	store *Store
	name  string

	mu  sync.Mutex
	run *stateRun // the run of this process that has the state; nil if none
}

var _ bulk.SyncState = (*SyncState)(nil)

// stateRun is a run that has acquired a state.
type stateRun struct {
	token   string // of its lease
	address string
	lost    error // set when another run has taken the state; under the state's mu
}

const (
	maxStateAddress = 2000 // bytes
	minRenewal      = 20 * time.Millisecond
	releaseLimit    = 5 * time.Second // for releasing a lease
)

// SyncState returns the memory of Sync for a source of contacts, such as "crm".
// It sends no query. Use one for each source and account. Names follow the
// rules of [Store.Campaign]. A campaign may have the same name.
//
// A run leases the state for 5 minutes, or the time of [WithInFlight], on the
// database's clock. It renews the lease while it runs. The lease of a killed
// run expires, and the next run takes the state. A run that was suspended for
// longer than its lease can lose the state, and then fails with
// bulk.ErrStateInUse.
//
// The first save ties the state to the address of the API and to the secret of
// the Store. The state keeps hashes in place of emails, contact ids, and the
// names of fields. [Store.Redact] removes people from it. [Store.Prune] and
// [Store.RedactBefore] leave it unchanged.
//
// A lost entry costs requests. An old copy costs more: after you restore a
// backup, run Sync with Verify.
func (s *Store) SyncState(name string) *SyncState { return &SyncState{store: s, name: name} }

// Name returns the name of the state.
func (s *SyncState) Name() string { return s.name }

// usable returns an error for a bad name, and for a state made without a Store.
func (s *SyncState) usable() error {
	if s == nil {
		return invalid("the sync state is nil; use Store.SyncState")
	}
	if err := s.store.made(); err != nil {
		return err
	}
	return checkName("sync state", s.name)
}

// failed adds the state's name to err; nil stays nil.
func (s *SyncState) failed(err error) error {
	if err == nil {
		return nil
	}
	return because(fmt.Sprintf("sync state %q", s.name), err)
}

// Acquire leases the state for one run, and renews the lease in the background
// until release is called. It retries like [Campaign.Claim].
//
// The error matches bulk.ErrStateInUse if another run has the state, and
// bulk.ErrStateMismatch if the state belongs to another address. Acquire also
// fails if the state belongs to another secret.
func (s *SyncState) Acquire(ctx context.Context, address string) (release func(), err error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	if n := len(address); n == 0 || n > maxStateAddress || !printable(address) {
		return nil, invalid("sync state %q: the address has %d bytes; pass the base URL of the API", s.name, n)
	}
	run := &stateRun{token: rand.Text(), address: address}
	s.mu.Lock()
	taken := s.run != nil
	if !taken {
		s.run = run
	}
	s.mu.Unlock()
	if taken {
		return nil, s.failed(fmt.Errorf("%w: this process has it", bulk.ErrStateInUse))
	}
	leased := false
	err = s.store.transact(ctx, func(ctx context.Context, q queryer) error {
		leased = false
		if err := s.lease(ctx, q, run); err != nil {
			return err
		}
		leased = true
		return nil
	})
	if err != nil {
		if leased { // its COMMIT may have succeeded
			s.giveBack(ctx, run)
		}
		s.leave()
		return nil, s.failed(err)
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var renewer sync.WaitGroup
	renewer.Go(func() { s.renew(renewing, run) })
	return sync.OnceFunc(func() {
		stop()
		renewer.Wait()
		s.giveBack(renewing, run)
		s.leave()
	}), nil
}

// leave makes the state available to this process again.
func (s *SyncState) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run = nil
}

// lease takes the row of a free state. It fails if the row belongs to another
// account or to another run. If two runs meet here, one waits for the
// transaction of the other.
func (s *SyncState) lease(ctx context.Context, q queryer, run *stateRun) error {
	st := s.store
	_, err := q.ExecContext(ctx, st.sql("INSERT INTO demeterrr_sync_states (state, address, secret_check, token, owner) VALUES (?, '', ?, '', '') "+
		st.upsert("state", "state")), st.bytes(s.name), []byte{}) // locks the row
	if err != nil {
		return err
	}
	err = each(ctx, q, st.sql("SELECT address, secret_check, token, owner, MICROS(expires_at), MICROS(NOW) FROM demeterrr_sync_states WHERE state = ?"),
		[]any{st.bytes(s.name)}, func(rows *sql.Rows) error {
			var (
				address, token, owner string
				secretCheck           []byte
				expires, now          dbTime
			)
			if err := rows.Scan(&address, &secretCheck, &token, &owner, &expires, &now); err != nil {
				return err
			}
			switch {
			case token != "" && token != run.token && expires.After(now.Time):
				return fmt.Errorf("%w: %s has it until %s, and longer while it runs", bulk.ErrStateInUse, owner, expires.Format(time.RFC3339))
			case address == "": // nothing was saved yet
				return nil
			case address != run.address:
				return fmt.Errorf("%w: its address is %s, the client's is %s", bulk.ErrStateMismatch, address, run.address)
			}
			return st.sameSecret("sync state", s.name, secretCheck)
		})
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, st.sql("UPDATE demeterrr_sync_states SET token = ?, owner = ?, expires_at = NOW_PLUS WHERE state = ?"),
		st.bytes(run.token), st.owner, st.inFlight.Microseconds(), st.bytes(s.name))
	return err
}

// renew renews the lease three times within its length, until ctx ends or
// another run has the state.
func (s *SyncState) renew(ctx context.Context, run *stateRun) {
	ticker := time.NewTicker(max(s.store.inFlight/3, minRenewal))
	defer ticker.Stop()
	for s.lostBy(run) == nil {
		select {
		case <-ticker.C:
			_ = s.store.transact(ctx, func(ctx context.Context, q queryer) error { return s.hold(ctx, q, run, "") })
		case <-ctx.Done():
			return
		}
	}
}

// hold renews the lease, and locks the state against other runs until the
// transaction ends. It fails if another run has the state.
func (s *SyncState) hold(ctx context.Context, q queryer, run *stateRun, set string, args ...any) error {
	st := s.store
	args = append(args, st.inFlight.Microseconds(), st.bytes(s.name), st.bytes(run.token))
	result, err := q.ExecContext(ctx, st.sql("UPDATE demeterrr_sync_states SET "+set+"expires_at = NOW_PLUS WHERE state = ? AND token = ?"), args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	token, lost := "", error(invalid("sync state %q was deleted during the run; run Sync again", s.name))
	err = each(ctx, q, st.sql("SELECT token, owner FROM demeterrr_sync_states WHERE state = ?"), []any{st.bytes(s.name)}, func(rows *sql.Rows) error {
		var owner string
		err := rows.Scan(&token, &owner)
		if owner == "" { // that run has released the state since
			owner = "another run"
		}
		lost = fmt.Errorf("%w: %s took it, because this run had not renewed its lease for %v", bulk.ErrStateInUse, owner, st.inFlight)
		return err
	})
	if err != nil || token == run.token { // MySQL skips rows that keep their values in its count
		return err
	}
	return s.lose(run, lost)
}

// lose records that a run has lost its state.
func (s *SyncState) lose(run *stateRun, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	run.lost = err
	return err
}

func (s *SyncState) lostBy(run *stateRun) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return run.lost
}

// giveBack ends a lease. If that fails, the lease expires.
func (s *SyncState) giveBack(ctx context.Context, run *stateRun) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	_ = s.store.transact(ctx, func(ctx context.Context, q queryer) error {
		_, err := q.ExecContext(ctx, s.store.sql("UPDATE demeterrr_sync_states SET token = '', owner = '', expires_at = NULL WHERE state = ? AND token = ?"),
			s.store.bytes(s.name), s.store.bytes(run.token))
		return err
	})
}

// current returns the run of this process that has the state.
func (s *SyncState) current() (*stateRun, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return nil, invalid("sync state %q was not acquired; pass it to Sync, or call Acquire first", s.name)
	}
	return s.run, s.failed(s.run.lost)
}
