package memstore

import (
	"bytes"
	"context"

	"github.com/gatepass/gatepass/store"
)

// SessionValues implements [store.SessionValuer].
func (s *Store) SessionValues(ctx context.Context, id string) (*store.Session, []byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer s.leave()
	row := s.live(s.sessions(), id)
	if row == nil {
		return nil, nil, store.ErrNotFound
	}
	found := row.Session
	return &found, bytes.Clone(row.values), nil
}

// SwapSessionValues implements [store.SessionValuer]. It refuses more than
// [store.MaxValues] bytes, as a database may.
func (s *Store) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	return s.write(ctx, func(tx *transaction) error {
		if len(values) > store.MaxValues {
			return store.ErrBadText
		}
		row := s.live(&tx.sessions, id)
		if row == nil {
			return store.ErrNotFound
		}
		if !bytes.Equal(row.values, old) {
			return store.ErrExists
		}
		tx.sessions.set(id, &session{Session: row.Session, values: bytes.Clone(values)})
		return nil
	})
}
