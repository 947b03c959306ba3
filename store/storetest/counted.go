package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/gatepass/gatepass/store"
)

// wantCounted stores a session and fails unless its user has n then.
func wantCounted(ctx context.Context, t testing.TB, c store.SessionCounter, session *store.Session, n int) {
	t.Helper()
	got, err := c.CreateCounted(ctx, session)
	must(t, "CreateCounted of "+session.ID, err)
	if got != n {
		t.Errorf("CreateCounted of %s: got %d sessions, want %d", session.ID, got, n)
	}
}

func countRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.SessionCounter)) func(context.Context, testing.TB, store.Store) {
		return needs("SessionCounter", check)
	}
	return []rule{
		{"CreateCountedStores", "CreateCounted stores the session as CreateSession does.",
			with(func(ctx context.Context, t testing.TB, s store.Store, c store.SessionCounter) {
				u, _ := signUp(ctx, t, s, "ann")
				want := visit(u, "a")
				if _, ok := s.(store.SessionReplacer); ok {
					want = whole(u, "a")
				}
				given := *want
				wantCounted(ctx, t, c, &given, 1)
				given.IP = "changed" // what it was given is the caller's own
				wantSession(ctx, t, s, want)
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, u.ID, ""))
				wantEnded(ctx, t, s, "a")
			})},
		{"CreateCountedCounts", "CreateCounted counts the new session and the others of its user that have not expired. A visitor's is counted alone.",
			with(func(ctx context.Context, t testing.TB, s store.Store, c store.SessionCounter) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				expired := visit(ann, "expired")
				expired.ExpiresAt = moment().Add(-1)
				must(t, "CreateSession", s.CreateSession(ctx, expired))
				logIn(ctx, t, s, bob, "other")
				wantCounted(ctx, t, c, visit(ann, "a"), 1)
				logIn(ctx, t, s, ann, "b")
				wantCounted(ctx, t, c, visit(ann, "c"), 3)
				must(t, "DeleteSession", s.DeleteSession(ctx, "a"))
				wantCounted(ctx, t, c, visit(ann, "d"), 3)
				wantCounted(ctx, t, c, visit(&store.User{}, "v1"), 1)
				wantCounted(ctx, t, c, visit(&store.User{}, "v2"), 1)
				// The user may be one of another store.
				wantCounted(ctx, t, c, visit(&store.User{ID: "elsewhere"}, "e"), 1)
			})},
		{"CreateCountedExists", "CreateCounted returns ErrExists if the ID is taken, and then has changed nothing.",
			with(func(ctx context.Context, t testing.TB, s store.Store, c store.SessionCounter) {
				ann, _ := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				taken := logIn(ctx, t, s, ann, "taken")
				for _, u := range []*store.User{ann, eve, {}} {
					_, err := c.CreateCounted(ctx, visit(u, "taken"))
					wantErr(t, "CreateCounted", err, store.ErrExists)
				}
				wantSession(ctx, t, s, taken)
				wantCounted(ctx, t, c, visit(eve, "free"), 1)
			})},
		{"CreateCountedAtOnce", "Of many calls of CreateCounted at once for one ID, one gets nil.",
			with(func(ctx context.Context, t testing.TB, s store.Store, c store.SessionCounter) {
				u, _ := signUp(ctx, t, s, "ann")
				oneOf(t, "CreateCounted", atOnce(8, func(int) error {
					n, err := c.CreateCounted(ctx, visit(u, "fresh"))
					if err == nil && n != 1 {
						err = errors.New("it counted one that was not stored")
					}
					return err
				}), store.ErrExists)
				wantCounted(ctx, t, c, visit(u, "next"), 2)
			})},
		{"TransactCounts", "In a transaction, CreateCounted counts what that has left. It remains if f returns nil, and is undone if it fails.",
			needs("Transactor and SessionCounter", func(ctx context.Context, t testing.TB, s store.Store, tr interface {
				store.Transactor
				store.SessionCounter
			}) {
				u, _ := signUp(ctx, t, s, "ann")
				old := logIn(ctx, t, s, u, "old")
				for _, want := range []error{errors.New("f failed"), nil} {
					err := within(ctx, t, tr, func(tx store.SessionCounter) error {
						wantCounted(ctx, t, tx, visit(u, "tx1"), 2)
						wantCounted(ctx, t, tx, visit(u, "tx2"), 3)
						_, err := tx.CreateCounted(ctx, visit(u, "tx1"))
						wantErr(t, "CreateCounted with an ID that is taken", err, store.ErrExists)
						must(t, "DeleteSession", tx.DeleteSession(ctx, "old"))
						wantCounted(ctx, t, tx, visit(u, "tx3"), 3)
						return want
					})
					wantErr(t, "Transact", err, want)
					if want != nil {
						wantSession(ctx, t, s, old)
						wantEnded(ctx, t, s, "tx1", "tx2", "tx3")
					}
				}
				wantCounted(ctx, t, tr, visit(u, "last"), 4)
			})},
	}
}
