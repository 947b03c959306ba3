package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
)

// kept is what a faulty store remembers that it should not.
type kept[V any] struct {
	mu   sync.Mutex
	list []V
}

func (k *kept[V]) add(v ...V) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = append(k.list, v...)
}

func (k *kept[V]) find(f func(V) bool) (found []V) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range k.list {
		if f(v) {
			found = append(found, v)
		}
	}
	return found
}

// signUps makes s remember users as they were when they signed up.
func (s *faulty) signUps() *kept[store.User] {
	users := new(kept[store.User])
	create := s.createUser
	s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
		err := create(ctx, u, a)
		if err == nil {
			users.add(*u)
		}
		return err
	}
	return users
}

// instead returns v if err says that something is not there, and something is
// remembered in its place.
func instead[V any](v *V, err error, from []V) (*V, error) {
	if errors.Is(err, store.ErrNotFound) && len(from) > 0 {
		return &from[0], nil
	}
	return v, err
}

func userFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"UserNotThere": func(s *faulty) {
			s.user = func(ctx context.Context, id string) (*store.User, error) {
				if id == "%" {
					return nil, nil
				}
				return s.Store.User(ctx, id)
			}
		},
		"UpdateUserReplaces": func(s *faulty) { // what GORM's Updates does with a struct
			s.updateUser = func(ctx context.Context, u *store.User) error {
				c := *u
				if old, err := s.Store.User(ctx, u.ID); err == nil && c.Email == "" {
					c.Email = old.Email
				}
				return s.Store.UpdateUser(ctx, &c)
			}
		},
		"UpdateUserKeepsCreatedAt": func(s *faulty) {
			updates := new(kept[store.User])
			s.updateUser = func(ctx context.Context, u *store.User) error {
				updates.add(*u)
				return s.Store.UpdateUser(ctx, u)
			}
			s.user = func(ctx context.Context, id string) (*store.User, error) {
				u, err := s.Store.User(ctx, id)
				for _, c := range updates.find(func(c store.User) bool { return err == nil && c.ID == id }) {
					u.CreatedAt = c.CreatedAt
				}
				return u, err
			}
		},
		"UpdateUserSetsUpdatedAt": func(s *faulty) {
			updates := new(kept[store.User])
			s.updateUser = func(ctx context.Context, u *store.User) error {
				updates.add(*u)
				return s.Store.UpdateUser(ctx, u)
			}
			s.user = func(ctx context.Context, id string) (*store.User, error) {
				u, err := s.Store.User(ctx, id)
				for _, c := range updates.find(func(c store.User) bool { return err == nil && c.ID == id }) {
					u.UpdatedAt = c.UpdatedAt
				}
				return u, err
			}
		},
		"UpdateUserNotThere": func(s *faulty) {
			s.updateUser = func(ctx context.Context, u *store.User) error {
				if err := s.Store.UpdateUser(ctx, u); !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return nil
			}
		},
		"UpdateUserOfOne": func(s *faulty) { // a WHERE clause is missing
			users := s.signUps()
			s.updateUser = func(ctx context.Context, u *store.User) error {
				for _, other := range users.find(func(c store.User) bool { return c.ID != u.ID }) {
					if now, err := s.Store.User(ctx, other.ID); err == nil {
						now.Name = u.Name
						_ = s.Store.UpdateUser(ctx, now)
					}
				}
				return s.Store.UpdateUser(ctx, u)
			}
		},
		"DeleteUserRemoves": func(s *faulty) {
			users := s.signUps()
			s.user = func(ctx context.Context, id string) (*store.User, error) {
				u, err := s.Store.User(ctx, id)
				return instead(u, err, users.find(func(c store.User) bool { return c.ID == id }))
			}
		},
		"DeleteUserRemovesAccounts": func(s *faulty) {
			orphans := new(kept[store.Account])
			s.deleteUser = func(ctx context.Context, id string) error {
				list, _ := s.Store.UserAccounts(ctx, id)
				orphans.add(list...)
				return s.Store.DeleteUser(ctx, id)
			}
			s.account = func(ctx context.Context, k store.Key) (*store.Account, error) {
				a, err := s.Store.Account(ctx, k)
				return instead(a, err, orphans.find(func(a store.Account) bool { return a.Key == k }))
			}
		},
		"DeleteUserRemovesTokens": func(s *faulty) {
			type row struct {
				store.Key
				store.Token
			}
			orphans := new(kept[row])
			s.deleteUser = func(ctx context.Context, id string) error {
				list, _ := s.Store.UserAccounts(ctx, id)
				for _, a := range list {
					if t, err := s.Store.Token(ctx, a.Key); err == nil {
						orphans.add(row{a.Key, *t})
					}
				}
				return s.Store.DeleteUser(ctx, id)
			}
			s.token = func(ctx context.Context, k store.Key) (*store.Token, error) {
				t, err := s.Store.Token(ctx, k)
				for _, r := range orphans.find(func(r row) bool { return r.Key == k }) {
					return instead(t, err, []store.Token{r.Token})
				}
				return t, err
			}
		},
		"DeleteUserRemovesSessions": func(s *faulty) {
			orphans := new(kept[store.Session])
			s.deleteUser = func(ctx context.Context, id string) error {
				list, _ := s.Store.UserSessions(ctx, id)
				orphans.add(list...)
				return s.Store.DeleteUser(ctx, id)
			}
			s.session = func(ctx context.Context, id string) (*store.Session, error) {
				session, err := s.Store.Session(ctx, id)
				return instead(session, err, orphans.find(func(c store.Session) bool { return c.ID == id }))
			}
		},
		"DeleteUserOfOne": func(s *faulty) {
			s.deleteUser = func(ctx context.Context, id string) error {
				return errors.Join(s.Store.DeleteSession(ctx, "s1"), s.Store.DeleteUser(ctx, id))
			}
		},
		"DeleteUserNotThere": func(s *faulty) {
			s.deleteUser = func(ctx context.Context, id string) error {
				if _, err := s.Store.User(ctx, id); err != nil {
					return err
				}
				return s.Store.DeleteUser(ctx, id)
			}
		},
		"UserIDsNeverUsedAgain": func(s *faulty) { // SQLite's row numbers
			deleted := new(kept[store.User])
			var now sync.Map
			s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
				err := s.Store.CreateUser(ctx, u, a)
				for _, old := range deleted.find(func(c store.User) bool { return err == nil && c.Username == u.Username }) {
					now.Store(old.ID, u.ID)
					u.ID = old.ID
				}
				return err
			}
			s.deleteUser = func(ctx context.Context, id string) error {
				if real, ok := now.Load(id); ok {
					id = real.(string)
				}
				if u, err := s.Store.User(ctx, id); err == nil {
					deleted.add(*u)
				}
				return s.Store.DeleteUser(ctx, id)
			}
		},
	}
}

