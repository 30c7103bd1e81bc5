package demeterrrtest

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Seed adds the contacts and sequences of a JSON object with the API's names:
//
//	{"contacts": [{"email": "jane.smith@example.com"}], "sequences": [{"name": "Welcome"}]}
//
// All members are optional and get the defaults of [Server.AddContact] and
// [Server.AddSequence]. Unknown members are refused. After an error, everything
// before it has been added.
func (s *Server) Seed(r io.Reader) error {
	var seed *struct {
		Contacts  []*wireContact  `json:"contacts"`
		Sequences []*wireSequence `json:"sequences"`
	}
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&seed); err != nil {
		return fmt.Errorf("demeterrrtest: seed: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF || seed == nil {
		return fmt.Errorf("demeterrrtest: seed: want one JSON object and nothing after it")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, contact := range seed.Contacts {
		if contact == nil {
			return fmt.Errorf("demeterrrtest: seed: contacts[%d]: want an object, not null", i)
		}
		if err := contact.check(); err != nil {
			return fmt.Errorf("demeterrrtest: seed: contacts[%d]: %w", i, err)
		}
		if _, err := s.contacts.add(*contact); err != nil {
			return fmt.Errorf("demeterrrtest: seed: contacts[%d]: %w", i, err)
		}
	}
	for i, sequence := range seed.Sequences {
		if sequence == nil {
			return fmt.Errorf("demeterrrtest: seed: sequences[%d]: want an object, not null", i)
		}
		if _, err := s.sequences.add(*sequence); err != nil {
			return fmt.Errorf("demeterrrtest: seed: sequences[%d]: %w", i, err)
		}
	}
	return nil
}

// UnmarshalJSON reads a time of a seed, in any form of RFC 3339.
func (t *wireTime) UnmarshalJSON(data []byte) error {
	var parsed time.Time
	if err := json.Unmarshal(data, &parsed); err != nil {
		return err
	}
	*t = wireTimeOf(parsed)
	return nil
}
