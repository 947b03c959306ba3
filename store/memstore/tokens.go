package memstore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, k store.Key) (*store.Token, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	row := s.accounts().get(k)
	if row == nil || row.token == nil {
		return nil, store.ErrNotFound
	}
	return copiedToken(row.token), nil
}

// PutToken implements [store.Tokens].
func (s *Store) PutToken(ctx context.Context, k store.Key, t *store.Token) error {
	return s.write(ctx, func(tx *transaction) error {
		old := tx.accounts.get(k)
		if old == nil {
			return store.ErrNotFound
		}
		tx.accounts.set(k, &account{Account: old.Account, token: copiedToken(t)})
		return nil
	})
}

// SwapToken implements [store.Tokens].
func (s *Store) SwapToken(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
	return s.write(ctx, func(tx *transaction) error {
		row := tx.accounts.get(k)
		if row == nil {
			return store.ErrNotFound
		}
		if row.token == nil || !bytes.Equal(row.token.Sealed, old) {
			return store.ErrExists
		}
		tx.accounts.set(k, &account{Account: row.Account, token: copiedToken(t)})
		return nil
	})
}

// LeaseToken implements [store.Tokens].
func (s *Store) LeaseToken(ctx context.Context, k store.Key, d time.Duration) (*store.Token, error) {
	var t *store.Token
	err := s.write(ctx, func(tx *transaction) error {
		row := tx.accounts.get(k)
		if row == nil || row.token == nil {
			return store.ErrNotFound
		}
		now := s.now()
		if now.Before(row.lease) {
			return store.ErrLeased
		}
		tx.accounts.set(k, &account{Account: row.Account, token: row.token, lease: now.Add(d)})
		t = copiedToken(row.token)
		return nil
	})
	return t, err
}

// DeleteToken implements [store.Tokens].
func (s *Store) DeleteToken(ctx context.Context, k store.Key) error {
	return s.write(ctx, func(tx *transaction) error {
		if row := tx.accounts.get(k); row != nil && row.token != nil {
			tx.accounts.set(k, &account{Account: row.Account})
		}
		return nil
	})
}

// copiedToken returns a token that shares no memory with t.
func copiedToken(t *store.Token) *store.Token {
	return &store.Token{Sealed: bytes.Clone(t.Sealed), Expiry: utc(t.Expiry), Scopes: slices.Clone(t.Scopes)}
}
