package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
)

func tokenFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"TokenNotThere": func(s *faulty) {
			s.token = func(ctx context.Context, k store.Key) (*store.Token, error) {
				if k == (store.Key{}) {
					return nil, nil
				}
				return s.Store.Token(ctx, k)
			}
		},
		"PutTokenStores": func(s *faulty) { // scopes in one column, with spaces between
			s.putToken = func(ctx context.Context, k store.Key, t *store.Token) error {
				c := *t
				c.Scopes = strings.Fields(strings.Join(t.Scopes, " "))
				return s.Store.PutToken(ctx, k, &c)
			}
		},
		"PutTokenNoAccount": func(s *faulty) {
			s.putToken = func(ctx context.Context, k store.Key, t *store.Token) error {
				return but(s.Store.PutToken(ctx, k, t), store.ErrNotFound, true)
			}
		},
		"SealedIsBytes": func(s *faulty) {
			s.putToken = func(ctx context.Context, k store.Key, t *store.Token) error {
				c := *t
				c.Sealed = c.Sealed[:min(len(c.Sealed), 65535)]
				return s.Store.PutToken(ctx, k, &c)
			}
		},
		"SwapTokenSwaps": func(s *faulty) {
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				return s.Store.SwapToken(ctx, k, old, &store.Token{Sealed: t.Sealed})
			}
		},
		"SwapTokenChanged": func(s *faulty) {
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				if now, err := s.Store.Token(ctx, k); err == nil && bytes.EqualFold(now.Sealed, old) {
					old = now.Sealed
				}
				return s.Store.SwapToken(ctx, k, old, t)
			}
		},
		"SwapTokenNoToken": func(s *faulty) {
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				if _, err := s.Store.Token(ctx, k); errors.Is(err, store.ErrNotFound) && len(old) == 0 {
					return s.Store.PutToken(ctx, k, t)
				}
				return s.Store.SwapToken(ctx, k, old, t)
			}
		},
		"SwapTokenNoAccount": func(s *faulty) {
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				return but(s.Store.SwapToken(ctx, k, old, t), store.ErrNotFound, true)
			}
		},
		"SwapTokenAtOnce": func(s *faulty) {
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				return but(s.Store.SwapToken(ctx, k, old, t), store.ErrExists, string(t.Sealed) == "new0" || string(t.Sealed) == "new1")
			}
		},
		"DeleteTokenForgets": func(s *faulty) {
			s.deleteToken = func(ctx context.Context, k store.Key) error { return ctx.Err() }
		},
		"DeleteTokenNotThere": func(s *faulty) {
			s.deleteToken = func(ctx context.Context, k store.Key) error {
				if _, err := s.Store.Token(ctx, k); err != nil {
					return err
				}
				return s.Store.DeleteToken(ctx, k)
			}
		},
	}
}

func leaseFaults() map[string]func(*faulty) {
	lease := func(s *faulty, f func(k store.Key, d time.Duration, t *store.Token, err error) (*store.Token, error)) {
		s.leaseToken = func(ctx context.Context, k store.Key, d time.Duration) (*store.Token, error) {
			t, err := s.Store.LeaseToken(ctx, k, d)
			return f(k, d, t, err)
		}
	}
	return map[string]func(*faulty){
		"LeaseTokenReturns": func(s *faulty) {
			lease(s, func(_ store.Key, _ time.Duration, t *store.Token, err error) (*store.Token, error) {
				if err == nil {
					t.Expiry = time.Time{}
				}
				return t, err
			})
		},
		"LeaseTokenNoToken": func(s *faulty) {
			lease(s, func(_ store.Key, _ time.Duration, t *store.Token, err error) (*store.Token, error) {
				return t, but(err, store.ErrNotFound, true)
			})
		},
		"LeaseTokenHeld": func(s *faulty) { // one lock for all
			lease(s, func(k store.Key, _ time.Duration, t *store.Token, err error) (*store.Token, error) {
				if err == nil && k.Subject == "bob" {
					err = store.ErrLeased
				}
				return t, err
			})
		},
		"LeaseTokenAtOnce": func(s *faulty) {
			lease(s, func(k store.Key, _ time.Duration, t *store.Token, err error) (*store.Token, error) {
				return t, but(err, store.ErrLeased, k.Subject == "kim")
			})
		},
		"LeaseTokenEnds": func(s *faulty) {
			s.leaseToken = func(ctx context.Context, k store.Key, d time.Duration) (*store.Token, error) {
				if d < time.Second {
					d = 1
				}
				return s.Store.LeaseToken(ctx, k, d)
			}
		},
		"LeaseTokenLocksNothing": func(s *faulty) { // a row lock that is held
			var leased sync.Map
			lease(s, func(k store.Key, _ time.Duration, t *store.Token, err error) (*store.Token, error) {
				if err == nil {
					leased.Store(k, true)
				}
				return t, err
			})
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				leased.Delete(k)
				return s.Store.SwapToken(ctx, k, old, t)
			}
			s.updateAccount = func(ctx context.Context, a *store.Account) error {
				if _, ok := leased.Load(a.Key); ok {
					return errors.New("locked")
				}
				return s.Store.UpdateAccount(ctx, a)
			}
		},
		"PutTokenEndsLease": func(s *faulty) {
			s.putToken = func(ctx context.Context, k store.Key, t *store.Token) error {
				_, held := s.Store.LeaseToken(ctx, k, 0)
				err := s.Store.PutToken(ctx, k, t)
				if errors.Is(held, store.ErrLeased) {
					_, _ = s.Store.LeaseToken(ctx, k, time.Minute)
				}
				return err
			}
		},
		"SwapTokenEndsLease": func(s *faulty) {
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				err := s.Store.SwapToken(ctx, k, old, t)
				if err == nil && bytes.Equal(old, t.Sealed) { // "no row was changed"
					_, _ = s.Store.LeaseToken(ctx, k, time.Minute)
				}
				return err
			}
		},
		"SwapTokenRefusedKeepsLease": func(s *faulty) {
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				err := s.Store.SwapToken(ctx, k, old, t)
				if now, e := s.Store.Token(ctx, k); e == nil && errors.Is(err, store.ErrExists) {
					_ = s.Store.PutToken(ctx, k, now)
				}
				return err
			}
		},
	}
}
