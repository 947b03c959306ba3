package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func userRules() []rule {
	return []rule{
		{"UserNotThere", "User returns ErrNotFound for an ID that is not there, and never nil, nil.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				ann, _ := signUp(ctx, t, s, "ann")
				for _, id := range []string{"nobody", "1", "0", "", "%"} {
					if id == ann.ID {
						continue // a store may count its users
					}
					u, err := s.User(ctx, id)
					wantErr(t, "User("+id+")", err, store.ErrNotFound)
					if err == nil && u == nil {
						t.Error("User returned nil, nil")
					}
				}
			}},
		{"UpdateUserReplaces", "UpdateUser replaces what is stored under u.ID, also by what is empty or false.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				for _, next := range []store.User{
					{Username: "a2", Name: "Ann Two", Email: "a2@example.com", EmailVerified: true, AvatarURL: "https://a", Locale: "fr", Disabled: true},
					{Name: "Ann"},
				} {
					next.ID = u.ID
					must(t, "UpdateUser", s.UpdateUser(ctx, &next))
					got, err := s.User(ctx, u.ID)
					must(t, "User", err)
					got.CreatedAt, got.UpdatedAt = time.Time{}, time.Time{}
					next.CreatedAt, next.UpdatedAt = time.Time{}, time.Time{}
					wantSame(t, "the user", got, &next)
				}
			}},
		{"UpdateUserKeepsCreatedAt", "UpdateUser leaves CreatedAt as it was.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				want := u.CreatedAt.Truncate(time.Millisecond)
				u.CreatedAt = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
				must(t, "UpdateUser", s.UpdateUser(ctx, u))
				got, err := s.User(ctx, u.ID)
				must(t, "User", err)
				if !got.CreatedAt.Truncate(time.Millisecond).Equal(want) {
					t.Errorf("CreatedAt: got %v, want %v", got.CreatedAt, want)
				}
			}},
		{"UpdateUserSetsUpdatedAt", "UpdateUser makes UpdatedAt the time of the call.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				u.UpdatedAt = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
				must(t, "UpdateUser", s.UpdateUser(ctx, u))
				got, err := s.User(ctx, u.ID)
				must(t, "User", err)
				if d := time.Since(got.UpdatedAt).Abs(); d > time.Minute {
					t.Errorf("UpdatedAt: got %v, which is %v from now", got.UpdatedAt, d)
				}
			}},
		{"UpdateUserNotThere", "UpdateUser returns ErrNotFound for a user who is not there, and makes none.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := person("ann")
				u.ID = "nobody"
				wantErr(t, "UpdateUser", s.UpdateUser(ctx, u), store.ErrNotFound)
				_, err := s.User(ctx, "nobody")
				gone(t, "User", err)
			}},
		{"UpdateUserOfOne", "UpdateUser changes no other user.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				ann.Name = "Changed"
				must(t, "UpdateUser", s.UpdateUser(ctx, ann))
				got, err := s.User(ctx, bob.ID)
				must(t, "User", err)
				wantSame(t, "the other user", got, bob)
			}},
		{"DeleteUserRemoves", "DeleteUser removes the user.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				_, err := s.User(ctx, u.ID)
				gone(t, "User", err)
				_, err = s.UserByEmail(ctx, u.Email)
				gone(t, "UserByEmail", err)
			}},
		{"DeleteUserRemovesAccounts", "DeleteUser removes the user's accounts, so that the keys are free again.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				b := link(ctx, t, s, u, key("ann-2"))
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				for _, k := range []store.Key{a.Key, b.Key} {
					_, err := s.Account(ctx, k)
					gone(t, "Account", err)
				}
				again, acc := person("ann")
				must(t, "CreateUser with the same key", s.CreateUser(ctx, again, acc))
			}},
		{"DeleteUserRemovesTokens", "DeleteUser removes the tokens of the user's accounts.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "sealed")
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				_, err := s.Token(ctx, a.Key)
				gone(t, "Token", err)
				signUp(ctx, t, s, "ann")
				_, err = s.Token(ctx, a.Key)
				gone(t, "Token of the next account with that key", err)
			}},
		{"DeleteUserRemovesSessions", "DeleteUser ends the user's sessions.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "s1")
				logIn(ctx, t, s, u, "s2")
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				for _, id := range []string{"s1", "s2"} {
					_, err := s.Session(ctx, id)
					gone(t, "Session", err)
				}
			}},
		{"DeleteUserOfOne", "DeleteUser leaves other users, their accounts, tokens and sessions alone.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, acc := signUp(ctx, t, s, "bob")
				putToken(ctx, t, s, acc.Key, "sealed")
				session := logIn(ctx, t, s, bob, "s1")
				must(t, "DeleteUser", s.DeleteUser(ctx, ann.ID))
				u, err := s.User(ctx, bob.ID)
				must(t, "User", err)
				wantSame(t, "the other user", u, bob)
				a, err := s.Account(ctx, acc.Key)
				must(t, "Account", err)
				wantSame(t, "the other account", a, acc)
				wantToken(ctx, t, s, acc.Key, "sealed")
				got, err := s.Session(ctx, "s1")
				must(t, "Session", err)
				wantSame(t, "the other session", got, session)
			}},
		{"DeleteUserNotThere", "To remove a user who is not there is no error.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				must(t, "DeleteUser", s.DeleteUser(ctx, "nobody"))
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				must(t, "DeleteUser, again", s.DeleteUser(ctx, u.ID))
			}},
		{"UserIDsNeverUsedAgain", "A user's ID is never used again, not even that of the latest user, deleted.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				seen := map[string]bool{}
				for range 5 {
					u, _ := signUp(ctx, t, s, "ann")
					if u.ID == "" || seen[u.ID] {
						t.Fatalf("ID %q: empty, or that of a user who was deleted", u.ID)
					}
					seen[u.ID] = true
					must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				}
			}},
	}
}

