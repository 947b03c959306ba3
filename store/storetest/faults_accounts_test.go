package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatepass/gatepass/store"
)

// but returns nil in place of the error want, if when holds.
func but(err, want error, when bool) error {
	if when && errors.Is(err, want) {
		return nil
	}
	return err
}

func accountFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"CreateUserStores": func(s *faulty) {
			s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
				user := *u
				if u.Username == "cleo" {
					user.Locale = ""
				}
				err := s.Store.CreateUser(ctx, &user, a)
				u.ID = user.ID
				u.CreatedAt, u.UpdatedAt = user.CreatedAt, user.UpdatedAt
				return err
			}
		},
		"CreateUserKeepsTimes": func(s *faulty) {
			s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
				if a.UpdatedAt.Year() == 2001 {
					a.UpdatedAt = time.Time{}
				}
				return s.Store.CreateUser(ctx, u, a)
			}
		},
		"CreateUserSetsTimes": func(s *faulty) {
			s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
				before := u.CreatedAt
				err := s.Store.CreateUser(ctx, u, a)
				u.CreatedAt = before
				return err
			}
		},
		"CreateUserKeyTaken": func(s *faulty) { s.createUser = orphaned(s.Store, "second@example.com") },
		"CreateUserAtOnce":   func(s *faulty) { s.createUser = orphaned(s.Store, "ann@example.com") },
		"AccountNotThere": func(s *faulty) {
			s.account = func(ctx context.Context, k store.Key) (*store.Account, error) {
				if k == key("") {
					return nil, nil
				}
				return s.Store.Account(ctx, k)
			}
		},
		"KeysAreBytes": func(s *faulty) { // a collation that pads with spaces
			s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
				a.Subject = strings.TrimRight(a.Subject, " ")
				return s.Store.CreateUser(ctx, u, a)
			}
			s.account = func(ctx context.Context, k store.Key) (*store.Account, error) {
				k.Subject = strings.TrimRight(k.Subject, " ")
				return s.Store.Account(ctx, k)
			}
		},
		"UserAccountsOldestFirst": func(s *faulty) {
			s.userAccounts = func(ctx context.Context, id string) ([]store.Account, error) {
				list, err := s.Store.UserAccounts(ctx, id)
				slices.Reverse(list)
				return list, err
			}
		},
		"UserAccountsWhole": func(s *faulty) {
			s.userAccounts = func(ctx context.Context, id string) ([]store.Account, error) {
				list, err := s.Store.UserAccounts(ctx, id)
				for i := range list {
					list[i].AvatarURL = ""
				}
				return list, err
			}
		},
		"UserAccountsEmpty": func(s *faulty) {
			s.userAccounts = func(ctx context.Context, id string) ([]store.Account, error) {
				list, err := s.Store.UserAccounts(ctx, id)
				if len(list) == 0 && err == nil {
					err = store.ErrNotFound
				}
				return list, err
			}
		},
		"UpdateAccountReplaces": func(s *faulty) {
			s.updateAccount = func(ctx context.Context, a *store.Account) error {
				c := *a
				if old, err := s.Store.Account(ctx, a.Key); err == nil && c.Name == "" {
					c.Name = old.Name
				}
				return s.Store.UpdateAccount(ctx, &c)
			}
		},
		"UpdateAccountKeepsUser": func(s *faulty) {
			replaced(s, func(a, update *store.Account) { a.UserID = update.UserID })
		},
		"UpdateAccountKeepsCreatedAt": func(s *faulty) {
			replaced(s, func(a, update *store.Account) { a.CreatedAt = update.CreatedAt })
		},
		"UpdateAccountKeepsToken": func(s *faulty) {
			s.updateAccount = func(ctx context.Context, a *store.Account) error {
				if err := s.Store.DeleteToken(ctx, a.Key); err != nil {
					return err
				}
				return s.Store.UpdateAccount(ctx, a)
			}
		},
		"UpdateAccountNotThere": func(s *faulty) {
			s.updateAccount = func(ctx context.Context, a *store.Account) error {
				return but(s.Store.UpdateAccount(ctx, a), store.ErrNotFound, true)
			}
		},
	}
}

// orphaned is a CreateUser that leaves a user behind when the key is taken, for
// a user with that address.
func orphaned(s store.Store, email string) func(context.Context, *store.User, *store.Account) error {
	return func(ctx context.Context, u *store.User, a *store.Account) error {
		err := s.CreateUser(ctx, u, a)
		if errors.Is(err, store.ErrExists) && u.Email == email {
			c := *u
			_ = s.CreateUser(ctx, &c, &store.Account{Key: store.Key{Provider: "orphan", Subject: a.Subject}})
		}
		return err
	}
}

