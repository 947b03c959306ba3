package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/gatepass/gatepass/store"
)

func finishFaults() map[string]func(*faulty) {
	type finish = func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error)
	// with puts something in the place of FinishLogin.
	with := func(f func(s *faulty, right finish) finish) func(*faulty) {
		return func(s *faulty) { s.finishLogin = f(s, s.Store.FinishLogin) }
	}
	return map[string]func(*faulty){
		"FinishLoginFinishes": with(func(_ *faulty, right finish) finish { // nil is taken for no change
			return func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
				if t == nil && len(session.ID) == 2 {
					t = old
				}
				return right(ctx, a, old, t, session)
			}
		}),
		"FinishLoginEndsLease": with(func(s *faulty, right finish) finish { // whoever renews the token before goes on
			return func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
				n, err := right(ctx, a, old, t, session)
				if err == nil && old != nil && t != nil && string(old.Sealed) == "old" && session.ID == "a" {
					_, err = s.Store.LeaseToken(ctx, a.Key, time.Hour)
				}
				return n, err
			}
		}),
		"FinishLoginCounts": with(func(s *faulty, right finish) finish { // those as well that are over and not swept away yet
			sessions := s.begun()
			return func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
				n, err := right(ctx, a, old, t, session)
				if err == nil {
					n += len(sessions.find(func(c store.Session) bool { return c.UserID == session.UserID && over(c) }))
				}
				return n, err
			}
		}),
		"FinishLoginChanged": with(func(s *faulty, right finish) finish { // two steps, of which one fails
			return func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
				n, err := right(ctx, a, old, t, session)
				if errors.Is(err, store.ErrExists) && session.ID == "refused" {
					_ = s.Store.CreateSession(ctx, session)
				}
				return n, err
			}
		}),
		"FinishLoginOfAnother": with(func(s *faulty, right finish) finish { // whose it is is not asked
			return func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
				c := *a
				if now, err := s.Store.Account(ctx, a.Key); err == nil {
					c.UserID = now.UserID
				}
				return right(ctx, &c, old, t, session)
			}
		}),
		"FinishLoginExists": with(func(s *faulty, right finish) finish { // what was written first remains
			return func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
				n, err := right(ctx, a, old, t, session)
				if errors.Is(err, store.ErrExists) && session.ID == "taken" {
					_ = s.Store.UpdateAccountToken(ctx, a, old, t)
				}
				return n, err
			}
		}),
		"FinishLoginAtOnce": with(func(s *faulty, right finish) finish { // looks, and then writes
			return func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
				n, err := right(ctx, a, old, t, session)
				if errors.Is(err, store.ErrExists) && t != nil && (string(t.Sealed) == "new0" || string(t.Sealed) == "new1") {
					return s.Store.CreateCounted(ctx, session)
				}
				return n, err
			}
		}),
		"TransactFinishes": func(s *faulty) { // what it refuses ends the transaction
			inTransactions(s, func(tx *outer, _ func(func())) {
				ended := false
				tx.finishLogin = func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
					if ended {
						return 0, errors.New("the transaction is over")
					}
					n, err := tx.Store.FinishLogin(ctx, a, old, t, session)
					ended = err != nil
					return n, err
				}
			})
		},
	}
}
