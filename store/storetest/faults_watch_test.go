package storetest

import (
	"context"
	"sync/atomic"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// deaf makes s not tell of changes that drop picks.
func (s *faulty) deaf(drop func(store.Change) bool) {
	s.watch = func(f func(store.Change)) func() {
		return s.Store.Watch(func(c store.Change) {
			if !drop(c) {
				f(c)
			}
		})
	}
}

// told makes s remember its watchers, and returns what tells them.
func (s *faulty) told() (tell func(store.Change)) {
	var all kept[func(store.Change)]
	s.watch = func(f func(store.Change)) func() {
		all.add(f)
		return s.Store.Watch(f)
	}
	return func(c store.Change) {
		for _, f := range all.find(func(func(store.Change)) bool { return true }) {
			f(c)
		}
	}
}

func watchFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"WatchSessions": func(s *faulty) { // forgets one way in which they end
			s.deaf(func(c store.Change) bool { return c.SessionID == "RenewSession" })
		},
		"WatchVisitors": func(s *faulty) { // tells users' only
			s.deaf(func(c store.Change) bool { return c.UserID == "" })
		},
		"WatchUsers": func(s *faulty) {
			var quiet atomic.Bool
			s.deaf(func(store.Change) bool { return quiet.Load() })
			s.updateUser = func(ctx context.Context, u *store.User) error {
				quiet.Store(true)
				defer quiet.Store(false)
				return s.Store.UpdateUser(ctx, u)
			}
		},
		"WatchTransact": func(s *faulty) { // the Store of a transaction has other watchers
			var quiet atomic.Bool
			s.deaf(func(store.Change) bool { return quiet.Load() })
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				quiet.Store(true)
				defer quiet.Store(false)
				return s.Store.Transact(ctx, f)
			}
		},
		"WatchTransactEnd": func(s *faulty) { // tells at once
			tell := s.told()
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				return s.Store.Transact(ctx, func(tx store.Store) error { return f(hasty{tx.(*memstore.Store), tell}) })
			}
		},
		"WatchStop": func(s *faulty) { // what is told when nobody listens any more is told all the same
			s.watch = func(f func(store.Change)) func() {
				stop := s.Store.Watch(f)
				return func() {
					stop()
					s.Store.Watch(func(c store.Change) {
						if c.SessionID == "stopped" {
							f(c)
						}
					})
				}
			}
		},
		"WatchAtOnce": func(s *faulty) { // one change at a time
			s.deaf(func(c store.Change) bool { return c.SessionID == "once3" })
		},
	}
}

// hasty is the Store of a transaction that tells before it ends.
type hasty struct {
	*memstore.Store
	tell func(store.Change)
}

func (s hasty) DeleteSession(ctx context.Context, id string) error {
	err := s.Store.DeleteSession(ctx, id)
	if id == "early" {
		s.tell(store.Change{SessionID: id})
	}
	return err
}

// outer is the Store of a transaction of which some methods are not in it.
type outer struct {
	*memstore.Store
	renewSession      func(ctx context.Context, id string, session *store.Session) error
	swapSessionValues func(ctx context.Context, id string, old, values []byte) error
	sidSessions       func(ctx context.Context, provider, sid string) ([]store.Session, error)
	deleteRemembered  func(ctx context.Context, id string) error
	createCounted     func(ctx context.Context, session *store.Session) (int, error)
	finishLogin       func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error)
}

func (s outer) FinishLogin(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
	return s.finishLogin(ctx, a, old, t, session)
}

func (s outer) CreateCounted(ctx context.Context, session *store.Session) (int, error) {
	return s.createCounted(ctx, session)
}

func (s outer) RenewSession(ctx context.Context, id string, session *store.Session) error {
	return s.renewSession(ctx, id, session)
}

func (s outer) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	return s.swapSessionValues(ctx, id, old, values)
}

func (s outer) SIDSessions(ctx context.Context, provider, sid string) ([]store.Session, error) {
	return s.sidSessions(ctx, provider, sid)
}

func (s outer) DeleteRemembered(ctx context.Context, id string) error {
	return s.deleteRemembered(ctx, id)
}

// inTransactions makes fault change the Store of each transaction. What after is
// given runs when the transaction has ended, however that was.
func inTransactions(s *faulty, fault func(tx *outer, after func(func()))) {
	s.transact = func(ctx context.Context, f func(store.Store) error) error {
		var later []func()
		err := s.Store.Transact(ctx, func(tx store.Store) error {
			m := tx.(*memstore.Store)
			o := &outer{m, m.RenewSession, m.SwapSessionValues, m.SIDSessions, m.DeleteRemembered, m.CreateCounted, m.FinishLogin}
			fault(o, func(f func()) { later = append(later, f) })
			return f(*o)
		})
		for _, f := range later {
			f()
		}
		return err
	}
}

func withinFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"TransactDoesAsMuch": func(s *faulty) {
			s.transact = func(ctx context.Context, f func(store.Store) error) error {
				return s.Store.Transact(ctx, func(tx store.Store) error { return f(struct{ store.Store }{tx}) })
			}
		},
		"TransactReplaces": func(s *faulty) { // a renewal outlives the transaction that undoes it
			inTransactions(s, func(tx *outer, after func(func())) {
				tx.renewSession = func(ctx context.Context, id string, session *store.Session) error {
					err := tx.Store.RenewSession(ctx, id, session)
					if err == nil && id == "former" {
						after(func() { _ = s.Store.DeleteSession(ctx, id) })
					}
					return err
				}
			})
		},
		"TransactSwapsValues": func(s *faulty) {
			inTransactions(s, func(tx *outer, after func(func())) {
				tx.swapSessionValues = func(ctx context.Context, id string, old, values []byte) error {
					err := tx.Store.SwapSessionValues(ctx, id, old, values)
					if err == nil {
						after(func() { _ = s.Store.SwapSessionValues(ctx, id, old, values) })
					}
					return err
				}
			})
		},
		"TransactFinds": func(s *faulty) { // asks outside
			inTransactions(s, func(tx *outer, _ func(func())) { tx.sidSessions = s.Store.SIDSessions })
		},
		"TransactRemembers": func(s *faulty) {
			inTransactions(s, func(tx *outer, after func(func())) {
				tx.deleteRemembered = func(ctx context.Context, id string) error {
					after(func() { _ = s.Store.DeleteRemembered(ctx, id) })
					return tx.Store.DeleteRemembered(ctx, id)
				}
			})
		},
	}
}
