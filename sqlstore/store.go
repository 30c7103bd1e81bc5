package sqlstore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// Store keeps journals and sync states in a database. Make one with [Open]. It
// is safe for concurrent use. The zero Store fails every call.
type Store struct {
	*database
	inFlight  time.Duration
	noEmails  bool
	secret    []byte
	unchecked bool
	owner     string
	mistakes  []error
}

const (
	defaultInFlight = 5 * time.Minute
	minSecret       = 16  // bytes
	maxName         = 200 // bytes of a campaign's name
	maxSequence     = 255 // bytes of a sequence's id
	maxToken        = 64  // bytes, the limit of bulk.Journal
	maxEmail        = 320 // bytes
	maxText         = 255 // runes, for the other texts
	maxBatch        = 100 // emails in one statement
)

// Option changes a Store made by [Open].
type Option func(*Store)

// WithInFlight sets how long a claim counts as live, on the database's clock.
// The default is 5 minutes. During that time, other processes get
// bulk.ErrInFlight for its contacts. An older claim is in doubt until you call
// [Campaign.Forget]. Make d longer than the time-out of an attempt, or an
// attempt in flight looks like doubt. Use the same d in every process.
//
// It is also the lease of a [SyncState]. A run renews its lease.
func WithInFlight(d time.Duration) Option {
	return func(s *Store) {
		if s.inFlight = d; d <= 0 {
			s.mistake("WithInFlight: %v is not positive; leave the option out for %v", d, defaultInFlight)
		}
	}
}

// WithoutEmails keeps readable emails out of the tables. The key remains: the
// SHA-256 of the email. [Campaign.InDoubt] then yields entries with an empty
// Email. To find a person, call [Campaign.Lookup] with the emails of your own
// list. Sync states are always without readable emails.
//
// A guessed email can still be compared with its hash. [WithSecret] prevents
// that.
func WithoutEmails() Option {
	return func(s *Store) { s.noEmails = true }
}

// WithSecret hashes emails with a secret, as an HMAC, and implies
// [WithoutEmails]. A guessed email can be tested only with the secret. The
// secret has at least 16 bytes.
//
// A campaign belongs to the secret of its first claim. With another secret, or
// without one, every method fails. Keep the secret: if it is lost, so is the
// record of who received the campaign. A sync state belongs to the secret of
// its first save.
func WithSecret(secret []byte) Option {
	return func(s *Store) {
		if len(secret) < minSecret {
			s.mistake("WithSecret: the secret has %d bytes; pass %d random bytes or more", len(secret), minSecret)
		}
		s.secret, s.noEmails = append([]byte(nil), secret...), true
	}
}

// WithoutSettingsCheck makes [Open] accept a database that may lose a commit,
// and a SQLite database in memory or without a busy time-out. After a crash of
// such a database, people can be sent to again.
func WithoutSettingsCheck() Option {
	return func(s *Store) { s.unchecked = true }
}

func (s *Store) mistake(format string, args ...any) {
	s.mistakes = append(s.mistakes, invalid(format, args...))
}

// Open returns a Store on the tables of [Migrate]. Close the pool db yourself,
// after the last use of the Store.
//
// Open fails if the tables are missing or of another version. It fails if the
// database is read-only: it tests a write in a transaction that it rolls back.
// It also fails if the settings can lose a commit:
//
//   - PostgreSQL: synchronous_commit or fsync is off.
//   - MySQL: innodb_flush_log_at_trx_commit is not 1, or a table is not InnoDB.
//   - SQLite: synchronous is below FULL, journal_mode is OFF or MEMORY, the
//     database is in memory, or busy_timeout is 0.
//
// [WithoutSettingsCheck] turns off the check of the settings.
func Open(ctx context.Context, db *sql.DB, dialect Dialect, opts ...Option) (*Store, error) {
	d, err := newDatabase(db, dialect)
	if err != nil {
		return nil, err
	}
	s := &Store{database: d, inFlight: defaultInFlight, owner: owner()}
	for i, opt := range opts {
		if opt == nil {
			s.mistake("option %d is nil; leave it out", i+1)
			continue
		}
		opt(s)
	}
	if err := errors.Join(s.mistakes...); err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		return nil, because("the database cannot be used", err)
	}
	return s, nil
}

func newDatabase(db *sql.DB, dialect Dialect) (*database, error) {
	if db == nil {
		return nil, invalid("the *sql.DB is nil; pass one from sql.Open")
	}
	s, ok := syntaxes[dialect]
	if !ok {
		return nil, invalid("unknown dialect %q; use PostgreSQL, MySQL or SQLite", string(dialect))
	}
	return &database{syntax: s, db: db, dialect: dialect}, nil
}

// owner names this process by host and process id, for people.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return clean(host + ":" + strconv.Itoa(os.Getpid()))
}

// clean returns a text that every database accepts, cut to maxText runes.
func clean(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	for i := range text {
		if i >= maxText { // each rune has at least a byte
			return text[:i]
		}
	}
	return text
}

// Campaign returns the journal of a campaign, such as "survey-2026-11" or
// "order-4711". It sends no query. The first claim creates the campaign and
// ties it to its sequence and to the secret of the Store.
//
// A campaign sends to each contact once. Use a new name for the next one. A
// name has 1 to 200 bytes of UTF-8, free of control characters, and of white
// space at its ends. Names are compared byte by byte. The methods of the
// Campaign fail with [demeterrr.ErrValidation] for a bad name.
func (s *Store) Campaign(name string) *Campaign { return &Campaign{store: s, name: name} }

// made returns an error for a Store that Open did not make.
func (s *Store) made() error {
	if s == nil || s.database == nil {
		return invalid("the store was not made by Open")
	}
	return nil
}

// hashed is an email with its key in the tables.
type hashed struct {
	email string // its bulk.EmailKey
	hash  [sha256.Size]byte
}

// hash returns the email's key in the tables.
func (s *Store) hash(email string) hashed {
	h := hashed{email: bulk.EmailKey(email)}
	if s.secret == nil {
		h.hash = sha256.Sum256([]byte(h.email))
		return h
	}
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(h.email))
	mac.Sum(h.hash[:0])
	return h
}

// secretCheck identifies the secret without revealing it. It is empty without a
// secret.
func (s *Store) secretCheck() []byte {
	if s.secret == nil {
		return []byte{}
	}
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("\x00demeterrr secret check")) // no email begins like this
	return mac.Sum(nil)
}

// checkEmail says what is wrong with an email; "" if it is valid.
func checkEmail(email string) string {
	switch {
	case email == "":
		return "is empty"
	case len(email) > maxEmail:
		return "is longer than " + strconv.Itoa(maxEmail) + " bytes"
	case !utf8.ValidString(email) || strings.ContainsRune(email, 0):
		return "is not valid text"
	}
	return ""
}
