package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestTheNightShowsWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	n := simulate(t)
	last := n.minutes[len(n.minutes)-1]
	for _, series := range []string{
		"demeterrr.attempts Contacts.Update", "demeterrr.attempts Contacts.Upsert",
		"demeterrr.wait.duration limiter", "demeterrr.wait.duration rate_limited", "demeterrr.wait.duration backoff",
		"demeterrr.rate_limited Contacts.Upsert", "demeterrr.unknown_outcomes Contacts.Upsert", "demeterrr.quota.remaining",
	} {
		if last[series] <= 0 {
			t.Errorf("there is no %s", series)
		}
	}
	if updates := last["demeterrr.attempts Contacts.Update"]; updates < jobUpdates {
		t.Errorf("the job sent %v requests, want %d and more: it does not finish", updates, jobUpdates)
	}
	if last["demeterrr.wait.duration limiter"] < last["demeterrr.wait.duration rate_limited"] {
		t.Error("the job waits for 429s longer than at its limiter")
	}
}

func TestTheChartIsXMLAndSaysWhatMadeIt(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile("../../docs/observability.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, chart := range []string{draw(simulate(t)), string(committed)} {
		if !strings.HasPrefix(chart, "<!-- Made by: "+command+" -->\n") {
			t.Errorf("it begins with %.100q", chart)
		}
		for _, p := range panels() {
			if !strings.Contains(chart, ">"+p.title+"<") {
				t.Errorf("there is no panel %q", p.title)
			}
		}
		for decoder := xml.NewDecoder(strings.NewReader(chart)); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}
