package gormstore

import (
	"bytes"
	"context"

	"github.com/gatepass/gatepass/store"
)

// SessionValues implements [store.SessionValuer].
func (s *Store) SessionValues(ctx context.Context, id string) (*store.Session, []byte, error) {
	if bad(id) {
		return nil, nil, store.ErrNotFound
	}
	session := &store.Session{ID: id}
	var values []byte
	if err := s.one(ctx, s.sql().sessionValues, []any{id, micros(s.now())}, append(appendSession(nil, session), &values)...); err != nil {
		return nil, nil, err
	}
	return session, values, nil
}

// SwapSessionValues implements [store.SessionValuer].
func (s *Store) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	if bad(id) {
		return store.ErrNotFound
	}
	if err := checkValues(values); err != nil {
		return err
	}
	same := bytes.Equal(old, values)
	if !same {
		query, args := s.sql().firstValues, []any{kept(values), id, micros(s.now())}
		if len(old) > 0 {
			query, args = s.sql().swapValues, append(args, old)
		}
		n, err := s.exec(ctx, query, args...)
		if err != nil || n > 0 {
			return err
		}
	}
	_, now, err := s.SessionValues(ctx, id)
	if err != nil {
		return err
	}
	if same && bytes.Equal(now, old) {
		return nil
	}
	return store.ErrExists
}
