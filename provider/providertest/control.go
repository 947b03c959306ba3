package providertest

import (
	"net/http"
	"sync"
)

// Requests returns how many requests the endpoint has had.
func (s *Server) Requests(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[endpoint]
}

// Fail makes the endpoint answer with the status and an empty body from now on.
// A status of 0 ends that.
func (s *Server) Fail(endpoint string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == 0 {
		delete(s.failing, endpoint)
		return
	}
	s.failing[endpoint] = status
}

// Hold makes requests to the endpoint wait until release is called, which may
// be called again, or until whoever sent them gives up. A value comes through
// arrived for each request that waits.
func (s *Server) Hold(endpoint string) (arrived <-chan struct{}, release func()) {
	h := &hold{arrived: make(chan struct{}, 1024), open: make(chan struct{})}
	h.release = sync.OnceFunc(func() { close(h.open) })
	s.mu.Lock()
	old := s.holds[endpoint]
	s.holds[endpoint] = h
	s.mu.Unlock()
	if old != nil {
		old.release()
	}
	return h.arrived, h.release
}

type hold struct {
	arrived chan struct{}
	open    chan struct{}
	release func()
}

// wait returns when the request may go on, and false if nobody waits for the
// answer any more.
func (h *hold) wait(r *http.Request) bool {
	select {
	case <-h.open:
		return true
	default:
	}
	select {
	case h.arrived <- struct{}{}:
	default:
	}
	select {
	case <-h.open:
		return true
	case <-r.Context().Done():
		return false
	}
}

// ExpireTokens makes every access token given so far expire. Refresh tokens go
// on working.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.access {
		a.gone = true
	}
}

// RevokeTokens withdraws everything that people have allowed so far: access
// tokens and refresh tokens stop working.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.access {
		a.revoked = true
	}
	for _, g := range s.refresh {
		g.revoked = true
	}
	for _, g := range s.codes {
		g.revoked = true
	}
}

// RotateKeys gives the service a new key to sign ID tokens with. The old one is
// no longer published.
func (s *Server) RotateKeys() { s.keys.rotate() }
