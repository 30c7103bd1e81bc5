package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// apiKey is the key of demeterrrtest, the same in every run.
var apiKey = demeterrrtest.NewServer().APIKey()

// sequenceID is the sequence of every account.
const sequenceID = "survey"

// counts is the server's record since the last question.
type counts struct {
	Reads  int
	Writes map[string]int // by method and path, or email for a POST
}

func (c counts) requests() int {
	n := c.Reads
	for _, times := range c.Writes {
		n += times
	}
	return n
}

// serve plays an account with the customers 0 to n-1 until standard input ends.
// Each write takes writeTime, so that a kill can interrupt it. serve prints its
// address.
func serve(n int, writeTime time.Duration) error {
	var mu sync.Mutex
	seen := counts{Writes: map[string]int{}}
	srv := demeterrrtest.NewServer(demeterrrtest.WithRequestLog(func(r demeterrrtest.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.Method {
		case http.MethodGet:
			seen.Reads++
		case http.MethodPost:
			var body struct{ Email string }
			_ = json.Unmarshal(r.Body, &body)
			seen.Writes["POST "+body.Email]++
		default:
			seen.Writes[r.Method+" "+r.Path]++
		}
	}))
	srv.AddSequence(demeterrr.Sequence{ID: sequenceID, Name: "Survey"})
	for i := range n {
		c := customer(i)
		srv.AddContact(demeterrr.Contact{Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: c.Phone, Tags: c.Tags})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			time.Sleep(writeTime)
		}
		srv.Handler().ServeHTTP(w, r)
	})
	mux.HandleFunc("/counts", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(w).Encode(seen)
		seen = counts{Writes: map[string]int{}}
	})
	mux.HandleFunc("/lastnames", func(w http.ResponseWriter, r *http.Request) { // how many names match the query
		have := 0
		for _, c := range srv.Contacts() {
			if strings.EqualFold(c.LastName, r.URL.Query().Get("is")) {
				have++
			}
		}
		fmt.Fprint(w, have)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Println("http://" + listener.Addr().String())
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func customer(i int) demeterrr.ContactParams {
	return demeterrr.ContactParams{
		Email: fmt.Sprintf("customer%d@example.com", i), FirstName: fmt.Sprintf("First%d", i), LastName: fmt.Sprintf("Last%d", i),
		Phone: fmt.Sprintf("+1555%07d", i), Tags: []string{"customer", "newsletter"},
	}
}
