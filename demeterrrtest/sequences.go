package demeterrrtest

import (
	"fmt"
	"maps"
	"net/http"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

type sequenceStore struct {
	inOrder []*wireSequence
	byID    map[string]*wireSequence
}

func newSequenceStore() sequenceStore {
	return sequenceStore{byID: make(map[string]*wireSequence)}
}

// AddSequence adds a sequence to the organization and returns it. It fills in
// an empty ID; an empty status becomes active. It panics if the ID is taken or
// Extra cannot be encoded as JSON.
func (s *Server) AddSequence(sequence demeterrr.Sequence) demeterrr.Sequence {
	w := wireSequence{
		ID: sequence.ID, Name: sequence.Name, Status: string(sequence.Status),
		extra: maps.Clone(sequence.Extra),
	}
	if err := checkExtra(w.extra); err != nil {
		misuse("AddSequence: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	added, err := s.sequences.add(w)
	if err != nil {
		misuse("AddSequence: %v", err)
	}
	sequence.ID, sequence.Status = added.ID, demeterrr.SequenceStatus(added.Status)
	return sequence
}

// Sequences returns all sequences, in the order of adding.
func (s *Server) Sequences() []demeterrr.Sequence {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]demeterrr.Sequence, len(s.sequences.inOrder))
	for i, w := range s.sequences.inOrder {
		out[i] = demeterrr.Sequence{ID: w.ID, Name: w.Name, Status: demeterrr.SequenceStatus(w.Status), Extra: maps.Clone(w.extra)}
	}
	return out
}

func (ss *sequenceStore) add(w wireSequence) (*wireSequence, error) {
	if ss.byID[w.ID] != nil {
		return nil, fmt.Errorf("there is a sequence with the id %s", w.ID)
	}
	for n := len(ss.inOrder) + 1; w.ID == "" || ss.byID[w.ID] != nil; n++ { // skip ids chosen by the test
		w.ID = newID(sequenceIDs, n)
	}
	if w.Status == "" {
		w.Status = string(demeterrr.SequenceActive)
	}
	ss.inOrder = append(ss.inOrder, &w)
	ss.byID[w.ID] = &w
	return &w, nil
}

func (s *Server) listSequences(c *call) *reply {
	return pageReply(s.sequences.inOrder, pagingOf(c.query), func(w *wireSequence) any { return *w })
}

func (s *Server) getSequence(c *call) *reply {
	found, ok := s.sequences.byID[c.id]
	if !ok {
		return notFound("Sequence")
	}
	return dataReply(http.StatusOK, *found)
}
