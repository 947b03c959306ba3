package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// End logs the browser out, and no longer remembers it. It is no error if it was
// not logged in. A cookie that none of the secrets can read is left alone: it may
// be of another app on the same host. If the store fails, the browser still is
// logged in. What is begun is done, also for a browser that does not wait.
func (m *Manager) End(w http.ResponseWriter, r *http.Request) error {
	tokens, err := m.held(r)
	if err != nil {
		return &Error{Op: "end", Reason: "cookies", Err: err}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), askTimeout)
	defer cancel()
	held := m.heldRemembered(r)
	if err := m.endFamilies(ctx, tokens, held); err != nil {
		return failed("end", err)
	}
	for i := range tokens {
		if err := m.endNamed(ctx, tokens[i].id(), &tokens[i]); err != nil {
			return failed("end", err)
		}
	}
	_, byHeader := m.byHeader(r)
	switch {
	case byHeader:
		m.setHeader(w, "")
	case len(tokens) == 0:
	case m.cfg.Cookies != nil:
		for _, r := range m.apart(r) {
			if err := m.unplug(w, r); err != nil {
				return &Error{Op: "end", Reason: "cookies", Err: err}
			}
		}
	default:
		m.expireCookie(w, m.cookie)
	}
	if len(held) > 0 {
		m.expireCookie(w, m.rememberCookie)
	}
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
	ctx := r.Context()
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
	err, reason := m.rename(ctx, &old, s), "store"
	if err == nil {
		err, reason = m.give(w, r, &t, s, now, true), "cookies"
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

// Revoke ends the session with that ID, in whatever browser it is, and no longer
// remembers that browser. It is no error if there is none.
func (m *Manager) Revoke(ctx context.Context, id string) error {
	if err := m.forgetBrowserOf(ctx, id); err != nil {
		return failed("revoke", err)
	}
	if err := m.endNamed(ctx, id, nil); err != nil {
		return failed("revoke", err)
	}
	return nil
}

// EndAll logs the user out everywhere, except in the session with the ID
// except, if that is not empty. Only its browser is remembered from then on.
func (m *Manager) EndAll(ctx context.Context, userID, except string) error {
	if err := m.forgetBrowsers(ctx, userID, except); err != nil {
		return failed("revoke", err)
	}
	err := m.cfg.Store.DeleteUserSessions(ctx, userID, except)
	m.Forget(userID)
	if err != nil {
		return failed("revoke", err)
	}
	return nil
}

// EndProvider ends the user's sessions that began with that provider, except
// the one with the ID except, if that is not empty, and no longer remembers their
// browsers.
func (m *Manager) EndProvider(ctx context.Context, userID, providerID, except string) error {
	ofProvider := func(f *store.Remembered) bool { return f.Provider == providerID }
	if err := m.forgetBrowsersWhere(ctx, userID, except, ofProvider); err != nil {
		return failed("revoke", err)
	}
	err := m.endEach(ctx, func(ctx context.Context) ([]store.Session, error) {
		return m.cfg.Store.UserSessions(ctx, userID)
	}, func(s *store.Session) bool { return s.Provider == providerID && s.ID != except })
	if err != nil {
		return failed("revoke", err)
	}
	return nil
}

// endRounds bounds how often endEach looks again.
const endRounds = 8

var errRenewed = errors.New("sessions were renewed as often as they were ended")

// endEach ends those of the sessions that find returns for which some returns
// true. It looks again until there are no more: one that was renewed meanwhile
// has another ID.
func (m *Manager) endEach(ctx context.Context, find func(context.Context) ([]store.Session, error), some func(*store.Session) bool) error {
	ended := map[string]bool{}
	for range endRounds {
		list, err := find(ctx)
		if err != nil {
			return err
		}
		var errs []error
		before := len(ended)
		for i := range list {
			if s := &list[i]; some(s) && !ended[s.ID] {
				ended[s.ID] = true
				errs = append(errs, m.finish(ctx, s.ID, nil))
			}
		}
		if err := errors.Join(errs...); err != nil || len(ended) == before {
			return err
		}
	}
	return errRenewed
}

// List returns the user's sessions, latest seen first. A browser that is
// remembered and has no session stands there as one, with the ID of what
// remembers it as its ID and its Family, and without AuthTime; Revoke takes that
// ID as well.
func (m *Manager) List(ctx context.Context, userID string) ([]store.Session, error) {
	list, err := m.cfg.Store.UserSessions(ctx, userID)
	if err != nil {
		return nil, failed("list", err)
	}
	now := m.cfg.Now()
	list = slices.DeleteFunc(list, func(s store.Session) bool { return !m.live(&s, now) })
	if list, err = m.withRemembered(ctx, userID, list, now); err != nil {
		return nil, failed("list", err)
	}
	return list, nil
}

// Forget makes this process ask the store again about the user's sessions, as
// it should when a user was disabled or deleted. That is needed only if it was not
// done through Store or Users, or if that is no [store.Watcher].
func (m *Manager) Forget(userID string) {
	if elapsed := m.elapsed(m.cfg.Now()); m.cache != nil {
		m.cache.ended.add(ending{user: userID}, elapsed)
	}
}

// endNamed ends a session of which someone knows the ID: if it is being renamed
// elsewhere, that fails. No session has an ID that the store could not keep.
func (m *Manager) endNamed(ctx context.Context, id string, t *token) error {
	if err := m.markEnded(ctx, id); err != nil && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrBadText) {
		return err
	}
	if err := m.finish(ctx, id, t); !errors.Is(err, store.ErrBadText) {
		return err
	}
	return nil
}
