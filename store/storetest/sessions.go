package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func sessionRules() []rule {
	return []rule{
		{"CreateSessionStores", "CreateSession stores the session, and Session returns it.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				want := logIn(ctx, t, s, u, "s1")
				bare := &store.Session{ID: "s2", UserID: u.ID, ExpiresAt: moment().Add(time.Hour)}
				must(t, "CreateSession", s.CreateSession(ctx, bare))
				for _, want := range []*store.Session{want, bare} {
					got, err := s.Session(ctx, want.ID)
					must(t, "Session", err)
					wantSame(t, "the session", got, want)
				}
			}},
		{"CreateSessionExists", "CreateSession returns ErrExists if the ID is taken, and changes nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				ann, _ := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				want := logIn(ctx, t, s, ann, "s1")
				wantErr(t, "CreateSession", s.CreateSession(ctx, visit(eve, "s1")), store.ErrExists)
				got, err := s.Session(ctx, "s1")
				must(t, "Session", err)
				wantSame(t, "the session", got, want)
			}},
		{"SessionNotThere", "Session returns ErrNotFound for an ID that is not there, and never nil, nil.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "s1")
				for _, id := range []string{"s2", "", "%", "s1 "} {
					session, err := s.Session(ctx, id)
					wantErr(t, "Session("+id+")", err, store.ErrNotFound)
					if err == nil && session == nil {
						t.Error("Session returned nil, nil")
					}
				}
			}},
		{"SessionExpired", "Session returns ErrNotFound for a session that has expired.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				session := visit(u, "s1")
				session.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, session))
				_, err := s.Session(ctx, "s1")
				wantErr(t, "Session", err, store.ErrNotFound)
			}},
		{"UserSessionsLatestFirst", "UserSessions returns a user's sessions, latest seen first.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				other, _ := signUp(ctx, t, s, "bob")
				logIn(ctx, t, s, other, "other")
				for id, age := range map[string]time.Duration{"m": 30 * time.Minute, "a": 50 * time.Minute, "z": 10 * time.Minute, "k": 20 * time.Minute} {
					session := visit(u, id)
					session.SeenAt = moment().Add(-age)
					session.CreatedAt = moment().Add(-time.Hour)
					must(t, "CreateSession", s.CreateSession(ctx, session))
				}
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if got, want := ids(list), []string{"z", "k", "m", "a"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}},
		{"UserSessionsWhole", "UserSessions returns sessions as Session does.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				want := logIn(ctx, t, s, u, "s1")
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if len(list) != 1 {
					t.Fatalf("got %d sessions, want 1", len(list))
				}
				wantSame(t, "the session", &list[0], want)
			}},
		{"UserSessionsLive", "UserSessions leaves out sessions that have expired.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				session := visit(u, "over")
				session.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, session))
				logIn(ctx, t, s, u, "live")
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if got := ids(list); !slices.Equal(got, []string{"live"}) {
					t.Errorf("got %q, want live", got)
				}
			}},
		{"UserSessionsEmpty", "The sessions of a user who is not there are none, and no error.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				for _, id := range []string{"nobody", ""} {
					list, err := s.UserSessions(ctx, id)
					must(t, "UserSessions", err)
					if len(list) != 0 {
						t.Errorf("got %d sessions, want none", len(list))
					}
				}
			}},
		{"TouchSessionMoves", "TouchSession moves SeenAt and ExpiresAt, and changes nothing else.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				want := logIn(ctx, t, s, u, "s1")
				other := logIn(ctx, t, s, u, "s2")
				want.SeenAt, want.ExpiresAt = want.SeenAt.Add(time.Minute), want.ExpiresAt.Add(time.Hour)
				must(t, "TouchSession", s.TouchSession(ctx, "s1", want.SeenAt, want.ExpiresAt))
				for _, want := range []*store.Session{want, other} {
					got, err := s.Session(ctx, want.ID)
					must(t, "Session", err)
					wantSame(t, "the session", got, want)
				}
				must(t, "TouchSession, again", s.TouchSession(ctx, "s1", want.SeenAt, want.ExpiresAt))
			}},
		{"TouchSessionNeverBackwards", "TouchSession never moves SeenAt or ExpiresAt backwards, and that it did not is no error.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				want := logIn(ctx, t, s, u, "s1")
				must(t, "TouchSession", s.TouchSession(ctx, "s1", want.SeenAt.Add(-time.Minute), want.ExpiresAt.Add(-time.Minute)))
				got, err := s.Session(ctx, "s1")
				must(t, "Session", err)
				wantSame(t, "the session", got, want)
				want.SeenAt = want.SeenAt.Add(time.Second)
				must(t, "TouchSession", s.TouchSession(ctx, "s1", want.SeenAt, want.ExpiresAt.Add(-time.Minute)))
				got, err = s.Session(ctx, "s1")
				must(t, "Session", err)
				wantSame(t, "the session", got, want)
			}},
		{"TouchSessionNotThere", "TouchSession returns ErrNotFound for a session that is not there, and makes none.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				wantErr(t, "TouchSession", s.TouchSession(ctx, "s1", moment(), moment().Add(time.Hour)), store.ErrNotFound)
				_, err := s.Session(ctx, "s1")
				gone(t, "Session", err)
			}},
		{"TouchSessionAfterItsEnd", "TouchSession never brings a session back, neither one that was deleted nor one that expired.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "deleted")
				must(t, "DeleteSession", s.DeleteSession(ctx, "deleted"))
				over := visit(u, "expired")
				over.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, over))
				for _, id := range []string{"deleted", "expired"} {
					wantErr(t, "TouchSession, "+id, s.TouchSession(ctx, id, moment(), moment().Add(time.Hour)), store.ErrNotFound)
					_, err := s.Session(ctx, id)
					gone(t, "Session, "+id, err)
				}
			}},
		{"DeleteSessionEnds", "DeleteSession ends a session, and no other.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "s1")
				logIn(ctx, t, s, u, "s2")
				must(t, "DeleteSession", s.DeleteSession(ctx, "s1"))
				_, err := s.Session(ctx, "s1")
				gone(t, "Session", err)
				_, err = s.Session(ctx, "s2")
				must(t, "Session, the other", err)
			}},
		{"DeleteSessionNotThere", "To delete a session that is not there is no error.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				must(t, "DeleteSession", s.DeleteSession(ctx, "s1"))
				must(t, "DeleteSession", s.DeleteSession(ctx, ""))
			}},
		{"DeleteUserSessionsEnds", "DeleteUserSessions ends all of a user's sessions, and nobody else's.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				other, _ := signUp(ctx, t, s, "bob")
				logIn(ctx, t, s, u, "s1")
				logIn(ctx, t, s, u, "s2")
				logIn(ctx, t, s, other, "other")
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, u.ID, ""))
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if len(list) != 0 {
					t.Errorf("got %q, want none", ids(list))
				}
				_, err = s.Session(ctx, "other")
				must(t, "Session of the other user", err)
				must(t, "DeleteUserSessions of nobody", s.DeleteUserSessions(ctx, "nobody", ""))
			}},
		{"DeleteUserSessionsExcept", "DeleteUserSessions leaves the session with the ID except.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "s1")
				logIn(ctx, t, s, u, "s2")
				logIn(ctx, t, s, u, "s3")
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, u.ID, "s2"))
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if got := ids(list); !slices.Equal(got, []string{"s2"}) {
					t.Errorf("got %q, want s2", got)
				}
			}},
	}
}

