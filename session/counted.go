package session

import (
	"context"
	"errors"

	"github.com/gatepass/gatepass/store"
)

// countable reports whether a session that begins in a browser which has those
// before may be stored before anything else is asked: it takes the place of none,
// and is given nothing.
func (m *Manager) countable(before []token) bool {
	return len(before) == 0 && !m.uncounted.Load()
}

// succeedCounted stores s, which begins in a browser without a session, and asks
// no more if the store says that its user has not too many then. Else it ends the
// least recently seen, beside those of the families in over. If it fails, s is
// removed again.
//
// If there are too many, s goes before others are looked for, and comes back in
// their place: two that begin at the same moment would find each other, and
// neither would remain.
func (m *Manager) succeedCounted(ctx context.Context, s *store.Session, over []string) (*succession, error) {
	n, err := store.CreateCounted(ctx, m.cfg.Store, s)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
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
