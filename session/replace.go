package session

import (
	"context"
	"errors"
	"time"

	"github.com/gatepass/gatepass/store"
)

// endedLife is for how long others are told that a session was ended, for a
// Renew of it that they may be at.
const endedLife = time.Minute + maxAhead

// A succession is a session that begins, and what it takes the place of.
type succession struct {
	session *store.Session
	values  []byte   // what it is given of the app's own
	before  []token  // sessions of the browser
	crowd   []string // IDs of others that its user has

	families []string // of crowd: a browser that had to make room must not come back by itself
}

// over returns the IDs of the sessions that end.
func (c *succession) over() []string {
	ids := make([]string, 0, len(c.before)+len(c.crowd))
	for i := range c.before {
		ids = append(ids, c.before[i].id())
	}
	return append(ids, c.crowd...)
}

// succeed stores the session and ends those whose place it takes, in one step
// if the store can. If it fails, the session is removed again: the failure may
// be that of an answer that was lost on the way, and nobody would ever know of it.
//
// Those of the browser are marked only then: a mark on one that stays, because
// the store failed, would end it at its next Renew. A Renew elsewhere that has
// renamed one of them before it could be ended here finds the mark, unless it
// claimed that one sooner: then it is as if it had been done before this began,
// with a key that the browser did not send.
func (m *Manager) succeed(ctx context.Context, c *succession) error {
	err := m.succeedAtOnce(ctx, c)
	if errors.Is(err, errors.ErrUnsupported) {
		err = m.succeedInSteps(ctx, c)
	}
	for i := 0; err == nil && i < len(c.before); i++ {
		err = m.markReplaced(ctx, c.before[i].id())
	}
	if err != nil {
		return errors.Join(err, m.undo(ctx, c.session.ID))
	}
	return nil
}

// markReplaced marks a session that has ended. It is no error if somebody else
// has marked it.
func (m *Manager) markReplaced(ctx context.Context, id string) error {
	return surely(ctx, func(ctx context.Context) error {
		err := m.markEnded(ctx, id)
		if errors.Is(err, store.ErrExists) {
			return nil
		}
		return err
	})
}

// surely does what there is no way back from: it tries again before the person
// has to log in anew, and does not end with the request. F may be done twice.
func surely(ctx context.Context, f func(context.Context) error) error {
	if f(ctx) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	return f(ctx)
}

func (m *Manager) succeedAtOnce(ctx context.Context, c *succession) error {
	if m.inSteps.Load() {
		return errors.ErrUnsupported
	}
	err := store.ReplaceSessions(ctx, m.cfg.Store, c.session, c.values, c.over())
	if errors.Is(err, errors.ErrUnsupported) {
		m.inSteps.Store(true) // it will not learn to
		return err
	}
	for i := range c.before {
		m.forgetSession("", &c.before[i])
	}
	for _, id := range c.crowd {
		m.forgetSession(id, nil)
	}
	return err
}

// succeedInSteps stores the new session first, and ends the browser's last: who is
// stopped in between is logged in twice, and not out.
func (m *Manager) succeedInSteps(ctx context.Context, c *succession) error {
	if err := m.cfg.Store.CreateSession(ctx, c.session); err != nil {
		return err
	}
	if len(c.values) > 0 {
		if err := store.SwapSessionValues(ctx, m.cfg.Store, c.session.ID, nil, c.values); err != nil {
			return err
		}
	}
	for _, id := range c.crowd {
		if err := m.finish(ctx, id, nil); err != nil {
			return err
		}
	}
	for i := range c.before {
		if err := m.finish(ctx, c.before[i].id(), &c.before[i]); err != nil {
			return err
		}
	}
	return nil
}

// rename puts s, which has a new ID, in the place of the session that old is the
// token of. It returns ErrNone if that one was ended meanwhile: a logout that
// knew only the old key must not be undone. If it fails, s may be stored
// nevertheless.
func (m *Manager) rename(ctx context.Context, old *token, s *store.Session) error {
	id := old.id()
	err := m.renameAtOnce(ctx, id, s)
	if errors.Is(err, errors.ErrUnsupported) {
		err = m.renameInSteps(ctx, id, s)
	}
	m.forgetSession("", old)
	if err != nil {
		return err
	}
	return m.claim(ctx, id)
}

// claim returns nil if nobody else has ended or renamed the session with that ID:
// who logged out after it was renamed found nothing to end, but left a mark
// before. Of two that rename at once, in steps, one finds it as well.
//
// There is no way back to the old key. So it does not end with the request, and
// tries again before the person has to log in anew.
func (m *Manager) claim(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	err := m.markEnded(ctx, id)
	if err == nil {
		return nil
	}
	if errors.Is(err, store.ErrExists) {
		return ErrNone
	}
	if again := m.markEnded(ctx, id); again != nil {
		return err // if it exists, it may be the first try's
	}
	return nil
}

func (m *Manager) renameAtOnce(ctx context.Context, id string, s *store.Session) error {
	if m.inSteps.Load() {
		return errors.ErrUnsupported
	}
	err := store.RenewSession(ctx, m.cfg.Store, id, s)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNone
	case errors.Is(err, errors.ErrUnsupported):
		m.inSteps.Store(true)
	}
	return err
}

func (m *Manager) renameInSteps(ctx context.Context, id string, s *store.Session) error {
	if err := m.cfg.Store.CreateSession(ctx, s); err != nil {
		return err
	}
	_, values, err := store.SessionValues(ctx, m.cfg.Store, id)
	if errors.Is(err, errors.ErrUnsupported) {
		_, err = m.cfg.Store.Session(ctx, id)
	}
	if err == nil && len(values) > 0 {
		err = store.SwapSessionValues(ctx, m.cfg.Store, s.ID, nil, values)
	}
	if errors.Is(err, store.ErrNotFound) {
		return ErrNone
	} else if err != nil {
		return err
	}
	return m.cfg.Store.DeleteSession(ctx, id)
}

// undo removes a session whose key nobody was given. The request's context may
// be over, which may be why.
func (m *Manager) undo(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	return m.cfg.Store.DeleteSession(ctx, id)
}

// finish ends a session in the store, then in this process. What was read of the
// store before is stale even if the store says that it failed. T is the session's
// token, if it is known.
func (m *Manager) finish(ctx context.Context, id string, t *token) error {
	err := m.cfg.Store.DeleteSession(ctx, id)
	m.forgetSession(id, t)
	return err
}

// markEnded tells all who share the store that a session was ended or renamed.
// The first who does so gets nil, and any other store.ErrExists.
func (m *Manager) markEnded(ctx context.Context, id string) error {
	return m.cfg.Store.Mark(ctx, "e:"+id, m.cfg.Now().Add(endedLife))
}

// forgetSession makes this process ask the store again about a session, of which
// the ID or the token is given.
func (m *Manager) forgetSession(id string, t *token) {
	switch {
	case m.cache == nil:
	case t != nil:
		m.cache.drop(t)
	default:
		m.cache.ended.add(ending{session: id}, m.elapsed(m.cfg.Now()))
	}
}
