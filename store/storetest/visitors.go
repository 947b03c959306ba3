package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A keeper both replaces sessions and keeps values with them.
type keeper interface {
	store.SessionReplacer
	store.SessionValuer
}

// stranger returns the session of a visitor, nowhere stored.
func stranger(id string) *store.Session {
	at := moment()
	return &store.Session{
		ID: id, AuthTime: at.Add(-time.Hour), CreatedAt: at.Add(-2 * time.Minute), SeenAt: at.Add(-time.Minute), ExpiresAt: at.Add(time.Hour),
		UserAgent: "Mozilla/5.0", IP: "2001:db8::1",
	}
}

func visitorRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.SessionValuer)) func(context.Context, testing.TB, store.Store) {
		return needs("SessionValuer", check)
	}
	both := func(check func(context.Context, testing.TB, store.Store, keeper)) func(context.Context, testing.TB, store.Store) {
		return needs("SessionReplacer and SessionValuer", check)
	}
	return []rule{
		{"VisitorSessionsStay", "A SessionValuer keeps sessions without a user, as it does others: they are found, have values, are touched, expire and end.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				want := stranger("v1")
				must(t, "CreateSession", s.CreateSession(ctx, want))
				must(t, "CreateSession of a second", s.CreateSession(ctx, stranger("v2")))
				wantSession(ctx, t, s, want)
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "v1", nil, []byte("cart")))
				wantValues(ctx, t, v, "v1", []byte("cart"))
				wantValues(ctx, t, v, "v2", nil)
				want.SeenAt = want.SeenAt.Add(time.Minute)
				must(t, "TouchSession", s.TouchSession(ctx, "v1", want.SeenAt, want.ExpiresAt))
				wantSession(ctx, t, s, want)
				must(t, "DeleteExpired", s.DeleteExpired(ctx))
				wantSession(ctx, t, s, want)
				must(t, "DeleteSession", s.DeleteSession(ctx, "v1"))
				past := stranger("v3")
				past.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, past))
				wantEnded(ctx, t, s, "v1", "v3")
				_, err := s.Session(ctx, "v2")
				must(t, "Session of the other visitor", err)
			})},
		{"VisitorSessionsAreNobodys", "No SessionUser, UserSessions or DeleteUserSessions ever means a visitor's session, nor does DeleteUser.",
			with(func(ctx context.Context, t testing.TB, s store.Store, _ store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				must(t, "CreateSession", s.CreateSession(ctx, stranger("v1")))
				if f, ok := s.(store.SessionUserFinder); ok {
					_, _, err := f.SessionUser(ctx, "v1")
					wantErr(t, "SessionUser", err, store.ErrNotFound)
				}
				_, _, err := store.SessionUser(ctx, s, s, "v1")
				wantErr(t, "store.SessionUser", err, store.ErrNotFound)
				list, err := s.UserSessions(ctx, "")
				must(t, "UserSessions", err)
				if len(list) != 0 {
					t.Errorf("UserSessions of nobody: got %q, want none", ids(list))
				}
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, "", ""))
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, "", "a"))
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, u.ID, ""))
				_ = s.DeleteUser(ctx, "") // whether that is an error is another rule's question
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				_, err = s.Session(ctx, "v1")
				must(t, "Session", err)
			})},
		{"RenewSessionKeepsValues", "RenewSession gives the new session the values of the old, also when a visitor logs in.",
			both(func(ctx context.Context, t testing.TB, s store.Store, k keeper) {
				u, _ := signUp(ctx, t, s, "ann")
				must(t, "CreateSession", s.CreateSession(ctx, stranger("v1")))
				values := bytesOf(1000)
				must(t, "SwapSessionValues", k.SwapSessionValues(ctx, "v1", nil, values))
				want := whole(u, "mine")
				must(t, "RenewSession", k.RenewSession(ctx, "v1", want))
				wantValues(ctx, t, k, "mine", values)
				must(t, "RenewSession, again", k.RenewSession(ctx, "mine", whole(u, "again")))
				wantValues(ctx, t, k, "again", values)
				_, got, err := store.SessionUser(ctx, s, s, "again")
				must(t, "SessionUser", err)
				if got.ID != u.ID {
					t.Errorf("SessionUser: got user %q, want %q", got.ID, u.ID)
				}
				for _, id := range []string{"v1", "mine"} {
					must(t, "CreateSession with the ID of one that was renewed", s.CreateSession(ctx, stranger(id)))
					wantValues(ctx, t, k, id, nil)
				}
			})},
		{"ReplaceSessionsValues", "ReplaceSessions stores values with the new session, and those of the ones that end are gone. If it fails, no values have changed.",
			both(func(ctx context.Context, t testing.TB, s store.Store, k keeper) {
				u, _ := signUp(ctx, t, s, "ann")
				must(t, "CreateSession", s.CreateSession(ctx, stranger("v1")))
				must(t, "SwapSessionValues", k.SwapSessionValues(ctx, "v1", nil, []byte("cart")))
				given := bytesOf(store.MaxValues)
				must(t, "ReplaceSessions", k.ReplaceSessions(ctx, whole(u, "mine"), given, []string{"v1"}))
				given[0] = 'X'
				wantValues(ctx, t, k, "mine", bytesOf(store.MaxValues))
				must(t, "ReplaceSessions", k.ReplaceSessions(ctx, whole(u, "bare"), nil, nil))
				wantValues(ctx, t, k, "bare", nil)
				must(t, "ReplaceSessions", k.ReplaceSessions(ctx, stranger("v2"), []byte("cart"), nil))
				wantValues(ctx, t, k, "v2", []byte("cart"))
				must(t, "SwapSessionValues", k.SwapSessionValues(ctx, "v2", []byte("cart"), []byte("new")))
				wantErr(t, "ReplaceSessions", k.ReplaceSessions(ctx, whole(u, "mine"), []byte("other"), []string{"v2"}), store.ErrExists)
				wantValues(ctx, t, k, "mine", bytesOf(store.MaxValues))
				wantValues(ctx, t, k, "v2", []byte("new"))
			})},
	}
}
