package processes

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"sync/atomic"
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// serve serves a journal on a port and returns its address. Each connection is
// a process of the journal, and the process ends with it.
func serve(t *testing.T, journal *demeterrrtest.Journal) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			go serveProcess(conn, journal.Process(conn.RemoteAddr().String()))
		}
	}()
	return listener.Addr().String()
}

func serveProcess(conn net.Conn, process *demeterrrtest.Journal) {
	server := rpc.NewServer()
	if err := server.RegisterName("Journal", &service{process}); err != nil {
		panic(err) // its methods are below
	}
	server.ServeConn(conn)
	_ = process.Close()
}

// service has the methods that a connection can call.
type service struct{ journal *demeterrrtest.Journal }

// Call has the arguments of a method.
type Call struct {
	SequenceID, Token string
	Emails            []string
	Entries           []bulk.JournalEntry
}

func (s *service) Lookup(c *Call, known *[]bulk.JournalEntry) (err error) {
	*known, err = s.journal.Lookup(context.Background(), c.SequenceID, c.Emails)
	return err
}

func (s *service) Claim(c *Call, taken *[]bulk.JournalEntry) (err error) {
	*taken, err = s.journal.Claim(context.Background(), c.SequenceID, c.Token, c.Emails)
	return err
}

func (s *service) Finish(c *Call, _ *struct{}) error {
	return s.journal.Finish(context.Background(), c.SequenceID, c.Token, c.Entries)
}

// remote is a bulk.Journal on the other end of a connection.
type remote struct{ client *rpc.Client }

func dial(address string) (*remote, error) {
	client, err := rpc.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &remote{client}, nil
}

func (r *remote) Close() error { return r.client.Close() }

func (r *remote) call(ctx context.Context, method string, c *Call, reply any) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	done := r.client.Go("Journal."+method, c, reply, make(chan *rpc.Call, 1)).Done
	select {
	case answered := <-done:
		return answered.Error
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *remote) Lookup(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
	known := new([]bulk.JournalEntry)
	err := r.call(ctx, "Lookup", &Call{SequenceID: sequenceID, Emails: emails}, known)
	if err != nil {
		return nil, err
	}
	return *known, nil
}

func (r *remote) Claim(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
	taken := new([]bulk.JournalEntry)
	err := r.call(ctx, "Claim", &Call{SequenceID: sequenceID, Token: token, Emails: emails}, taken)
	if err != nil {
		return nil, err
	}
	return *taken, nil
}

func (r *remote) Finish(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
	return r.call(ctx, "Finish", &Call{SequenceID: sequenceID, Token: token, Entries: entries}, new(struct{}))
}

func TestAJournalOverASocketIsAJournal(t *testing.T) {
	t.Parallel()
	address := serve(t, demeterrrtest.NewJournal())
	var opened atomic.Int64
	demeterrrtest.TestJournal(t, func(t *testing.T, _ string) bulk.Journal {
		t.Helper()
		j, err := dial(address)
		if err != nil {
			t.Fatal(fmt.Errorf("connection %d: %w", opened.Load(), err))
		}
		opened.Add(1)
		return j
	})
	if opened.Load() < 20 {
		t.Errorf("TestJournal opened %d journals", opened.Load())
	}
}
