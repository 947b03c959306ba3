package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// errLess says that a transaction's Store is no T.
var errLess = errors.New("the Store of the transaction can do less")

// within runs f in a transaction, and ends the rule if the Store of that is no T,
// which breaks a rule of its own.
func within[T any](ctx context.Context, t testing.TB, s store.Transactor, f func(tx T) error) error {
	t.Helper()
	err := s.Transact(ctx, func(tx store.Store) error {
		able, ok := tx.(T)
		if !ok {
			return errLess
		}
		return f(able)
	})
	if errors.Is(err, errLess) {
		t.Skip(err.Error())
	}
	return err
}

// same reports whether tx is a T if s is.
func same[T any](s, tx store.Store) bool {
	_, can := s.(T)
	_, could := tx.(T)
	return could || !can
}

// withinRules are of transactions of a store that can do more than it must.
func withinRules() []rule {
	failed := errors.New("f failed")
	return []rule{
		{"TransactDoesAsMuch", "The Store of a transaction is whatever the Store is of SessionReplacer, SessionCounter, SessionValuer, SIDFinder, MarkFinder and Rememberer.",
			needs("Transactor", func(ctx context.Context, t testing.TB, s store.Store, tr store.Transactor) {
				must(t, "Transact", tr.Transact(ctx, func(tx store.Store) error {
					for what, ok := range map[string]bool{
						"SessionReplacer": same[store.SessionReplacer](s, tx), "SessionValuer": same[store.SessionValuer](s, tx),
						"SessionCounter": same[store.SessionCounter](s, tx), "SIDFinder": same[store.SIDFinder](s, tx), "MarkFinder": same[store.MarkFinder](s, tx),
						"Rememberer": same[store.Rememberer](s, tx),
					} {
						if !ok {
							t.Errorf("the Store is a %s, and that of its transaction is none", what)
						}
					}
					return nil
				}))
			})},
		{"TransactReplaces", "In a transaction, sessions are replaced and renewed as outside. It remains if f returns nil, and is undone if it fails.",
			needs("Transactor and SessionReplacer", func(ctx context.Context, t testing.TB, s store.Store, tr interface {
				store.Transactor
				store.SessionReplacer
			}) {
				u, _ := signUp(ctx, t, s, "ann")
				old, former := logIn(ctx, t, s, u, "old"), logIn(ctx, t, s, u, "former")
				for _, want := range []error{failed, nil} {
					err := within(ctx, t, tr, func(tx store.SessionReplacer) error {
						must(t, "ReplaceSessions", tx.ReplaceSessions(ctx, whole(u, "tx1"), nil, []string{"old"}))
						must(t, "RenewSession", tx.RenewSession(ctx, "former", whole(u, "tx2")))
						must(t, "RenewSession, again", tx.RenewSession(ctx, "tx2", whole(u, "tx3")))
						wantErr(t, "RenewSession of one that has ended", tx.RenewSession(ctx, "former", whole(u, "tx4")), store.ErrNotFound)
						wantErr(t, "RenewSession with an ID that is taken", tx.RenewSession(ctx, "tx3", whole(u, "tx1")), store.ErrExists)
						wantErr(t, "ReplaceSessions", tx.ReplaceSessions(ctx, whole(u, "tx1"), nil, []string{"tx3"}), store.ErrExists)
						wantEnded(ctx, t, tx, "old", "former", "tx2", "tx4")
						for _, id := range []string{"tx1", "tx3"} {
							_, err := tx.Session(ctx, id)
							must(t, "Session "+id, err)
						}
						return want
					})
					wantErr(t, "Transact", err, want)
					if want != nil {
						wantSession(ctx, t, s, old)
						wantSession(ctx, t, s, former)
						wantEnded(ctx, t, s, "tx1", "tx2", "tx3")
					}
				}
				wantEnded(ctx, t, s, "old", "former", "tx2")
				for _, id := range []string{"tx1", "tx3"} {
					_, err := s.Session(ctx, id)
					must(t, "Session "+id, err)
				}
			})},
		{"TransactSwapsValues", "In a transaction, values are swapped as outside. It remains if f returns nil, and is undone if it fails.",
			needs("Transactor and SessionValuer", func(ctx context.Context, t testing.TB, s store.Store, tr interface {
				store.Transactor
				store.SessionValuer
			}) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				must(t, "SwapSessionValues", tr.SwapSessionValues(ctx, "a", nil, []byte("first")))
				for _, want := range []error{failed, nil} {
					wantValues(ctx, t, tr, "a", []byte("first"))
					err := within(ctx, t, tr, func(tx store.SessionValuer) error {
						must(t, "SwapSessionValues", tx.SwapSessionValues(ctx, "a", []byte("first"), []byte("second")))
						wantErr(t, "SwapSessionValues", tx.SwapSessionValues(ctx, "a", []byte("first"), []byte("x")), store.ErrExists)
						wantValues(ctx, t, tx, "a", []byte("second"))
						return want
					})
					wantErr(t, "Transact", err, want)
				}
				wantValues(ctx, t, tr, "a", []byte("second"))
			})},
		{"TransactFinds", "In a transaction, sessions by SID and marks are found as it left them.",
			needs("Transactor, SIDFinder and MarkFinder", func(ctx context.Context, t testing.TB, s store.Store, tr interface {
				store.Transactor
				store.SIDFinder
				store.MarkFinder
			}) {
				u, _ := signUp(ctx, t, s, "ann")
				began(ctx, t, s, u, "a", home, "one")
				must(t, "Transact", within(ctx, t, tr, func(tx interface {
					store.Store
					store.SIDFinder
					store.MarkFinder
				}) error {
					must(t, "DeleteSession", tx.DeleteSession(ctx, "a"))
					began(ctx, t, tx, u, "b", home, "one")
					wantSID(ctx, t, tx, home, "one", "b")
					wantErr(t, "Marked", tx.Marked(ctx, "m:tx"), store.ErrNotFound)
					must(t, "Mark", tx.Mark(ctx, "m:tx", moment().Add(time.Hour)))
					must(t, "Marked", tx.Marked(ctx, "m:tx"))
					return nil
				}))
				wantSID(ctx, t, tr, home, "one", "b")
				must(t, "Marked", tr.Marked(ctx, "m:tx"))
			})},
		{"TransactRemembers", "In a transaction, browsers are remembered and forgotten as outside. It remains if f returns nil, and is undone if it fails.",
			needs("Transactor and Rememberer", func(ctx context.Context, t testing.TB, s store.Store, tr interface {
				store.Transactor
				store.Rememberer
			}) {
				u, _ := signUp(ctx, t, s, "ann")
				first, second := remember(ctx, t, tr, u, "b1"), remember(ctx, t, tr, u, "b2")
				swapped := *second
				swapped.Validator = []byte("new")
				for _, want := range []error{failed, nil} {
					wantRemembered(ctx, t, tr, first, second)
					wantForgotten(ctx, t, tr, "b3")
					err := within(ctx, t, tr, func(tx store.Rememberer) error {
						must(t, "DeleteRemembered", tx.DeleteRemembered(ctx, "b1"))
						must(t, "SwapRemembered", tx.SwapRemembered(ctx, second.Validator, &swapped))
						wantErr(t, "SwapRemembered", tx.SwapRemembered(ctx, second.Validator, second), store.ErrExists)
						wantErr(t, "SwapRemembered", tx.SwapRemembered(ctx, first.Validator, first), store.ErrNotFound)
						must(t, "CreateRemembered", tx.CreateRemembered(ctx, browser(u, "b3")))
						wantErr(t, "CreateRemembered", tx.CreateRemembered(ctx, browser(u, "b3")), store.ErrExists)
						list, err := tx.UserRemembered(ctx, u.ID)
						must(t, "UserRemembered", err)
						got := browserIDs(list)
						if slices.Sort(got); !slices.Equal(got, []string{"b2", "b3"}) {
							t.Errorf("UserRemembered: got %q, want b2 and b3", got)
						}
						wantRemembered(ctx, t, tx, &swapped)
						return want
					})
					wantErr(t, "Transact", err, want)
				}
				wantForgotten(ctx, t, tr, "b1")
				wantRemembered(ctx, t, tr, &swapped)
				_, err := tr.Remembered(ctx, "b3")
				must(t, "Remembered", err)
			})},
	}
}
