package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// End logs the browser out. It is no error if it was not logged in. A cookie
// that none of the secrets can read is left alone: it may be of another app on
// the same host. If the store fails, the browser still is logged in.
func (m *Manager) End(w http.ResponseWriter, r *http.Request) error {
	tokens, err := m.held(r)
	if err != nil {
		return &Error{Op: "end", Reason: "cookies", Err: err}
	}
	for i := range tokens {
		if err := m.leave(r.Context(), &tokens[i]); err != nil {
			return failed("end", err)
		}
	}
	if len(tokens) == 0 {
		return nil
	}
	if m.cfg.Cookies != nil {
		if err := m.unplug(w, r); err != nil {
			return &Error{Op: "end", Reason: "cookies", Err: err}
		}
		return nil
	}
	m.expireCookie(w, m.cookie)
	return nil
}

// Renew gives the request's session a new key, as at every change of what its
// holder may do. AuthTime and all limits stay. It returns ErrNone if there is
// no session, also if it ended meanwhile.
func (m *Manager) Renew(w http.ResponseWriter, r *http.Request) error {
	return m.renew(w, r, func(*store.Session, time.Time) {})
}

// Reauthenticated is Renew after the person has proved again who they are.
// At, which becomes AuthTime, is not taken to be later than now. Vouched says
// that the service itself named that time.
func (m *Manager) Reauthenticated(w http.ResponseWriter, r *http.Request, at time.Time, vouched bool) error {
	return m.renew(w, r, func(s *store.Session, now time.Time) {
		if at.After(now) {
			at = now
		}
		s.AuthTime, s.Reauthed = wall(at), vouched
	})
}

func (m *Manager) renew(w http.ResponseWriter, r *http.Request, change func(*store.Session, time.Time)) error {
	ctx, seq := r.Context(), m.left.seq.Load()
	var old token
	if ok, err := m.read(r, &old); !ok {
		return none("renew", err)
	}
	s, err := m.Find(r)
	if err != nil {
		return err
	}
	now, t := m.cfg.Now(), newToken(m.keys[0])
	s.ID = t.id()
	m.see(s, now)
	change(s, now)
	if err := m.create(ctx, s); err != nil {
		return failed("renew", err)
	}
	err = m.handOver(ctx, &old, seq)
	reason := "store"
	if err == nil {
		err, reason = m.give(w, r, &t, s, now), "cookies"
	}
	if err == nil {
		return nil
	}
	undone := m.undo(ctx, s.ID)
	if errors.Is(err, ErrNone) && undone == nil {
		return ErrNone
	}
	return &Error{Op: "renew", Reason: reason, Err: errors.Join(err, undone)}
}

// handOver ends a session that another has taken the place of. It returns
// ErrNone if the old one was ended by someone else since seq was read: a logout
// that knew only the old one must not be undone.
func (m *Manager) handOver(ctx context.Context, old *token, seq uint64) error {
	id := old.id()
	if _, err := m.cfg.Store.Session(ctx, id); errors.Is(err, store.ErrNotFound) {
		return ErrNone
	} else if err != nil {
		return err
	}
	if err := m.remove(ctx, old); err != nil {
		return err
	}
	if m.left.since(seq, id, "") {
		return ErrNone
	}
	return nil
}

// Revoke ends the session with that ID, in whatever browser it is. It is no
// error if there is none.
func (m *Manager) Revoke(ctx context.Context, id string) error {
	if err := m.delete(ctx, id); err != nil {
		return failed("revoke", err)
	}
	return nil
}

// EndAll logs the user out everywhere, except in the session with the ID
// except, if that is not empty.
func (m *Manager) EndAll(ctx context.Context, userID, except string) error {
	err := m.cfg.Store.DeleteUserSessions(ctx, userID, except)
	m.Forget(userID)
	if err != nil {
		return failed("revoke", err)
	}
	return nil
}

// EndProvider ends the user's sessions that began with that provider, except
// the one with the ID except, if that is not empty.
func (m *Manager) EndProvider(ctx context.Context, userID, providerID, except string) error {
	list, err := m.cfg.Store.UserSessions(ctx, userID)
	if err != nil {
		return failed("revoke", err)
	}
	var errs []error
	for _, s := range list {
		if s.Provider == providerID && s.ID != except {
			errs = append(errs, m.delete(ctx, s.ID))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return failed("revoke", err)
	}
	return nil
}

// List returns the user's sessions, latest seen first.
func (m *Manager) List(ctx context.Context, userID string) ([]store.Session, error) {
	list, err := m.cfg.Store.UserSessions(ctx, userID)
	if err != nil {
		return nil, failed("list", err)
	}
	now := m.cfg.Now()
	return slices.DeleteFunc(list, func(s store.Session) bool { return !m.live(&s, now) }), nil
}

// Forget makes this process ask the store again about the user's sessions, as
// it should when a user was disabled or deleted.
func (m *Manager) Forget(userID string) {
	if elapsed := m.elapsed(m.cfg.Now()); m.cache != nil {
		m.cache.ended.add(ending{user: userID}, elapsed)
	}
}

// leave ends a session for good: a Renew of it that is under way fails.
func (m *Manager) leave(ctx context.Context, t *token) error {
	m.left.add(ending{session: t.id()}, m.elapsed(m.cfg.Now()))
	return m.remove(ctx, t)
}

// remove ends a session in the store, then in this process. What was read of
// the store before is stale even if the store says that it failed.
func (m *Manager) remove(ctx context.Context, t *token) error {
	err := m.cfg.Store.DeleteSession(ctx, t.id())
	if m.cache != nil {
		m.cache.drop(t)
	}
	return err
}

// delete is leave for a session of which only the ID is known.
func (m *Manager) delete(ctx context.Context, id string) error {
	m.left.add(ending{session: id}, m.elapsed(m.cfg.Now()))
	err := m.cfg.Store.DeleteSession(ctx, id)
	m.forgetSession(id)
	return err
}

func (m *Manager) forgetSession(id string) {
	if m.cache != nil {
		m.cache.ended.add(ending{session: id}, m.elapsed(m.cfg.Now()))
	}
}
