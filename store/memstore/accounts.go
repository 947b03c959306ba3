package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// Account implements [store.Accounts].
func (s *Store) Account(ctx context.Context, k store.Key) (*store.Account, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	row := s.accounts().get(k)
	if row == nil {
		return nil, store.ErrNotFound
	}
	a := copied(row.Account)
	return &a, nil
}

// UserAccounts implements [store.Accounts].
func (s *Store) UserAccounts(ctx context.Context, userID string) ([]store.Account, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var list []store.Account
	for _, row := range s.accounts().members(ofUser(userID)) {
		list = append(list, copied(row.Account))
	}
	slices.SortFunc(list, func(a, b store.Account) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt),
			cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Subject, b.Subject))
	})
	return list, nil
}

// CreateUser implements [store.Accounts].
func (s *Store) CreateUser(ctx context.Context, u *store.User, a *store.Account) error {
	return s.write(ctx, func(tx *transaction) error {
		if tx.accounts.get(a.Key) != nil {
			return store.ErrExists
		}
		now := s.now()
		u.ID = newID()
		stamp(now, &u.CreatedAt, &u.UpdatedAt)
		user := *u
		tx.users.set(u.ID, &user)
		a.UserID = u.ID
		stamp(now, &a.CreatedAt, &a.UpdatedAt)
		tx.accounts.set(a.Key, &account{Account: copied(*a)})
		return nil
	})
}

// AddAccount implements [store.Accounts].
func (s *Store) AddAccount(ctx context.Context, a *store.Account) error {
	return s.write(ctx, func(tx *transaction) error {
		if tx.users.get(a.UserID) == nil {
			return store.ErrNotFound
		}
		if tx.accounts.get(a.Key) != nil {
			return store.ErrExists
		}
		stamp(s.now(), &a.CreatedAt, &a.UpdatedAt)
		tx.accounts.set(a.Key, &account{Account: copied(*a)})
		return nil
	})
}

// UpdateAccount implements [store.Accounts].
func (s *Store) UpdateAccount(ctx context.Context, a *store.Account) error {
	return s.write(ctx, func(tx *transaction) error {
		old := tx.accounts.get(a.Key)
		if old == nil {
			return store.ErrNotFound
		}
		row := *old
		row.Account = copied(*a)
		row.UserID, row.CreatedAt, row.UpdatedAt = old.UserID, old.CreatedAt, utc(a.UpdatedAt)
		tx.accounts.set(a.Key, &row)
		return nil
	})
}

// RemoveAccount implements [store.Accounts].
func (s *Store) RemoveAccount(ctx context.Context, k store.Key, usable []string) error {
	return s.write(ctx, func(tx *transaction) error {
		row := tx.accounts.get(k)
		if row == nil {
			return store.ErrNotFound
		}
		if !slices.ContainsFunc(tx.accounts.members(ofUser(row.UserID)), func(other *account) bool {
			return other.Key != k && slices.Contains(usable, other.Provider)
		}) {
			return store.ErrLastAccount
		}
		tx.accounts.set(k, nil)
		return nil
	})
}

// copied returns an account that shares no memory with a.
func copied(a store.Account) store.Account {
	a.Profile = slices.Clone(a.Profile)
	return a
}

// stamp sets those of the times that are zero, and brings the others to UTC.
func stamp(now time.Time, times ...*time.Time) {
	for _, t := range times {
		if t.IsZero() {
			*t = now
		}
		*t = utc(*t)
	}
}