// replaced makes s return accounts with something of the latest update.
func replaced(s *faulty, f func(a, update *store.Account)) {
	updates := new(kept[store.Account])
	s.updateAccount = func(ctx context.Context, a *store.Account) error {
		err := s.Store.UpdateAccount(ctx, a)
		if err == nil {
			updates.add(*a)
		}
		return err
	}
	s.account = func(ctx context.Context, k store.Key) (*store.Account, error) {
		a, err := s.Store.Account(ctx, k)
		for _, c := range updates.find(func(c store.Account) bool { return err == nil && c.Key == k }) {
			f(a, &c)
		}
		return a, err
	}
}

func linkFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"AddAccountStores": func(s *faulty) {
			s.addAccount = func(ctx context.Context, a *store.Account) error {
				c := *a
				c.Profile = nil
				return s.Store.AddAccount(ctx, &c)
			}
		},
		"AddAccountKeyTaken": func(s *faulty) {
			s.addAccount = func(ctx context.Context, a *store.Account) error {
				err := s.Store.AddAccount(ctx, a)
				if errors.Is(err, store.ErrExists) {
					_ = s.Store.UpdateAccount(ctx, a)
				}
				return err
			}
		},
		"AddAccountNoUser": func(s *faulty) {
			s.addAccount = func(ctx context.Context, a *store.Account) error {
				return but(s.Store.AddAccount(ctx, a), store.ErrNotFound, true)
			}
		},
		"AddAccountAtOnce": func(s *faulty) {
			s.addAccount = func(ctx context.Context, a *store.Account) error {
				return but(s.Store.AddAccount(ctx, a), store.ErrExists, strings.HasPrefix(a.Subject, "new"))
			}
		},
		"RemoveAccountRemoves": func(s *faulty) {
			removed := new(kept[store.Account])
			s.removeAccount = func(ctx context.Context, k store.Key, usable []string) error {
				if a, err := s.Store.Account(ctx, k); err == nil {
					removed.add(*a)
				}
				return s.Store.RemoveAccount(ctx, k, usable)
			}
			s.account = func(ctx context.Context, k store.Key) (*store.Account, error) {
				a, err := s.Store.Account(ctx, k)
				return instead(a, err, removed.find(func(a store.Account) bool { return a.Key == k }))
			}
		},
		"RemoveAccountRemovesToken": func(s *faulty) {
			var orphan *store.Token
			s.removeAccount = func(ctx context.Context, k store.Key, usable []string) error {
				if t, err := s.Store.Token(ctx, k); err == nil && k.Subject == "ann" {
					orphan = t
				}
				return s.Store.RemoveAccount(ctx, k, usable)
			}
			s.token = func(ctx context.Context, k store.Key) (*store.Token, error) {
				t, err := s.Store.Token(ctx, k)
				if errors.Is(err, store.ErrNotFound) && orphan != nil {
					return orphan, nil
				}
				return t, err
			}
		},
		"RemoveAccountNotThere": func(s *faulty) {
			s.removeAccount = func(ctx context.Context, k store.Key, usable []string) error {
				return but(s.Store.RemoveAccount(ctx, k, usable), store.ErrNotFound, true)
			}
		},
		"RemoveAccountKeepsTheLast": func(s *faulty) {
			s.removeAccount = func(ctx context.Context, k store.Key, usable []string) error {
				var list []store.Account
				if a, err := s.Store.Account(ctx, k); err == nil {
					list, _ = s.Store.UserAccounts(ctx, a.UserID)
				}
				return but(s.Store.RemoveAccount(ctx, k, usable), store.ErrLastAccount, k.Subject == "ann" && len(list) == 1)
			}
		},
		"RemoveAccountCountsUsable": func(s *faulty) {
			s.removeAccount = func(ctx context.Context, k store.Key, _ []string) error {
				return s.Store.RemoveAccount(ctx, k, []string{home, "closed", "password"})
			}
		},
		"RemoveAccountAtOnce": func(s *faulty) {
			s.removeAccount = func(ctx context.Context, k store.Key, usable []string) error {
				return but(s.Store.RemoveAccount(ctx, k, usable), store.ErrLastAccount, k.Subject != "ann")
			}
		},
	}
}