func markRules() []rule {
	return []rule{
		{"MarkOnce", "Mark returns nil the first time and ErrExists after that, for each ID on its own.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				until := moment().Add(time.Hour)
				must(t, "Mark", s.Mark(ctx, "f:one", until))
				wantErr(t, "Mark, again", s.Mark(ctx, "f:one", until), store.ErrExists)
				wantErr(t, "Mark, for longer", s.Mark(ctx, "f:one", until.Add(time.Hour)), store.ErrExists)
				must(t, "Mark of another", s.Mark(ctx, "f:two", until))
			}},
		{"MarkAtOnce", "Of many calls of Mark at once, one gets nil.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				for round := range 5 {
					oneOf(t, "Mark", atOnce(20, func(int) error {
						return s.Mark(ctx, fmt.Sprint("f:", round), moment().Add(time.Hour))
					}), store.ErrExists)
				}
			}},
		{"MarkOver", "Mark remembers an ID until its time, and not longer.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				must(t, "Mark", s.Mark(ctx, "f:one", moment().Add(-time.Second)))
				must(t, "Mark, when it is over", s.Mark(ctx, "f:one", moment().Add(time.Hour)))
				wantErr(t, "Mark, before it is over", s.Mark(ctx, "f:one", moment().Add(time.Hour)), store.ErrExists)
			}},
		{"DeleteExpiredSessions", "DeleteExpired removes sessions that are over.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				over := visit(u, "s1")
				over.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, over))
				must(t, "DeleteExpired", s.DeleteExpired(ctx))
				must(t, "CreateSession with the ID of one that is over", s.CreateSession(ctx, visit(u, "s1")))
			}},
		{"DeleteExpiredKeepsLive", "DeleteExpired leaves sessions and marks that are not over.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				want := logIn(ctx, t, s, u, "s1")
				must(t, "Mark", s.Mark(ctx, "f:one", moment().Add(time.Hour)))
				must(t, "DeleteExpired", s.DeleteExpired(ctx))
				got, err := s.Session(ctx, "s1")
				must(t, "Session", err)
				wantSame(t, "the session", got, want)
				wantErr(t, "Mark", s.Mark(ctx, "f:one", moment().Add(time.Hour)), store.ErrExists)
			}},
	}
}
