package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatepass/gatepass/store"
)

// countable reports whether a session that begins in a browser which has those
// before may be stored before anything else is asked: it takes the place of none,
// and is given nothing.
func (m *Manager) countable(before []token) bool {
	return len(before) == 0 && !m.uncounted.Load()
}

// A keepFunc stores a session together with something else, all or nothing, and
// returns how many its user has then.
type keepFunc = func(context.Context, *store.Session) (n int, err error)

// BeginKept is [Manager.Begin] in a browser without a session, where keep stores s
// together with whatever else must be stored in the same step, and returns how
// many sessions the user has then, as [store.SessionCounter] does. Keep is called
// once at most, when s has its ID and times, and changes nothing if it fails. It may
// be what finds out whose s is, and sets that.
//
// The error wraps [errors.ErrUnsupported] if the browser has a session, since that
// would have to end in the same step, or if keep's does. Then nothing has happened,
// and Begin is the way.
func (m *Manager) BeginKept(w http.ResponseWriter, r *http.Request, s *store.Session, keep func(context.Context, *store.Session) (n int, err error)) error {
	return m.begin(w, r, s, nil, keep)
}

// succeedCounted stores s, which begins in a browser without a session, by keep or
// alone, and asks no more if it is said that its user has not too many then. Else it
// ends the least recently seen, beside those of the families in over. If it fails,
// s is removed again.
//
// If there are too many, s goes before others are looked for, and comes back in
// their place: two that begin at the same moment would find each other, and
// neither would remain.
func (m *Manager) succeedCounted(ctx context.Context, s *store.Session, over []string, keep keepFunc) (*succession, error) {
	create := keep
	if keep == nil {
		create = func(ctx context.Context, s *store.Session) (int, error) {
			return store.CreateCounted(ctx, m.cfg.Store, s)
		}
	}
	n, err := create(ctx, s)
	if err == nil && s.UserID == "" {
		err = errNobody
	}
	unable := errors.Is(err, errors.ErrUnsupported)
	switch {
	case unable && keep != nil:
		return nil, err
	case unable:
		m.uncounted.Store(true) // it will not learn to
		err = nil
	case err == nil && n <= m.cfg.MaxPerUser:
		return &succession{session: s}, nil
	case err == nil:
		err = m.cfg.Store.DeleteSession(ctx, s.ID)
	}
	if err != nil {
		// The failure may be that of an answer that was lost on the way.
		return nil, errors.Join(err, m.undo(ctx, s.ID))
	}
	c, err := m.succession(ctx, s, nil, over)
	if err != nil {
		return nil, err
	}
	return c, m.succeed(ctx, c)
}