func emailRules() []rule {
	find := func(ctx context.Context, t testing.TB, s store.Store, email string, want *store.User) {
		t.Helper()
		got, err := s.UserByEmail(ctx, email)
		if want == nil {
			wantErr(t, "UserByEmail("+email+")", err, store.ErrNotFound)
			if errors.Is(err, store.ErrAmbiguous) {
				t.Errorf("UserByEmail(%s): got %v, though nobody has that address", email, err)
			}
		} else if must(t, "UserByEmail("+email+")", err); got.ID != want.ID {
			t.Errorf("UserByEmail(%s): got the user %s, want %s", email, got.ID, want.ID)
		}
	}
	withEmail := func(ctx context.Context, t testing.TB, s store.Store, name, email string, verified bool) *store.User {
		t.Helper()
		u, a := person(name)
		u.Email, u.EmailVerified = email, verified
		must(t, "CreateUser", s.CreateUser(ctx, u, a))
		return u
	}
	return []rule{
		{"UserByEmailFinds", "UserByEmail returns the one user whose verified address that is.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u := withEmail(ctx, t, s, "ann", "ann@example.com", true)
				withEmail(ctx, t, s, "bob", "bob@example.com", true)
				find(ctx, t, s, "ann@example.com", u)
				find(ctx, t, s, "eve@example.com", nil)
				got, err := s.UserByEmail(ctx, "ann@example.com")
				must(t, "UserByEmail", err)
				wantSame(t, "the user", got, u)
			}},
		{"UserByEmailIgnoresCase", "UserByEmail finds an address without regard to the case of ASCII letters.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u := withEmail(ctx, t, s, "ann", "Ann.DOE@Example.com", true)
				for _, email := range []string{"ann.doe@example.com", "ANN.DOE@EXAMPLE.COM", "Ann.DOE@Example.com"} {
					find(ctx, t, s, email, u)
				}
			}},
		{"UserByEmailIgnoresNoMore", "UserByEmail ignores the case of ASCII letters only, and takes no address for a pattern.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				withEmail(ctx, t, s, "ann", "\u00e9va@example.com", true)
				withEmail(ctx, t, s, "kim", "kim@example.com", true)
				for _, email := range []string{
					"\u00c9va@example.com", "eva@example.com", "e\u0301va@example.com", // É, e, e with a combining accent
					"\u212aim@example.com", // the Kelvin sign
					"kim@example.com ", " kim@example.com", "k_m@example.com", "%", "",
				} {
					find(ctx, t, s, email, nil)
				}
			}},
		{"UserByEmailUnverified", "UserByEmail finds nobody whose address is not verified.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				withEmail(ctx, t, s, "ann", "ann@example.com", false)
				find(ctx, t, s, "ann@example.com", nil)
				u := withEmail(ctx, t, s, "ann2", "ann@example.com", true)
				find(ctx, t, s, "ann@example.com", u)
			}},
		{"UserByEmailOfTwo", "UserByEmail returns ErrAmbiguous, or another error that wraps ErrNotFound, if more than one user has that verified address.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				withEmail(ctx, t, s, "ann", "ann@example.com", true)
				withEmail(ctx, t, s, "eve", "ANN@example.com", true)
				_, err := s.UserByEmail(ctx, "ann@example.com")
				wantErr(t, "UserByEmail", err, store.ErrNotFound)
			}},
		{"UserByEmailOwnOnly", "UserByEmail looks at the users' own addresses, not at those of their accounts.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := person("ann")
				u.Email, u.EmailVerified = "", false
				must(t, "CreateUser", s.CreateUser(ctx, u, a))
				find(ctx, t, s, a.Email, nil)
				find(ctx, t, s, "", nil)
			}},
		{"UserByEmailAfterUpdate", "UserByEmail goes by the address as it is now.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u := withEmail(ctx, t, s, "ann", "old@example.com", true)
				u.Email = "new@example.com"
				must(t, "UpdateUser", s.UpdateUser(ctx, u))
				find(ctx, t, s, "old@example.com", nil)
				find(ctx, t, s, "new@example.com", u)
				u.EmailVerified = false
				must(t, "UpdateUser", s.UpdateUser(ctx, u))
				find(ctx, t, s, "new@example.com", nil)
			}},
	}
}
