package memstore

import (
	"context"

	"github.com/gatepass/gatepass/store"
)

// ReplaceSessions implements [store.SessionReplacer].
func (s *Store) ReplaceSessions(ctx context.Context, given *store.Session, values []byte, over []string) error {
	return s.write(ctx, func(tx *transaction) error {
		if len(values) > store.MaxValues {
			return store.ErrBadText
		}
		if tx.sessions.get(given.ID) != nil {
			return store.ErrExists
		}
		for _, id := range over {
			tx.endSession(id)
		}
		tx.sessions.set(given.ID, newSession(given, values))
		return nil
	})
}

// RenewSession implements [store.SessionReplacer].
func (s *Store) RenewSession(ctx context.Context, id string, given *store.Session) error {
	return s.write(ctx, func(tx *transaction) error {
		old := s.live(&tx.sessions, id)
		if old == nil {
			return store.ErrNotFound
		}
		if tx.sessions.get(given.ID) != nil {
			return store.ErrExists
		}
		tx.endSession(id)
		tx.sessions.set(given.ID, newSession(given, old.values))
		return nil
	})
}
