package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatepass/gatepass/store"
)

// Found is a session and its user. The records may be shared with other
// requests: they are for reading only.
type Found struct {
	Session *store.Session
	User    *store.User // nil if the Manager has no Users

	old bool // the browser's half is marked with an old secret
	due bool // it is a minute since SeenAt was moved
}

// Find returns the request's session, or ErrNone. Any other error means that
// the store failed, which says nothing about who is asking. It always asks the
// store. What it returns is the caller's own.
func (m *Manager) Find(r *http.Request) (*store.Session, error) {
	f, err := m.ResolveNow(r)
	if err != nil {
		return nil, err
	}
	s := *f.Session
	return &s, nil
}

// Resolve returns the request's session and its user. The error is ErrNone for
// a visitor, and also if the session has ended or its user is gone or disabled;
// any other means that the store failed, which says nothing about who is asking.
//
// A GET or HEAD request may be answered by what the store said within
// Config.Cache; any other asks it.
func (m *Manager) Resolve(r *http.Request) (Found, error) {
	if m.cache == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return m.ResolveNow(r)
	}
	var t token
	if ok, err := m.read(r, &t); !ok {
		return Found{}, none("find", err)
	}
	// The clock costs as much as half of a forgery does.
	if e := m.cache.find(&t); e != nil {
		if now := m.cfg.Now(); m.cache.good(e, m.elapsed(now)) {
			return Found{
				Session: e.session,
				User:    e.user,
				old:     e.old(),
				due:     e.due(now),
			}, nil
		}
	}
	i := m.signer(&t)
	if i < 0 {
		return Found{}, ErrNone
	}
	return m.share(r, t, i > 0)
}

// ResolveNow is like [Manager.Resolve], but always asks the store, as what
// changes something should.
func (m *Manager) ResolveNow(r *http.Request) (Found, error) {
	var t token
	if ok, err := m.read(r, &t); !ok {
		return Found{}, none("find", err)
	}
	i := m.signer(&t)
	if i < 0 {
		return Found{}, ErrNone
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	if m.cache == nil {
		return m.ask(ctx, t, i > 0, nil)
	}
	// Another request's query may have begun before this request came.
	s := m.cache.at(&t)
	s.mu.Lock()
	gen := s.gen
	s.mu.Unlock()
	f, err := m.ask(ctx, t, i > 0, &gen)
	if errors.Is(err, ErrNone) {
		m.cache.drop(&t)
	}
	return f, err
}

func none(op string, err error) error {
	if err != nil {
		return &Error{Op: op, Reason: "cookies", Err: err}
	}
	return ErrNone
}

// A flight is a question to the store that several requests wait for.
type flight struct {
	question
	gen, seq uint64
	done     chan struct{} // nil if nobody waits
	found    Found
	err      error
}

// share asks the store about t, or waits for a request that is doing so, unless
// something has ended since that one began.
func (m *Manager) share(r *http.Request, t token, old bool) (Found, error) {
	s, seq := m.cache.at(&t), m.cache.ended.seq.Load()
	s.mu.Lock()
	if f := s.flights[*t.random()]; f != nil && f.gen == s.gen && f.seq == seq {
		if f.done == nil {
			f.done = make(chan struct{})
		}
		s.mu.Unlock()
		select {
		case <-f.done:
			if f.err == errPanic {
				return Found{}, failed("find", errPanic)
			}
			found := f.found
			found.old = old
			return found, f.err
		case <-r.Context().Done():
			return Found{}, failed("find", context.Cause(r.Context()))
		}
	}
	// Others wait for the answer, whatever becomes of this request.
	f := &flight{question: question{m.patience.now(), r.Context()}, gen: s.gen, seq: seq, err: errPanic}
	if s.flights == nil {
		s.flights = make(map[[randomSize]byte]*flight)
	}
	s.flights[*t.random()] = f
	s.mu.Unlock()

	defer func() {
		s.mu.Lock()
		if s.flights[*t.random()] == f {
			delete(s.flights, *t.random())
		}
		done := f.done // nobody comes any more
		s.mu.Unlock()
		if done != nil {
			close(done)
		}
	}()
	f.found, f.err = m.ask(&f.question, t, old, &f.gen)
	return f.found, f.err
}

// errPanic is what requests get that waited for one whose store panicked.
var errPanic = errors.New("the store panicked")

// ask asks the store about t, in a context with a limit. What it says is put
// into the cache, if gen is given and still is that of t's shard.
func (m *Manager) ask(ctx context.Context, t token, old bool, gen *uint64) (Found, error) {
	var seq uint64
	if gen != nil {
		seq = m.cache.ended.seq.Load()
	}
	id, asked := t.id(), m.elapsed(m.cfg.Now())
	s, u, err := m.load(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return Found{}, ErrNone
	}
	if err != nil {
		return Found{}, failed("find", err)
	}
	now := m.cfg.Now()
	// A store that compares IDs without regard to case would find another's. One
	// without a user is a visitor's, and this is no visitor's token.
	if s.ID != id || s.UserID == "" || !m.live(s, now) || u != nil && (u.ID != s.UserID || u.Disabled) {
		return Found{}, ErrNone
	}
	if gen != nil {
		elapsed := m.elapsed(now)
		until := min(asked+m.cache.life, elapsed+m.end(s).Sub(now))
		m.cache.at(&t).put(newEntry(&t, old, seq, s, u, until), *gen, elapsed)
	}
	return Found{Session: s, User: u, old: old, due: now.Sub(s.SeenAt) >= touchEvery}, nil
}

func (m *Manager) load(ctx context.Context, id string) (*store.Session, *store.User, error) {
	if m.cfg.Users == nil {
		s, err := m.cfg.Store.Session(ctx, id)
		if err == nil && s == nil {
			err = errNil
		}
		return s, nil, err
	}
	s, u, err := store.SessionUser(ctx, m.cfg.Store, m.cfg.Users, id)
	if err == nil && (s == nil || u == nil) {
		err = errNil
	}
	return s, u, err
}

var errNil = errors.New("the store returned neither a record nor an error")

// end is when s is over if nothing more is heard of it.
func (m *Manager) end(s *store.Session) time.Time {
	end := s.ExpiresAt
	for _, t := range [...]time.Time{m.last(s), s.SeenAt.Add(m.cfg.Idle)} {
		if t.Before(end) {
			end = t
		}
	}
	return end
}

func (m *Manager) live(s *store.Session, now time.Time) bool {
	return now.Before(m.end(s)) && !s.CreatedAt.Before(m.cfg.NotBefore) && !s.CreatedAt.After(now.Add(maxAhead))
}

func failed(op string, err error) error { return &Error{Op: op, Reason: "store", Err: err} }
