package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func finderFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"SessionUserFinds": func(s *faulty) { // a cache that nobody empties
			var users sync.Map
			s.sessionUser = func(ctx context.Context, id string) (*store.Session, *store.User, error) {
				session, u, err := s.Store.SessionUser(ctx, id)
				if err == nil {
					first, _ := users.LoadOrStore(id, *u)
					c := first.(store.User)
					u = &c
				}
				return session, u, err
			}
		},
		"SessionUserNotThere": func(s *faulty) {
			s.sessionUser = func(ctx context.Context, id string) (*store.Session, *store.User, error) {
				if id == "over" {
					return &store.Session{ID: id}, &store.User{}, nil
				}
				return s.Store.SessionUser(ctx, id)
			}
		},
		"SessionUserNoUser": func(s *faulty) { // an outer join
			s.sessionUser = func(ctx context.Context, id string) (*store.Session, *store.User, error) {
				session, u, err := s.Store.SessionUser(ctx, id)
				if errors.Is(err, store.ErrNotFound) && id == "s1" {
					return &store.Session{ID: id}, &store.User{}, nil
				}
				return session, u, err
			}
		},
	}
}

// faultyTx is a transaction's store with a fault.
type faultyTx struct {
	*memstore.Store
	account    func(context.Context, store.Key) (*store.Account, error)
	createUser func(context.Context, *store.User, *store.Account) error
}

func (s faultyTx) Account(ctx context.Context, k store.Key) (*store.Account, error) {
	return s.account(ctx, k)
}

func (s faultyTx) CreateUser(ctx context.Context, u *store.User, a *store.Account) error {
	return s.createUser(ctx, u, a)
}

func transactionFaults() map[string]func(*faulty) {
	within := func(s *faulty, f func(tx store.Store) store.Store) {
		s.transact = func(ctx context.Context, g func(store.Store) error) error {
			return s.Store.Transact(ctx, func(tx store.Store) error { return g(f(tx)) })
		}
	}
	return map[string]func(*faulty){
		"TransactKeeps": func(s *faulty) {
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				err := s.Store.Transact(ctx, f)
				if err == nil {
					_ = s.Store.DeleteSession(ctx, "new")
				}
				return err
			}
		},
		"TransactSeesItself": func(s *faulty) {
			within(s, func(tx store.Store) store.Store {
				return faultyTx{Store: tx.(*memstore.Store), account: s.Store.Account, createUser: tx.CreateUser}
			})
		},
		"TransactUndoesOnError": func(s *faulty) { // marks are elsewhere
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				err := s.Store.Transact(ctx, f)
				if err != nil {
					_ = s.Store.Mark(ctx, "f:new", time.Now().Add(time.Hour))
				}
				return err
			}
		},
		"TransactUndoesOnPanic": func(s *faulty) {
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				returned := false
				defer func() {
					if !returned {
						_ = s.Store.Mark(ctx, "f:new", time.Now().Add(time.Hour))
					}
				}()
				err := s.Store.Transact(ctx, f)
				returned = true
				return err
			}
		},
		"TransactContextDone": func(s *faulty) {
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				return errors.Join(s.Store.Transact(context.WithoutCancel(ctx), f), ctx.Err())
			}
		},
		"TransactKeyTaken": func(s *faulty) {
			within(s, func(tx store.Store) store.Store {
				return faultyTx{Store: tx.(*memstore.Store), account: tx.Account, createUser: orphaned(tx, "second@example.com")}
			})
		},
		"TransactAtOnce": func(s *faulty) {
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				return but(s.Store.Transact(ctx, f), store.ErrExists, true)
			}
		},
	}
}
