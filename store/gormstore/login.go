package gormstore

import (
	"bytes"
	"context"

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
	if checkKey(a.Key) != nil || s.badUser(a.UserID) {
		return store.ErrNotFound
	}
	if err := checkAccount(a); err != nil {
		return err
	}
	var was, now, scopes any // null where there is no token
	expiry := never
	if old != nil {
		was = sealed(old.Sealed)
	}
	if t != nil {
		if err := checkToken(t); err != nil {
			return err
		}
		now, expiry, scopes = sealed(t.Sealed), micros(t.Expiry), list(t.Scopes).String()
	}
	n, err := s.exec(ctx, s.sql().updateAccountToken, a.Issuer, a.Email, a.Name, a.Username, a.AvatarURL,
		profileText(a.Profile), micros(a.UpdatedAt), now, expiry, scopes, never, a.Provider, a.Subject, a.UserID, was)
	if err != nil || n > 0 {
		return err
	}
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
