package memstore

import (
	"context"

	"github.com/gatepass/gatepass/store"
)

// CreateCounted implements [store.SessionCounter].
func (s *Store) CreateCounted(ctx context.Context, given *store.Session) (n int, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		if tx.sessions.get(given.ID) != nil {
			return store.ErrExists
		}
		n = 1
		now := s.now()
		for _, row := range tx.sessions.members(ofUser(given.UserID)) {
			if row.ExpiresAt.After(now) {
				n++
			}
		}
		tx.sessions.set(given.ID, newSession(given, nil))
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
