package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func renewRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.SessionReplacer)) func(context.Context, testing.TB, store.Store) {
		return needs("SessionReplacer", check)
	}
	return []rule{
		{"RenewSessionReplaces", "RenewSession stores the session in the place of the old one, which has ended, and changes no other.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "old")
				stay := logIn(ctx, t, s, u, "stay")
				want := whole(u, "fresh")
				want.UserAgent, want.IP, want.SID, want.Reauthed = "Other/1.0", "192.0.2.1", "another", false
				given := *want
				must(t, "RenewSession", r.RenewSession(ctx, "old", &given))
				given.IP = "changed"
				wantSession(ctx, t, s, want)
				wantSession(ctx, t, s, stay)
				wantEnded(ctx, t, s, "old")
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if len(list) != 2 {
					t.Errorf("UserSessions: got %q, want fresh and stay", ids(list))
				}
			})},
		{"RenewSessionUser", "RenewSession gives the session to the user whose ID the new one has.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				logIn(ctx, t, s, ann, "old")
				must(t, "RenewSession", r.RenewSession(ctx, "old", whole(bob, "fresh")))
				for u, want := range map[*store.User]int{ann: 0, bob: 1} {
					list, err := s.UserSessions(ctx, u.ID)
					must(t, "UserSessions", err)
					if len(list) != want {
						t.Errorf("UserSessions of %s: got %q, want %d", u.Username, ids(list), want)
					}
				}
			})},
		{"RenewSessionAfterItsEnd", "RenewSession returns ErrNotFound for a session that was not there or has ended, in whichever way, and stores none.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				cleo, _ := signUp(ctx, t, s, "cleo")
				for _, id := range []string{"deleted", "replaced", "renewed"} {
					logIn(ctx, t, s, ann, id)
				}
				logIn(ctx, t, s, bob, "everywhere")
				logIn(ctx, t, s, cleo, "no user")
				over := whole(ann, "expired")
				over.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, over))
				must(t, "DeleteSession", s.DeleteSession(ctx, "deleted"))
				must(t, "ReplaceSessions", r.ReplaceSessions(ctx, whole(ann, "replacing"), nil, []string{"replaced"}))
				must(t, "RenewSession", r.RenewSession(ctx, "renewed", whole(ann, "renewing")))
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, bob.ID, ""))
				must(t, "DeleteUser", s.DeleteUser(ctx, cleo.ID))
				for _, id := range []string{"none", "", "deleted", "replaced", "renewed", "everywhere", "no user", "expired"} {
					wantErr(t, "RenewSession, "+id, r.RenewSession(ctx, id, whole(bob, "fresh")), store.ErrNotFound)
					wantEnded(ctx, t, s, "fresh")
				}
			})},
		{"RenewSessionExists", "RenewSession returns ErrExists if the new ID is taken, and then has changed nothing.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				ann, _ := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				taken, old := logIn(ctx, t, s, ann, "taken"), logIn(ctx, t, s, eve, "old")
				wantErr(t, "RenewSession", r.RenewSession(ctx, "old", whole(eve, "taken")), store.ErrExists)
				wantSession(ctx, t, s, taken)
				wantSession(ctx, t, s, old)
			})},
		{"RenewSessionAtOnce", "Of many calls of RenewSession at once for one ID, one gets nil and the others ErrNotFound: one session comes of it.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				u, _ := signUp(ctx, t, s, "ann")
				for round := range 3 {
					old := fmt.Sprint("old", round)
					logIn(ctx, t, s, u, old)
					oneOf(t, "RenewSession", atOnce(8, func(i int) error {
						return r.RenewSession(ctx, old, whole(u, fmt.Sprint("fresh", round, "-", i)))
					}), store.ErrNotFound)
				}
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if len(list) != 3 {
					t.Errorf("UserSessions: got %q, want one of each round", ids(list))
				}
			})},
		{"RenewSessionLogout", "Of sessions that are renewed while all of their user's are ended, nothing remains.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				u, _ := signUp(ctx, t, s, "ann")
				// Several, so that one of them moves while another is waited for.
				const n = 4
				for round := range 10 {
					old := func(i int) string { return fmt.Sprint("old", round, "-", i) }
					for i := range n {
						logIn(ctx, t, s, u, old(i))
					}
					errs := atOnce(n+1, func(i int) error {
						if i == n {
							return s.DeleteUserSessions(ctx, u.ID, "")
						}
						return r.RenewSession(ctx, old(i), whole(u, fmt.Sprint("anew", round, "-", i)))
					})
					must(t, "DeleteUserSessions", errs[n])
					for i, err := range errs[:n] {
						if err != nil && !errors.Is(err, store.ErrNotFound) {
							t.Errorf("RenewSession: got error %v, want none or %v", err, store.ErrNotFound)
						}
						wantEnded(ctx, t, s, old(i), fmt.Sprint("anew", round, "-", i))
					}
				}
			})},
	}
}
