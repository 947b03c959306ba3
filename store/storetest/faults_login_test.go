package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
)

func loginFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"AccountUserFinds": func(s *faulty) { // a cache that nobody empties
			var users sync.Map
			s.accountUser = func(ctx context.Context, k store.Key) (*store.Account, *store.User, *store.Token, error) {
				a, u, t, err := s.Store.AccountUser(ctx, k)
				if err == nil {
					first, _ := users.LoadOrStore(k, *u)
					c := first.(store.User)
					u = &c
				}
				return a, u, t, err
			}
		},
		"AccountUserNotThere": func(s *faulty) { // a collation that ignores case
			s.accountUser = func(ctx context.Context, k store.Key) (*store.Account, *store.User, *store.Token, error) {
				k.Subject = strings.ToLower(k.Subject)
				return s.Store.AccountUser(ctx, k)
			}
		},
		"UpdateAccountTokenKeeps": func(s *faulty) { // nil is taken for no change
			s.updateAccountToken = func(ctx context.Context, a *store.Account, old, t *store.Token) error {
				if t == nil {
					t = old
				}
				return s.Store.UpdateAccountToken(ctx, a, old, t)
			}
		},
		"UpdateAccountTokenChanged": func(s *faulty) { // two steps, of which one fails
			s.updateAccountToken = func(ctx context.Context, a *store.Account, old, t *store.Token) error {
				err := s.Store.UpdateAccountToken(ctx, a, old, t)
				if errors.Is(err, store.ErrExists) {
					err = errors.Join(s.Store.UpdateAccount(ctx, a), err)
				}
				return err
			}
		},
		"UpdateAccountTokenOfAnother": func(s *faulty) {
			s.updateAccountToken = func(ctx context.Context, a *store.Account, old, t *store.Token) error {
				c := *a
				if now, err := s.Store.Account(ctx, a.Key); err == nil {
					c.UserID = now.UserID
				}
				return s.Store.UpdateAccountToken(ctx, &c, old, t)
			}
		},
		"UpdateAccountTokenNoAccount": func(s *faulty) {
			s.updateAccountToken = func(ctx context.Context, a *store.Account, old, t *store.Token) error {
				_, there := s.Store.Account(ctx, a.Key)
				return but(s.Store.UpdateAccountToken(ctx, a, old, t), store.ErrNotFound, there != nil)
			}
		},
		"UpdateAccountTokenEndsLease": func(s *faulty) {
			s.updateAccountToken = func(ctx context.Context, a *store.Account, old, t *store.Token) error {
				err := s.Store.UpdateAccountToken(ctx, a, old, t)
				if err == nil && old != nil && t != nil {
					_, err = s.Store.LeaseToken(ctx, a.Key, time.Hour)
				}
				return err
			}
		},
		"UpdateAccountTokenAtOnce": func(s *faulty) {
			s.updateAccountToken = func(ctx context.Context, a *store.Account, old, t *store.Token) error {
				return but(s.Store.UpdateAccountToken(ctx, a, old, t), store.ErrExists, t != nil && (string(t.Sealed) == "new0" || string(t.Sealed) == "new1"))
			}
		},
	}
}
