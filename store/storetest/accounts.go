package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func accountRules() []rule {
	return []rule{
		{"CreateUserStores", "CreateUser stores a user with a first account, and sets u.ID and a.UserID.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "cleo")
				if u.ID == "" || len(u.ID) > 64 || a.UserID != u.ID {
					t.Fatalf("got ID %q and UserID %q, want both the same and not empty", u.ID, a.UserID)
				}
				user, err := s.User(ctx, u.ID)
				must(t, "User", err)
				wantSame(t, "the user", user, u)
				acc, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				wantSame(t, "the account", acc, a)
			}},
		{"CreateUserKeepsTimes", "CreateUser leaves times alone that are not zero.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
				u, a := person("ann")
				u.CreatedAt, u.UpdatedAt, a.CreatedAt, a.UpdatedAt = at, at.Add(1e9), at.Add(2e9), at.Add(3e9)
				must(t, "CreateUser", s.CreateUser(ctx, u, a))
				user, err := s.User(ctx, u.ID)
				must(t, "User", err)
				acc, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				for i, got := range []time.Time{user.CreatedAt, user.UpdatedAt, acc.CreatedAt, acc.UpdatedAt} {
					if want := at.Add(time.Duration(i) * 1e9); !got.Equal(want) {
						t.Errorf("got %v, want %v", got, want)
					}
				}
			}},
		{"CreateUserSetsTimes", "CreateUser sets those times that are zero, in its arguments and in what it stores.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := person("ann")
				u.CreatedAt, u.UpdatedAt, a.CreatedAt, a.UpdatedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
				must(t, "CreateUser", s.CreateUser(ctx, u, a))
				user, err := s.User(ctx, u.ID)
				must(t, "User", err)
				acc, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				for _, at := range []time.Time{u.CreatedAt, u.UpdatedAt, a.CreatedAt, a.UpdatedAt,
					user.CreatedAt, user.UpdatedAt, acc.CreatedAt, acc.UpdatedAt} {
					if d := time.Since(at).Abs(); d > time.Minute {
						t.Errorf("got %v, which is %v from now", at, d)
					}
				}
			}},
		{"CreateUserKeyTaken", "If the key is taken, CreateUser returns ErrExists and stores neither user nor account.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, first := signUp(ctx, t, s, "ann")
				u, a := person("ann")
				u.Email, a.Name = "second@example.com", "Second"
				wantErr(t, "CreateUser", s.CreateUser(ctx, u, a), store.ErrExists)
				_, err := s.UserByEmail(ctx, "second@example.com")
				gone(t, "UserByEmail of the second", err)
				acc, err := s.Account(ctx, first.Key)
				must(t, "Account", err)
				wantSame(t, "the account", acc, first)
			}},
		{"CreateUserAtOnce", "If many create a user with one key at once, one succeeds, the others get ErrExists, and there is one user.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				oneOf(t, "CreateUser", atOnce(50, func(int) error {
					u, a := person("ann")
					return s.CreateUser(ctx, u, a)
				}), store.ErrExists)
				// All have the same address: a user too many, and none is found.
				u, err := s.UserByEmail(ctx, "ann@example.com")
				must(t, "UserByEmail", err)
				a, err := s.Account(ctx, key("ann"))
				must(t, "Account", err)
				if a.UserID != u.ID {
					t.Errorf("the account belongs to %q, the user is %q", a.UserID, u.ID)
				}
			}},
		{"AccountNotThere", "Account returns ErrNotFound for a key that is not there, and never nil, nil.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				signUp(ctx, t, s, "ann")
				for _, k := range []store.Key{key("bob"), {Provider: "other", Subject: "ann"}, key(""), {}} {
					a, err := s.Account(ctx, k)
					wantErr(t, fmt.Sprintf("Account(%v)", k), err, store.ErrNotFound)
					if err == nil && a == nil {
						t.Error("Account returned nil, nil")
					}
				}
			}},
		{"KeysAreBytes", "Keys are compared byte for byte: two that differ in case, in a space, or in how a letter is encoded are two keys.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				keys := []store.Key{
					key("ann"), key("Ann"), key("ANN"), key("ann "), key(" ann"), key("ann\t"),
					key("\u00e5nn"), key("a\u030ann"), key("\uff41nn"), // å, a with a ring, a wide a
					key("1"), key("01"), key("1.0"), key("1e0"), key("ss"), key("\u00df"), key("\u0131"), key("i"), key("I"),
					{Provider: "Acme", Subject: "ann"}, {Provider: "acme ", Subject: "ann"}, {Provider: "acmea", Subject: "nn"},
				}
				users := map[store.Key]string{}
				for i, k := range keys {
					u, a := person(fmt.Sprint("user", i))
					a.Key = k
					if err := s.CreateUser(ctx, u, a); err != nil {
						t.Errorf("CreateUser with key %q: %v", k, err)
					}
					users[k] = u.ID
				}
				for _, k := range keys {
					a, err := s.Account(ctx, k)
					if err != nil {
						t.Errorf("Account(%q): %v", k, err)
					} else if a.UserID != users[k] || a.Key != k {
						t.Errorf("Account(%q): got the account %q of %s, want that of %s", k, a.Key, a.UserID, users[k])
					}
				}
			}},
		{"UserAccountsOldestFirst", "UserAccounts returns all of a user's accounts, oldest first.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "m") // an hour old
				other, _ := signUp(ctx, t, s, "other")
				link(ctx, t, s, other, key("other-2"))
				for subject, age := range map[string]time.Duration{"z": 3 * time.Hour, "a": time.Minute, "k": 2 * time.Hour} {
					a := &store.Account{Key: key(subject), UserID: u.ID, CreatedAt: moment().Add(-age)}
					must(t, "AddAccount", s.AddAccount(ctx, a))
				}
				list, err := s.UserAccounts(ctx, u.ID)
				must(t, "UserAccounts", err)
				if got, want := subjects(list), []string{"z", "k", "m", "a"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}},
		{"UserAccountsWhole", "UserAccounts returns accounts as Account does.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				list, err := s.UserAccounts(ctx, u.ID)
				must(t, "UserAccounts", err)
				if len(list) != 1 {
					t.Fatalf("got %d accounts, want 1", len(list))
				}
				wantSame(t, "the account", &list[0], a)
			}},
		{"UserAccountsEmpty", "The accounts of a user who is not there are none, and no error.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				signUp(ctx, t, s, "ann")
				for _, id := range []string{"nobody", ""} {
					list, err := s.UserAccounts(ctx, id)
					must(t, "UserAccounts", err)
					if len(list) != 0 {
						t.Errorf("got %d accounts, want none", len(list))
					}
				}
			}},
		{"UpdateAccountReplaces", "UpdateAccount replaces what is stored under a.Key, also by what is empty.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				for _, next := range []store.Account{
					{Issuer: "https://i", Email: "n@example.com", Name: "N", Username: "n", AvatarURL: "https://a", Profile: json.RawMessage(`[1]`)},
					{},
				} {
					next.Key, next.UserID, next.CreatedAt, next.UpdatedAt = a.Key, a.UserID, a.CreatedAt, moment()
					must(t, "UpdateAccount", s.UpdateAccount(ctx, &next))
					got, err := s.Account(ctx, a.Key)
					must(t, "Account", err)
					wantSame(t, "the account", got, &next)
				}
			}},
		{"UpdateAccountKeepsUser", "UpdateAccount never moves an account to another user.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				ann, a := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				next := *a
				next.UserID = eve.ID
				must(t, "UpdateAccount", s.UpdateAccount(ctx, &next))
				got, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				if got.UserID != ann.ID {
					t.Error("the account has moved to another user")
				}
				list, err := s.UserAccounts(ctx, eve.ID)
				must(t, "UserAccounts", err)
				if len(list) != 1 {
					t.Errorf("the other user has %d accounts, want 1", len(list))
				}
			}},
		{"UpdateAccountKeepsCreatedAt", "UpdateAccount leaves CreatedAt as it was.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				next := *a
				next.CreatedAt = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
				must(t, "UpdateAccount", s.UpdateAccount(ctx, &next))
				got, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				wantSame(t, "the account", got, a)
			}},
		{"UpdateAccountKeepsToken", "UpdateAccount leaves the account's token alone.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "sealed")
				must(t, "UpdateAccount", s.UpdateAccount(ctx, a))
				wantToken(ctx, t, s, a.Key, "sealed")
			}},
		{"UpdateAccountNotThere", "UpdateAccount returns ErrNotFound for an account that is not there, and makes none.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				wantErr(t, "UpdateAccount", s.UpdateAccount(ctx, &store.Account{Key: key("bob"), UserID: u.ID}), store.ErrNotFound)
				_, err := s.Account(ctx, key("bob"))
				gone(t, "Account", err)
			}},
	}
}

