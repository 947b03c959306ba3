package gormstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/gatepass/gatepass/store"
)

// AccountUser implements [store.LoginKeeper].
func (s *Store) AccountUser(ctx context.Context, k store.Key) (*store.Account, *store.User, *store.Token, error) {
	if checkKey(k) != nil {
		return nil, nil, nil, store.ErrNotFound
	}
	a, u, t := new(store.Account), new(store.User), new(store.Token)
	dest := append(scannedAccount(a), &t.Sealed, (*micro)(&t.Expiry), (*list)(&t.Scopes))
	if err := s.one(ctx, s.sql().accountUser, []any{k.Provider, k.Subject}, appendUser(dest, u)...); err != nil {
		return nil, nil, nil, err
	}
	// As in User.
	if u.ID != a.UserID {
		return nil, nil, nil, store.ErrNotFound
	}
	if t.Sealed == nil {
		t = nil
	}
	return a, u, t, nil
}

// UpdateAccountToken implements [store.LoginKeeper].
func (s *Store) UpdateAccountToken(ctx context.Context, a *store.Account, old, t *store.Token) error {
	args, err := s.accountTokenArgs(a, old, t)
	if err != nil {
		return err
	}
	n, err := s.exec(ctx, s.sql().updateAccountToken, args...)
	if err != nil || n > 0 {
		return err
	}
	return s.mayKeep(ctx, a, old)
}

// accountTokenArgs checks an account and its token, and returns what a statement
// that keeps them gets.
func (s *Store) accountTokenArgs(a *store.Account, old, t *store.Token) ([]any, error) {
	if checkKey(a.Key) != nil || s.badUser(a.UserID) {
		return nil, store.ErrNotFound
	}
	if err := checkAccount(a); err != nil {
		return nil, err
	}
	var was, now, scopes any // null where there is no token
	expiry := never
	if old != nil {
		was = sealed(old.Sealed)
	}
	if t != nil {
		if err := checkToken(t); err != nil {
			return nil, err
		}
		now, expiry, scopes = sealed(t.Sealed), micros(t.Expiry), list(t.Scopes).String()
	}
	return []any{a.Issuer, a.Email, a.Name, a.Username, a.AvatarURL, profileText(a.Profile), micros(a.UpdatedAt),
		now, expiry, scopes, never, a.Provider, a.Subject, a.UserID, was}, nil
}

// mayKeep returns the error that says why an account and its token were not kept,
// or nil if they could be.
func (s *Store) mayKeep(ctx context.Context, a *store.Account, old *store.Token) error {
	is, _, found, err := s.AccountUser(ctx, a.Key)
	if err != nil {
		return err
	}
	if is.UserID != a.UserID {
		return store.ErrNotFound
	}
	if (found == nil) != (old == nil) || old != nil && !bytes.Equal(found.Sealed, old.Sealed) {
		return store.ErrExists
	}
	return nil // MySQL does not count a row that was the same before
}

// FinishLogin implements [store.LoginFinisher]. On MySQL and MariaDB, where two
// writes are quicker, the error wraps [errors.ErrUnsupported].
func (s *Store) FinishLogin(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (n int, err error) {
	if s.sh != nil && s.sh.apart {
		return 0, fmt.Errorf("gormstore: a login is kept in two steps: %w", errors.ErrUnsupported)
	}
	if s.sh != nil && s.sh.numbered && s.tx == nil && session.UserID != "" {
		return s.finishAtOnce(ctx, a, old, t, session)
	}
	err = s.transact(ctx, func(tx *Store) error {
		if err := tx.UpdateAccountToken(ctx, a, old, t); err != nil {
			return err
		}
		n, err = tx.CreateCounted(ctx, session)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// finishAtOnce is FinishLogin in one statement, for PostgreSQL outside a
// transaction: one in which it fails would be over.
func (s *Store) finishAtOnce(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
	kept, err := s.accountTokenArgs(a, old, t)
	if err != nil {
		return 0, err
	}
	begun, err := s.sessionArgs(session)
	if err != nil {
		return 0, err
	}
	n, err := s.insertCounted(ctx, s.sql().finishLogin, append(append(kept, begun...), session.UserID, micros(s.now())))
	switch {
	case taken(err):
		return 0, store.ErrExists
	case err == store.ErrExists: // of the session's ID, or because the account is another
		if err := s.mayKeep(ctx, a, old); err != nil {
			return 0, err
		}
	}
	return n, err
}
