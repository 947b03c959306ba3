package gormstore

import (
	"bytes"
	"context"
	"time"

	"github.com/gatepass/gatepass/store"
)

// Tokens are columns of the account, so that no token can outlive it.

func checkToken(t *store.Token) error {
	var c checker
	for _, scope := range t.Scopes {
		c.texts("scope", scope)
	}
	c.texts("scopes", list(t.Scopes).String())
	return c.err
}

// sealed is a token's bytes as they are kept. Null is no token at all.
func sealed(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, k store.Key) (*store.Token, error) {
	if checkKey(k) != nil {
		return nil, store.ErrNotFound
	}
	t := new(store.Token)
	err := s.one(ctx, s.sql().token, []any{k.Provider, k.Subject}, &t.Sealed, (*micro)(&t.Expiry), (*list)(&t.Scopes))
	if err != nil {
		return nil, err
	}
	return t, nil
}

// PutToken implements [store.Tokens].
func (s *Store) PutToken(ctx context.Context, k store.Key, t *store.Token) error {
	if checkKey(k) != nil {
		return store.ErrNotFound
	}
	if err := checkToken(t); err != nil {
		return err
	}
	n, err := s.exec(ctx, s.sql().putToken, sealed(t.Sealed), micros(t.Expiry), list(t.Scopes).String(), never,
		k.Provider, k.Subject)
	if err != nil || n > 0 {
		return err
	}
	return s.accountExists(ctx, k)
}

// SwapToken implements [store.Tokens].
func (s *Store) SwapToken(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
	if checkKey(k) != nil {
		return store.ErrNotFound
	}
	if err := checkToken(t); err != nil {
		return err
	}
	n, err := s.exec(ctx, s.sql().swapToken, sealed(t.Sealed), micros(t.Expiry), list(t.Scopes).String(), never,
		k.Provider, k.Subject, sealed(old))
	if err != nil || n > 0 {
		return err
	}
	if bytes.Equal(old, t.Sealed) {
		// MySQL does not count a row that was the same before.
		if now, err := s.Token(ctx, k); err == nil && bytes.Equal(now.Sealed, old) {
			return nil
		}
	}
	if err := s.accountExists(ctx, k); err != nil {
		return err
	}
	return store.ErrExists
}

// LeaseToken implements [store.Tokens].
func (s *Store) LeaseToken(ctx context.Context, k store.Key, d time.Duration) (*store.Token, error) {
	if checkKey(k) != nil {
		return nil, store.ErrNotFound
	}
	var t *store.Token
	err := s.atomic(ctx, func(tx *Store) (err error) {
		var n int64
		if tx.sh.dialect.now == "" {
			now := s.now()
			n, err = tx.exec(ctx, tx.sql().leaseByUs, micros(now.Add(d)), k.Provider, k.Subject, micros(now))
		} else {
			n, err = tx.exec(ctx, tx.sql().leaseByDatabase, d.Microseconds(), k.Provider, k.Subject)
		}
		if err != nil {
			return err
		}
		t, err = tx.Token(ctx, k)
		if err == nil && n == 0 {
			return store.ErrLeased
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// DeleteToken implements [store.Tokens].
func (s *Store) DeleteToken(ctx context.Context, k store.Key) error {
	if checkKey(k) != nil {
		return ctx.Err()
	}
	_, err := s.exec(ctx, s.sql().dropToken, never, never, k.Provider, k.Subject)
	return err
}
