package memstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// CreateRemembered implements [store.Rememberer].
func (s *Store) CreateRemembered(ctx context.Context, r *store.Remembered) error {
	return s.write(ctx, func(tx *transaction) error {
		if tx.remembered.get(r.ID) != nil {
			return store.ErrExists
		}
		tx.remembered.set(r.ID, copiedRemembered(r))
		return nil
	})
}

// Remembered implements [store.Rememberer].
func (s *Store) Remembered(ctx context.Context, id string) (*store.Remembered, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	row := s.remembered().get(id)
	if row == nil || !row.ExpiresAt.After(s.now()) {
		return nil, store.ErrNotFound
	}
	return copiedRemembered(row), nil
}

// SwapRemembered implements [store.Rememberer].
func (s *Store) SwapRemembered(ctx context.Context, validator []byte, r *store.Remembered) error {
	return s.write(ctx, func(tx *transaction) error {
		old := tx.remembered.get(r.ID)
		if old == nil || !old.ExpiresAt.After(s.now()) {
			return store.ErrNotFound
		}
		if !bytes.Equal(old.Validator, validator) {
			return store.ErrExists
		}
		row := copiedRemembered(r)
		row.UserID, row.CreatedAt = old.UserID, old.CreatedAt
		tx.remembered.set(r.ID, row)
		return nil
	})
}

// UserRemembered implements [store.Rememberer].
func (s *Store) UserRemembered(ctx context.Context, userID string) ([]store.Remembered, error) {
	return s.listRemembered(ctx, ofUser(userID))
}

// SIDRemembered implements [store.Rememberer].
func (s *Store) SIDRemembered(ctx context.Context, provider, sid string) ([]store.Remembered, error) {
	return s.listRemembered(ctx, ofSID(provider, sid))
}

// listRemembered returns those of a group that have not expired, latest used
// first.
func (s *Store) listRemembered(ctx context.Context, g group) ([]store.Remembered, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	now := s.now()
	var list []store.Remembered
	for _, row := range s.remembered().members(g) {
		if row.ExpiresAt.After(now) {
			list = append(list, *copiedRemembered(row))
		}
	}
	slices.SortFunc(list, func(a, b store.Remembered) int {
		return cmp.Or(b.UsedAt.Compare(a.UsedAt), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// DeleteRemembered implements [store.Rememberer].
func (s *Store) DeleteRemembered(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.remembered.set(id, nil)
		return nil
	})
}

// DeleteUserRemembered implements [store.Rememberer].
func (s *Store) DeleteUserRemembered(ctx context.Context, userID, except string) error {
	return s.write(ctx, func(tx *transaction) error {
		for _, row := range tx.remembered.members(ofUser(userID)) {
			if except == "" || row.ID != except {
				tx.remembered.set(row.ID, nil)
			}
		}
		return nil
	})
}

// copiedRemembered returns a copy that shares no memory with r.
func copiedRemembered(r *store.Remembered) *store.Remembered {
	c := *r
	c.Validator, c.Former = bytes.Clone(r.Validator), bytes.Clone(r.Former)
	for _, t := range []*time.Time{&c.CreatedAt, &c.UsedAt, &c.ExpiresAt} {
		*t = utc(*t)
	}
	return &c
}
