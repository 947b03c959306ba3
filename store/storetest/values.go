package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func valueRules() []rule {
	return []rule{
		{"TimesAreUTC", "Times come back in UTC, whatever they were given in.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				zone := time.FixedZone("Kathmandu", 5*3600+45*60)
				at := time.Date(2031, 3, 30, 2, 30, 0, 0, zone)
				for what, got := range times(ctx, t, s, at) {
					if got.Location() != time.UTC {
						t.Errorf("%s: got %v, want UTC", what, got)
					}
				}
			}},
		{"TimesToTheMillisecond", "Times are kept to the millisecond or finer, and the zero time stays zero.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				// A database that rounds would go to the next second.
				at := time.Date(2031, 3, 30, 2, 30, 59, 999_600_000, time.UTC)
				for what, got := range times(ctx, t, s, at) {
					if !got.Truncate(time.Millisecond).Equal(at.Truncate(time.Millisecond)) {
						t.Errorf("%s: got %v, want %v", what, got, at)
					}
				}
				putToken(ctx, t, s, key("ann"), "sealed")
				must(t, "PutToken", s.PutToken(ctx, key("ann"), &store.Token{Sealed: []byte("x")}))
				tok, err := s.Token(ctx, key("ann"))
				must(t, "Token", err)
				if !tok.Expiry.IsZero() {
					t.Errorf("Expiry: got %v, want the zero time", tok.Expiry)
				}
			}},
		{"TextsStayWhole", "Texts come back as they were: any language, quotes, percent signs, line ends, spaces at the end.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				for i, text := range []string{
					"Žofie Nováková", "田中 太郎", "👩🏽‍🚀 😀", "e\u0301 is not é", "O'Brien \"; DROP TABLE users; --", `back\slash`,
					"50% _ off ?", "$1 :name @name", "two\nlines\r\n", "spaces at the end   ", "\ufeff", "NULL",
				} {
					u, a := person(fmt.Sprint("user", i))
					u.Name, u.Username, u.AvatarURL = text, text, text
					a.Name, a.Username = text, text
					must(t, "CreateUser", s.CreateUser(ctx, u, a))
					user, err := s.User(ctx, u.ID)
					must(t, "User", err)
					wantSame(t, "the user", user, u)
					acc, err := s.Account(ctx, a.Key)
					must(t, "Account", err)
					wantSame(t, "the account", acc, a)
				}
			}},
		{"TextsAreNeverCut", "Texts that are too long for a store, or that it cannot keep, are an error. They are never cut or changed.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				for i, text := range []string{
					strings.Repeat("x", 256), strings.Repeat("x", 1025), strings.Repeat("x", 70_000), strings.Repeat("ü", 200),
					"zero\x00byte", "not UTF-8: \xff\xfe",
				} {
					u, a := person(fmt.Sprint("user", i))
					u.Name, a.Name = text, text
					if s.CreateUser(ctx, u, a) != nil {
						continue
					}
					user, err := s.User(ctx, u.ID)
					must(t, "User", err)
					acc, err := s.Account(ctx, a.Key)
					must(t, "Account", err)
					if user.Name != text || acc.Name != text {
						t.Errorf("stored %.20q… of %d bytes, got %d and %d bytes back", text, len(text), len(user.Name), len(acc.Name))
					}
				}
			}},
		{"SubjectsAreNeverCut", "A subject of up to 255 bytes is kept; a longer one is kept whole or refused, never cut.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := person("ann")
				a.Subject = strings.Repeat("a", 255)
				must(t, "CreateUser with a subject of 255 bytes", s.CreateUser(ctx, u, a))
				for _, n := range []int{256, 300, 5000, 70_000} {
					long := key(strings.Repeat("a", n))
					u, a := person("bob")
					a.Key = long
					if err := s.CreateUser(ctx, u, a); err == nil {
						got, err := s.Account(ctx, long)
						must(t, "Account", err)
						if got.Key != long {
							t.Errorf("subject of %d bytes: got %d bytes back", n, len(got.Subject))
						}
					} else if errors.Is(err, store.ErrExists) {
						t.Errorf("subject of %d bytes: taken for one of 255", n)
					} else if _, err := s.Account(ctx, long); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("Account, subject of %d bytes that was refused: got error %v, want %v", n, err, store.ErrNotFound)
					}
				}
			}},
		{"ProfilesAreLarge", "A profile of 200 kB is kept as it was sent.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := person("ann")
				a.Profile = json.RawMessage(`{"b":1, "a":"` + strings.Repeat("é\\u0000", 25_000) + `"  ,"n":1e400}`)
				must(t, "CreateUser", s.CreateUser(ctx, u, a))
				got, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				if !bytes.Equal(got.Profile, a.Profile) {
					t.Errorf("got a profile of %d bytes that differs from the one of %d", len(got.Profile), len(a.Profile))
				}
			}},
		{"ReturnedUsersAreCopies", "To change a user that was returned changes nothing that is stored.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				want, _ := signUp(ctx, t, s, "ann")
				keep := *want
				for range 2 {
					u, err := s.User(ctx, keep.ID)
					must(t, "User", err)
					wantSame(t, "the user", u, &keep)
					u.Name, u.Disabled = "Changed", true
					u, err = s.UserByEmail(ctx, keep.Email)
					must(t, "UserByEmail", err)
					u.Name, u.Disabled = "Changed", true
					want.Name = "Changed" // nor does what CreateUser was given
				}
			}},
		{"ReturnedAccountsAreCopies", "To change an account that was returned changes nothing that is stored.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				_, want := person("ann")
				want.UserID, want.CreatedAt, want.UpdatedAt = u.ID, a.CreatedAt, a.UpdatedAt
				for range 2 {
					got, err := s.Account(ctx, want.Key)
					must(t, "Account", err)
					wantSame(t, "the account", got, want)
					list, err := s.UserAccounts(ctx, u.ID)
					must(t, "UserAccounts", err)
					for _, a := range []*store.Account{got, &list[0]} {
						a.Name = "Changed"
						a.Profile[0] = 'X'
					}
				}
			}},
		{"ReturnedTokensAreCopies", "To change a token that was returned changes nothing that is stored.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				want := token("sealed")
				must(t, "PutToken", s.PutToken(ctx, a.Key, &store.Token{Sealed: []byte("sealed"), Expiry: want.Expiry, Scopes: token("").Scopes}))
				leased, err := s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken", err)
				leased.Sealed[0], leased.Scopes[0] = 'X', "X"
				for range 2 {
					got, err := s.Token(ctx, a.Key)
					must(t, "Token", err)
					wantSame(t, "the token", got, want)
					got.Sealed[0], got.Scopes[0] = 'X', "X"
				}
			}},
		{"ReturnedSessionsAreCopies", "To change a session that was returned changes nothing that is stored.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				given := logIn(ctx, t, s, u, "s1")
				keep := *given
				given.IP = "changed"
				for range 2 {
					got, err := s.Session(ctx, "s1")
					must(t, "Session", err)
					wantSame(t, "the session", got, &keep)
					got.UserID = "someone else"
					list, err := s.UserSessions(ctx, u.ID)
					must(t, "UserSessions", err)
					if len(list) == 1 {
						list[0].UserID = "someone else"
					}
				}
			}},
	}
}

