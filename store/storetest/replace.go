package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// wantKept fails unless a session has what only some stores keep, however it is
// found.
func wantKept(ctx context.Context, t testing.TB, s store.Store, want *store.Session, of func(*store.Session) string) {
	t.Helper()
	check := func(what string, got *store.Session, err error) {
		t.Helper()
		must(t, what, err)
		if of(got) != of(want) {
			t.Errorf("%s of %s: got %q, want %q", what, want.ID, of(got), of(want))
		}
	}
	got, err := s.Session(ctx, want.ID)
	check("Session", got, err)
	if f, ok := s.(store.SessionUserFinder); ok {
		got, _, err := f.SessionUser(ctx, want.ID)
		check("SessionUser", got, err)
	}
	list, err := s.UserSessions(ctx, want.UserID)
	must(t, "UserSessions", err)
	i := slices.IndexFunc(list, func(c store.Session) bool { return c.ID == want.ID })
	if i < 0 {
		t.Fatalf("UserSessions: got %q, want %s among them", ids(list), want.ID)
	}
	check("UserSessions", &list[i], nil)
}

func issuerOf(s *store.Session) string { return s.Issuer }

func familyOf(s *store.Session) string { return s.Family }

func replaceRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.SessionReplacer)) func(context.Context, testing.TB, store.Store) {
		return needs("SessionReplacer", check)
	}
	return []rule{
		{"ReplaceSessionsStores", "ReplaceSessions stores the new session and ends those in over, and no other.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				for _, id := range []string{"old1", "old2"} {
					logIn(ctx, t, s, ann, id)
				}
				logIn(ctx, t, s, bob, "old3") // another user's ends as well
				stay := logIn(ctx, t, s, ann, "stay")
				want := whole(ann, "fresh")
				zone := time.FixedZone("Kathmandu", 5*3600+45*60)
				given := *want
				for _, at := range []*time.Time{&given.AuthTime, &given.CreatedAt, &given.SeenAt, &given.ExpiresAt} {
					*at = at.In(zone)
				}
				must(t, "ReplaceSessions", r.ReplaceSessions(ctx, &given, nil, []string{"old1", "old2", "old3"}))
				given.IP = "changed" // what it was given is the caller's own
				wantSession(ctx, t, s, want)
				wantSession(ctx, t, s, stay)
				wantEnded(ctx, t, s, "old1", "old2", "old3")
				got, err := s.Session(ctx, "fresh")
				must(t, "Session", err)
				for _, at := range []time.Time{got.AuthTime, got.CreatedAt, got.SeenAt, got.ExpiresAt} {
					if at.Location() != time.UTC {
						t.Errorf("got the time %v, want it in UTC", at)
					}
				}
			})},
		{"ReplaceSessionsNotThere", "That a session in over is not there, or that there is none in over, is no error.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				u, _ := signUp(ctx, t, s, "ann")
				for id, over := range map[string][]string{"n1": nil, "n2": {}, "n3": {"none", "nor this", ""}, "n4": {"none", "none"}} {
					want := whole(u, id)
					must(t, "ReplaceSessions", r.ReplaceSessions(ctx, want, nil, over))
					wantSession(ctx, t, s, want)
				}
			})},
		{"ReplaceSessionsExists", "ReplaceSessions returns ErrExists if the ID is taken, and then has changed nothing: no session has ended.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				ann, _ := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				taken, old := logIn(ctx, t, s, ann, "taken"), logIn(ctx, t, s, ann, "old")
				wantErr(t, "ReplaceSessions", r.ReplaceSessions(ctx, whole(eve, "taken"), nil, []string{"old"}), store.ErrExists)
				wantSession(ctx, t, s, taken)
				wantSession(ctx, t, s, old)
			})},
		{"ReplaceSessionsAtOnce", "Of many calls of ReplaceSessions at once for one new ID, one gets nil, and only what that one ended has ended.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				u, _ := signUp(ctx, t, s, "ann")
				const n = 8
				for i := range n {
					logIn(ctx, t, s, u, fmt.Sprint("old", i))
				}
				errs := atOnce(n, func(i int) error {
					return r.ReplaceSessions(ctx, whole(u, "fresh"), nil, []string{fmt.Sprint("old", i)})
				})
				oneOf(t, "ReplaceSessions", errs, store.ErrExists)
				for i, err := range errs {
					_, there := s.Session(ctx, fmt.Sprint("old", i))
					if ended := errors.Is(there, store.ErrNotFound); ended != (err == nil) {
						t.Errorf("call %d returned %v; its old session has ended: %v", i, err, ended)
					}
				}
			})},
		{"ReplaceSessionsKeeps", "A SessionReplacer keeps Issuer and Family, however a session was stored and is found.",
			with(func(ctx context.Context, t testing.TB, s store.Store, r store.SessionReplacer) {
				u, _ := signUp(ctx, t, s, "ann")
				created, replaced, renewed := whole(u, "created"), whole(u, "replaced"), whole(u, "renewed")
				must(t, "CreateSession", s.CreateSession(ctx, created))
				must(t, "ReplaceSessions", r.ReplaceSessions(ctx, replaced, nil, nil))
				logIn(ctx, t, s, u, "before")
				must(t, "RenewSession", r.RenewSession(ctx, "before", renewed))
				for _, want := range []*store.Session{created, replaced, renewed} {
					wantKept(ctx, t, s, want, issuerOf)
					wantKept(ctx, t, s, want, familyOf)
				}
			})},
	}
}
