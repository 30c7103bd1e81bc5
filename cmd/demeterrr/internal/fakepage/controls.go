package fakepage

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// serveState answers with the state and all kept requests.
func (p *Page) serveState(w http.ResponseWriter, _ *http.Request) {
	s, _ := p.now.Load().state(0)
	s.BaseURL = p.baseURL
	writeJSON(w, http.StatusOK, s)
}

// injectFault makes the account fail as the body says.
func (p *Page) injectFault(w http.ResponseWriter, r *http.Request) {
	f, err := readFault(http.MaxBytesReader(w, r.Body, maxControl))
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	p.control.Lock()
	defer p.control.Unlock()
	server := p.now.Load().server
	if len(server.Faults()) >= maxFaults {
		writeError(w, http.StatusBadRequest, fmt.Sprintf("%d faults wait already: end them with DELETE /_fake/faults", maxFaults))
		return
	}
	if err := server.TryInject(f); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	p.changed.send()
	writeJSON(w, http.StatusCreated, map[string]faultWith{"data": newFault(f)})
}

// clearFaults ends all faults.
func (p *Page) clearFaults(w http.ResponseWriter, _ *http.Request) {
	p.control.Lock()
	defer p.control.Unlock()
	p.now.Load().server.ClearFaults()
	p.changed.send()
	w.WriteHeader(http.StatusNoContent)
}

// expireKey makes the key of the account expired.
func (p *Page) expireKey(w http.ResponseWriter, _ *http.Request) { p.setKeyExpired(w, true) }

// restoreKey makes the key of the account good again.
func (p *Page) restoreKey(w http.ResponseWriter, _ *http.Request) { p.setKeyExpired(w, false) }

func (p *Page) setKeyExpired(w http.ResponseWriter, expired bool) {
	p.control.Lock()
	defer p.control.Unlock()
	a := p.now.Load()
	if expired {
		a.server.ExpireKey(a.server.APIKey())
	} else {
		a.server.RestoreKey(a.server.APIKey())
	}
	a.mu.Lock()
	a.keyExpired = expired
	a.mu.Unlock()
	p.changed.send()
	w.WriteHeader(http.StatusNoContent)
}

// resetAccount makes the account as it was at the start.
func (p *Page) resetAccount(w http.ResponseWriter, _ *http.Request) {
	p.control.Lock()
	defer p.control.Unlock()
	if err := p.reset(); err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// writeError answers with an error in the envelope of the API, without a code.
func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]map[string]string{"error": {"message": message}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client is gone
}
