package memstore

import (
	"bytes"
	"context"

	"github.com/gatepass/gatepass/store"
)

// AccountUser implements [store.LoginKeeper].
func (s *Store) AccountUser(ctx context.Context, k store.Key) (*store.Account, *store.User, *store.Token, error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, nil, err
	}
	defer s.leave()
	row := s.accounts().get(k)
	if row == nil {
		return nil, nil, nil, store.ErrNotFound
	}
	user := s.users().get(row.UserID)
	if user == nil {
		return nil, nil, nil, store.ErrNotFound
	}
	a, u := copied(row.Account), *user
	if row.token == nil {
		return &a, &u, nil, nil
	}
	return &a, &u, copiedToken(row.token), nil
}

// UpdateAccountToken implements [store.LoginKeeper].
func (s *Store) UpdateAccountToken(ctx context.Context, a *store.Account, old, t *store.Token) error {
	return s.write(ctx, func(tx *transaction) error { return tx.updateAccountToken(a, old, t) })
}

func (tx *transaction) updateAccountToken(a *store.Account, old, t *store.Token) error {
	was := tx.accounts.get(a.Key)
	if was == nil || was.UserID != a.UserID {
		return store.ErrNotFound
	}
	if (was.token == nil) != (old == nil) || old != nil && !bytes.Equal(was.token.Sealed, old.Sealed) {
		return store.ErrExists
	}
	row := &account{Account: copied(*a)}
	row.CreatedAt, row.UpdatedAt = was.CreatedAt, utc(a.UpdatedAt)
	if t != nil {
		row.token = copiedToken(t)
	}
	tx.accounts.set(a.Key, row)
	return nil
}

// FinishLogin implements [store.LoginFinisher].
func (s *Store) FinishLogin(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (n int, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		if tx.sessions.get(session.ID) != nil {
			return store.ErrExists
		}
		if err := tx.updateAccountToken(a, old, t); err != nil {
			return err
		}
		n, err = tx.createCounted(session, s.now())
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
