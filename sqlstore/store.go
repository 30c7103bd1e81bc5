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

// Store keeps journals and sync states in a database. It is safe for concurrent
// use, as its [sql.DB] is. Make one with [Open]. The zero Store cannot be used.
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
	maxToken        = 64  // bytes, as bulk.Journal says
	maxEmail        = 320 // bytes
	maxText         = 255 // runes of the other texts
	maxBatch        = 100 // emails in one statement
)

// Option changes a Store made by [Open].
type Option func(*Store)

// WithInFlight sets how long a claim counts as live, by the database's clock. The
// default is 5 minutes. For that time bulk.ErrInFlight is the answer to everybody
// else. A claim that is older is in doubt, until a person calls
// [Campaign.Forget]. Make it longer than the time limit of an attempt, or an
// attempt under way looks like doubt. Pass the same to every process.
//
// The lease of a [SyncState] lasts as long, unless its run renews it.
func WithInFlight(d time.Duration) Option {
	return func(s *Store) {
		if s.inFlight = d; d <= 0 {
			s.mistake("WithInFlight: %v is not positive; leave the option out for %v", d, defaultInFlight)
		}
	}
}

// WithoutEmails leaves the readable email out of the tables. The key remains: the
// SHA-256 of the email. [Campaign.InDoubt] then yields entries without an Email.
// To find a person, ask [Campaign.Lookup] with the emails of your own list. A sync
// state never has the readable email.
//
// Whoever can guess an email can compare its hash. Use [WithSecret] against that.
func WithoutEmails() Option {
	return func(s *Store) { s.noEmails = true }
}

// WithSecret keys the hash of the emails, as an HMAC, and leaves the readable
// email out as [WithoutEmails] does. Without the secret nobody can test a guess.
// The secret has at least 16 bytes.
//
// A campaign belongs to the secret of its first claim. With another one, or none,
// every method returns an error. Keep the secret: without it, nobody can tell to
// whom the campaign was sent. A sync state belongs to the secret of its first save.
func WithSecret(secret []byte) Option {
	return func(s *Store) {
		if len(secret) < minSecret {
			s.mistake("WithSecret: the secret has %d bytes; pass %d random bytes or more", len(secret), minSecret)
		}
		s.secret, s.noEmails = append([]byte(nil), secret...), true
	}
}

// WithoutSettingsCheck makes [Open] accept a database that may lose what it has
// committed, or a SQLite database in memory or without a busy time-out. After a
// crash of such a database, people can be sent to again.
func WithoutSettingsCheck() Option {
	return func(s *Store) { s.unchecked = true }
}

func (s *Store) mistake(format string, args ...any) {
	s.mistakes = append(s.mistakes, invalid(format, args...))
}

// Open returns a Store on the tables that [Migrate] makes. The pool stays yours:
// close it after the last use of the Store.
//
// Open fails if the tables are missing or made for a later version, and if the
// database is read-only. To find out, it writes in a transaction and rolls it
// back. It also fails if the settings let the database lose what it commits:
//
//   - PostgreSQL: synchronous_commit or fsync is off.
//   - MySQL: innodb_flush_log_at_trx_commit is not 1.
//   - SQLite: synchronous is below FULL, journal_mode is OFF or MEMORY, the
//     database is in memory, or busy_timeout is 0.
//
// [WithoutSettingsCheck] turns the check of the settings off.
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

// owner names this process for people.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return clean(host + ":" + strconv.Itoa(os.Getpid()))
}

// clean is a text as every database takes it.
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
// "order-4711". It makes no request. The first claim creates the campaign and ties
// it to its sequence and to the secret of the Store.
//
// Whoever is in a campaign is not sent to again. Use a new name for the next one.
// A name has 1 to 200 bytes of UTF-8, without white space or control characters
// at its ends. Names are compared byte by byte. Bad names are reported by the
// methods of the Campaign.
func (s *Store) Campaign(name string) *Campaign { return &Campaign{store: s, name: name} }

// made reports an error for a Store that Open did not make.
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

// secretCheck tells whether two processes have the same secret. It is empty without one.
func (s *Store) secretCheck() []byte {
	if s.secret == nil {
		return []byte{}
	}
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("\x00demeterrr secret check")) // no email begins like this
	return mac.Sum(nil)
}

// checkEmail refuses what no journal is asked for.
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
