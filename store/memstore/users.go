package memstore

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/gatepass/gatepass/store"
)

// User implements [store.Users].
func (s *Store) User(ctx context.Context, id string) (*store.User, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	row := s.users().get(id)
	if row == nil {
		return nil, store.ErrNotFound
	}
	u := *row
	return &u, nil
}

// UpdateUser implements [store.Users].
func (s *Store) UpdateUser(ctx context.Context, u *store.User) error {
	return s.write(ctx, func(tx *transaction) error {
		old := tx.users.get(u.ID)
		if old == nil {
			return store.ErrNotFound
		}
		row := *u
		row.CreatedAt, row.UpdatedAt = old.CreatedAt, s.now()
		tx.users.set(u.ID, &row)
		tx.changedUser(u.ID)
		return nil
	})
}

// UserByEmail implements [store.Users].
func (s *Store) UserByEmail(ctx context.Context, email string) (*store.User, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	list := s.users().members(ofEmail(email))
	switch len(list) {
	case 0:
		return nil, store.ErrNotFound
	case 1:
	default:
		return nil, store.ErrAmbiguous
	}
	u := *list[0]
	return &u, nil
}

// DeleteUser implements [store.Users].
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *transaction) error {
		for _, row := range tx.accounts.members(ofUser(id)) {
			tx.accounts.set(row.Key, nil)
		}
		for _, row := range tx.sessions.members(ofUser(id)) {
			tx.sessions.set(row.ID, nil)
		}
		for _, row := range tx.remembered.members(ofUser(id)) {
			tx.remembered.set(row.ID, nil)
		}
		tx.users.set(id, nil)
		tx.changedUser(id)
		return nil
	})
}

// newID returns 130 random bits that are the same in any case of letters.
func newID() string { return strings.ToLower(rand.Text()) }