// times stores at in every field that holds a time and returns what came back.
func times(ctx context.Context, t testing.TB, s store.Store, at time.Time) map[string]time.Time {
	t.Helper()
	u, a := person("ann")
	u.CreatedAt, u.UpdatedAt, a.CreatedAt, a.UpdatedAt = at, at, at, at
	must(t, "CreateUser", s.CreateUser(ctx, u, a))
	user, err := s.User(ctx, u.ID)
	must(t, "User", err)
	acc, err := s.Account(ctx, a.Key)
	must(t, "Account", err)
	must(t, "PutToken", s.PutToken(ctx, a.Key, &store.Token{Sealed: []byte("x"), Expiry: at}))
	tok, err := s.Token(ctx, a.Key)
	must(t, "Token", err)
	session := visit(u, "s1")
	session.AuthTime, session.CreatedAt, session.SeenAt, session.ExpiresAt = at, at, at, at
	must(t, "CreateSession", s.CreateSession(ctx, session))
	got, err := s.Session(ctx, "s1")
	must(t, "Session", err)
	return map[string]time.Time{
		"User.CreatedAt": user.CreatedAt, "User.UpdatedAt": user.UpdatedAt,
		"Account.CreatedAt": acc.CreatedAt, "Account.UpdatedAt": acc.UpdatedAt, "Token.Expiry": tok.Expiry,
		"Session.AuthTime": got.AuthTime, "Session.CreatedAt": got.CreatedAt, "Session.SeenAt": got.SeenAt, "Session.ExpiresAt": got.ExpiresAt,
	}
}