func emailFaults() map[string]func(*faulty) {
	// orElse makes s find who is remembered and whom pick picks, where it should
	// find nobody.
	orElse := func(s *faulty, users *kept[store.User], pick func(email string, u store.User) bool, enough func(n int) bool) {
		s.userByEmail = func(ctx context.Context, email string) (*store.User, error) {
			u, err := s.Store.UserByEmail(ctx, email)
			found := users.find(func(u store.User) bool { return pick(email, u) })
			if !enough(len(found)) {
				return u, err
			}
			return instead(u, err, found)
		}
	}
	one := func(n int) bool { return n == 1 }
	return map[string]func(*faulty){
		"UserByEmailFinds": func(s *faulty) {
			orElse(s, s.signUps(), func(email string, u store.User) bool {
				return email == "eve@example.com" && u.Username == "bob"
			}, one)
		},
		"UserByEmailIgnoresCase": func(s *faulty) {
			s.userByEmail = func(ctx context.Context, email string) (*store.User, error) {
				u, err := s.Store.UserByEmail(ctx, email)
				if err == nil && u.Email != email {
					return nil, store.ErrNotFound
				}
				return u, err
			}
		},
		"UserByEmailIgnoresNoMore": func(s *faulty) {
			s.userByEmail = func(ctx context.Context, email string) (*store.User, error) {
				return s.Store.UserByEmail(ctx, strings.ToLower(email))
			}
		},
		"UserByEmailUnverified": func(s *faulty) {
			orElse(s, s.signUps(), func(email string, u store.User) bool {
				return u.Email == email && email != "" && !u.EmailVerified
			}, one)
		},
		"UserByEmailOfTwo": func(s *faulty) {
			orElse(s, s.signUps(), func(email string, u store.User) bool {
				return strings.EqualFold(u.Email, email) && u.EmailVerified
			}, func(n int) bool { return n > 1 })
		},
		"UserByEmailOwnOnly": func(s *faulty) {
			orElse(s, s.signUps(), func(email string, u store.User) bool {
				return email == u.Username+"@acme.example"
			}, one)
		},
		"UserByEmailAfterUpdate": func(s *faulty) {
			orElse(s, s.signUps(), func(email string, u store.User) bool {
				return email == "old@example.com" && u.Email == email
			}, one)
		},
	}
}

func contextFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"ContextDone": func(s *faulty) {
			s.deleteToken = func(ctx context.Context, k store.Key) error {
				return s.Store.DeleteToken(context.WithoutCancel(ctx), k)
			}
		},
		"ConcurrentUse": func(s *faulty) { // one buffer for all
			var mu sync.Mutex
			var last []byte
			meet := make(chan struct{})
			put := func(k store.Key, err error, t *store.Token) error {
				if err != nil {
					return err
				}
				mu.Lock()
				last = t.Sealed
				mu.Unlock()
				if strings.HasPrefix(k.Subject, "user") {
					select { // two at a time
					case meet <- struct{}{}:
					case <-meet:
					case <-time.After(time.Second):
					}
				}
				return nil
			}
			s.putToken = func(ctx context.Context, k store.Key, t *store.Token) error {
				return put(k, s.Store.PutToken(ctx, k, t), t)
			}
			s.swapToken = func(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
				return put(store.Key{}, s.Store.SwapToken(ctx, k, old, t), t)
			}
			s.leaseToken = func(ctx context.Context, k store.Key, d time.Duration) (*store.Token, error) {
				t, err := s.Store.LeaseToken(ctx, k, d)
				if err == nil {
					mu.Lock()
					t.Sealed = append([]byte(nil), last...)
					mu.Unlock()
				}
				return t, err
			}
		},
	}
}
