package memstore

import (
	"context"
	"time"

	"github.com/gatepass/gatepass/store"
)

// CreateCounted implements [store.SessionCounter].
func (s *Store) CreateCounted(ctx context.Context, session *store.Session) (n int, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		n, err = tx.createCounted(session, s.now())
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (tx *transaction) createCounted(given *store.Session, now time.Time) (int, error) {
	if tx.sessions.get(given.ID) != nil {
		return 0, store.ErrExists
	}
	n := 1
	for _, row := range tx.sessions.members(ofUser(given.UserID)) {
		if row.ExpiresAt.After(now) {
			n++
		}
	}
	tx.sessions.set(given.ID, newSession(given, nil))
	return n, nil
}
