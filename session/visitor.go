package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatepass/gatepass/store"
)

// A keeper is the session in which the values of a browser are kept: that of
// its user, or a visitor's.
type keeper struct {
	id     string
	userID string // "" of a visitor
	token  token  // of a visitor
	old    bool   // that is marked with an old secret
}

// keeper returns the request's, or ErrNone. Resolve says who is logged in. A
// visitor's key is never one of a user, nor the other way round, whatever is
// stored, because each kind has marks of its own.
func (m *Manager) keeper(r *http.Request, resolve func(*http.Request) (Found, error)) (*keeper, error) {
	if l, ok := r.Context().Value(lateKey{}).(late); ok && l.m == m {
		return &keeper{id: l.id, userID: l.userID}, nil
	}
	f, err := resolve(r)
	switch {
	case err == nil:
		return &keeper{id: f.Session.ID, userID: f.Session.UserID}, nil
	case !errors.Is(err, ErrNone):
		return nil, err
	}
	value, err := m.half(r)
	if err != nil {
		return nil, &Error{Op: "values", Reason: "cookies", Err: err}
	}
	k := &keeper{}
	i := m.visitor(value, &k.token)
	if i < 0 {
		return nil, ErrNone
	}
	k.id, k.old = k.token.id(), i > 0
	return k, nil
}

// visitor decodes s and returns the index of the secret with which it is marked
// as a visitor's token, or -1.
func (m *Manager) visitor(s string, t *token) int {
	if !m.parse(s, t, ofVisitor) {
		return -1
	}
	return m.signerOf(t, ofVisitor)
}

// kept returns k's session and all values in it, or ErrNone if it has ended.
func (m *Manager) kept(ctx context.Context, k *keeper) (*store.Session, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, blob, err := store.SessionValues(ctx, m.cfg.Store, k.id)
	if err == nil && s == nil {
		err = errNil
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil, ErrNone
	case err != nil:
		return nil, nil, failed("values", err)
	case s.ID != k.id || s.UserID != k.userID || !m.live(s, m.cfg.Now()):
		return nil, nil, ErrNone
	}
	return s, blob, nil
}

// beginVisitor gives the browser a session without a user, to keep values in.
func (m *Manager) beginVisitor(w http.ResponseWriter, r *http.Request, values []byte) (*keeper, *store.Session, error) {
	if m.noValues != nil {
		return nil, nil, failed("values", m.noValues)
	}
	over, err := m.heldVisitors(r)
	if err != nil {
		return nil, nil, &Error{Op: "values", Reason: "cookies", Err: err}
	}
	now, t := m.cfg.Now(), newTokenOf(m.keys[0], ofVisitor)
	s := &store.Session{ID: t.id(), CreatedAt: wall(now), SeenAt: wall(now)}
	m.see(s, now)
	ctx := r.Context()
	if err := m.succeed(ctx, &succession{session: s, values: values, crowd: over}); err != nil {
		return nil, nil, failed("values", err)
	}
	if err := m.giveVisitor(w, r, &t, s); err != nil {
		return nil, nil, &Error{Op: "values", Reason: "cookies", Err: errors.Join(err, m.undo(ctx, s.ID))}
	}
	m.sweepNow(ctx, now)
	return &keeper{id: s.ID, token: t}, s, nil
}

// giveVisitor sends the browser its half of s. Nobody may do more by it than
// before, so that a gorilla session of the app's that keeps it stays as it is.
func (m *Manager) giveVisitor(w http.ResponseWriter, r *http.Request, t *token, s *store.Session) error {
	if _, ok := m.byHeader(r); ok {
		m.setHeader(w, t.text())
		return nil
	}
	life := m.remains(s, m.cfg.Now())
	if m.cfg.Cookies == nil {
		m.setCookie(w, m.cookie, t.text(), life)
		return nil
	}
	g, err := m.opened(r)
	if err != nil {
		return err
	}
	if g == nil {
		return m.plug(w, r, t.text(), life, false)
	}
	g.Values[plugValue] = t.text()
	return m.save(w, r, g, life)
}

// heldVisitors returns the IDs of the sessions of visitors that the browser has
// a key of.
func (m *Manager) heldVisitors(r *http.Request) ([]string, error) {
	held, err := m.held(r)
	var ids []string
	for i := range held {
		if m.isVisitor(&held[i]) {
			ids = append(ids, held[i].id())
		}
	}
	return ids, err
}

func (m *Manager) isVisitor(t *token) bool { return m.signerOf(t, ofVisitor) >= 0 }

// remark gives a visitor's key a mark made with the first secret.
func (m *Manager) remark(w http.ResponseWriter, r *http.Request, k *keeper, s *store.Session) error {
	t := k.token
	t.markAs(m.keys[0], ofVisitor)
	if err := m.giveVisitor(w, r, &t, s); err != nil {
		return &Error{Op: "values", Reason: "cookies", Err: err}
	}
	return nil
}

// touchVisitor notes, once a minute at most, that a visitor's session was used.
// It returns ErrNone if that has ended. If the store fails, the session is as
// good as it was.
func (m *Manager) touchVisitor(ctx context.Context, s *store.Session) error {
	now := m.cfg.Now()
	if now.Sub(s.SeenAt) < touchEvery {
		return nil
	}
	undo, ok := m.touches.take(s.ID, now)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	m.see(s, now)
	switch err := m.cfg.Store.TouchSession(ctx, s.ID, s.SeenAt, s.ExpiresAt); {
	case errors.Is(err, store.ErrNotFound):
		return ErrNone
	case err != nil:
		undo()
	}
	return nil
}

// noValues returns why s can keep no values, or nil if it can.
func noValues(s store.Sessions) error {
	if _, ok := s.(store.SessionValuer); ok {
		return nil
	}
	_, _, err := store.SessionValues(context.Background(), s, "")
	return err
}