func linkRules() []rule {
	return []rule{
		{"AddAccountStores", "AddAccount gives a user one more account.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				_, a := person("ann-2")
				a.UserID = u.ID
				must(t, "AddAccount", s.AddAccount(ctx, a))
				got, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				wantSame(t, "the account", got, a)
			}},
		{"AddAccountKeyTaken", "AddAccount returns ErrExists if the key is taken, by whomever, and changes nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				ann, a := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				for _, u := range []*store.User{ann, eve} {
					wantErr(t, "AddAccount", s.AddAccount(ctx, &store.Account{Key: a.Key, UserID: u.ID, Name: "New"}), store.ErrExists)
				}
				got, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				wantSame(t, "the account", got, a)
			}},
		{"AddAccountNoUser", "AddAccount returns ErrNotFound if there is no such user, and stores nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				wantErr(t, "AddAccount", s.AddAccount(ctx, &store.Account{Key: key("ann"), UserID: "nobody"}), store.ErrNotFound)
				_, err := s.Account(ctx, key("ann"))
				gone(t, "Account", err)
			}},
		{"AddAccountAtOnce", "If two users add an account with one key at once, one succeeds and the other gets ErrExists.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				ann, _ := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				users := []*store.User{ann, eve}
				for round := range 10 {
					k := key(fmt.Sprint("new", round))
					oneOf(t, "AddAccount", atOnce(2, func(i int) error {
						return s.AddAccount(ctx, &store.Account{Key: k, UserID: users[i].ID})
					}), store.ErrExists)
				}
			}},
		{"RemoveAccountRemoves", "RemoveAccount removes the account, so that its key is free again.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				link(ctx, t, s, u, key("ann-2"))
				must(t, "RemoveAccount", s.RemoveAccount(ctx, a.Key, []string{home}))
				_, err := s.Account(ctx, a.Key)
				gone(t, "Account", err)
				list, err := s.UserAccounts(ctx, u.ID)
				must(t, "UserAccounts", err)
				if got := subjects(list); !slices.Equal(got, []string{"ann-2"}) {
					t.Errorf("accounts that are left: got %q, want ann-2", got)
				}
				_, again := person("ann")
				again.UserID = u.ID
				must(t, "AddAccount with the same key", s.AddAccount(ctx, again))
			}},
		{"RemoveAccountRemovesToken", "RemoveAccount removes the account's token, and no other.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				b := link(ctx, t, s, u, key("ann-2"))
				putToken(ctx, t, s, a.Key, "sealed")
				putToken(ctx, t, s, b.Key, "other")
				must(t, "RemoveAccount", s.RemoveAccount(ctx, a.Key, []string{home}))
				_, err := s.Token(ctx, a.Key)
				gone(t, "Token", err)
				link(ctx, t, s, u, a.Key)
				_, err = s.Token(ctx, a.Key)
				gone(t, "Token of the next account with that key", err)
				wantToken(ctx, t, s, b.Key, "other")
			}},
		{"RemoveAccountNotThere", "RemoveAccount returns ErrNotFound for an account that is not there.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				signUp(ctx, t, s, "ann")
				wantErr(t, "RemoveAccount", s.RemoveAccount(ctx, key("bob"), []string{home}), store.ErrNotFound)
			}},
		{"RemoveAccountKeepsTheLast", "RemoveAccount returns ErrLastAccount if the user has no other account, and removes nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				signUp(ctx, t, s, "bob") // someone else's account does not help
				putToken(ctx, t, s, a.Key, "sealed")
				wantErr(t, "RemoveAccount", s.RemoveAccount(ctx, a.Key, []string{home}), store.ErrLastAccount)
				got, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				wantSame(t, "the account", got, a)
				wantToken(ctx, t, s, a.Key, "sealed")
			}},
		{"RemoveAccountCountsUsable", "RemoveAccount counts only other accounts of usable providers.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				link(ctx, t, s, u, store.Key{Provider: "closed", Subject: "1"})
				link(ctx, t, s, u, store.Key{Provider: "password", Subject: "2"})
				for _, usable := range [][]string{nil, {}, {home}, {"other"}, {"Password"}} {
					wantErr(t, fmt.Sprintf("RemoveAccount, usable %q", usable), s.RemoveAccount(ctx, a.Key, usable), store.ErrLastAccount)
				}
				must(t, "RemoveAccount", s.RemoveAccount(ctx, a.Key, []string{home, "password"}))
			}},
		{"RemoveAccountAtOnce", "Of two removals at once of a user's last two accounts, one succeeds and the other gets ErrLastAccount.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				for round := range 10 {
					u, a := signUp(ctx, t, s, fmt.Sprint("ann", round))
					b := link(ctx, t, s, u, key(fmt.Sprint("other", round)))
					keys := []store.Key{a.Key, b.Key}
					oneOf(t, "RemoveAccount", atOnce(2, func(i int) error {
						return s.RemoveAccount(ctx, keys[i], []string{home})
					}), store.ErrLastAccount)
				}
			}},
	}
}
