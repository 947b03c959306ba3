package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// wantFinished finishes a login and fails unless its user has n sessions then.
func wantFinished(ctx context.Context, t testing.TB, s store.LoginFinisher, a *store.Account, old, tok *store.Token, session *store.Session, n int) {
	t.Helper()
	got, err := s.FinishLogin(ctx, a, old, tok, session)
	must(t, "FinishLogin with "+session.ID, err)
	if got != n {
		t.Errorf("FinishLogin with %s: got %d sessions, want %d", session.ID, got, n)
	}
}

// finisher returns s if it is a LoginFinisher, and does not say that it would not
// be one.
func finisher(ctx context.Context, s store.Store) (store.LoginFinisher, bool) {
	l, ok := s.(store.LoginFinisher)
	if !ok {
		return nil, false
	}
	_, err := l.FinishLogin(ctx, &store.Account{Key: key("nobody"), UserID: "nobody"}, nil, nil, visit(&store.User{ID: "nobody"}, "nobody"))
	return l, !errors.Is(err, errors.ErrUnsupported)
}

func finishRules() []rule {
	with := func(check func(context.Context, testing.TB, store.LoginFinisher)) func(context.Context, testing.TB, store.Store) {
		return func(ctx context.Context, t testing.TB, s store.Store) {
			l, ok := finisher(ctx, s)
			if !ok {
				t.Skip("the store is no LoginFinisher")
			}
			check(ctx, t, l)
		}
	}
	return []rule{
		{"FinishLoginFinishes", "FinishLogin keeps an account and its token as UpdateAccountToken does, stores the session as CreateSession does, and changes nothing else.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				u, a := signUp(ctx, t, s, "ann")
				_, b := signUp(ctx, t, s, "bob")
				putToken(ctx, t, s, b.Key, "other")
				want := changed(a)
				var old *store.Token
				for i, next := range []*store.Token{token("first"), {Sealed: []byte("second\x00\xff"), Scopes: []string{"a b"}}, nil, nil, token("last")} {
					session := visit(u, fmt.Sprint("s", i))
					if _, ok := s.(store.SessionReplacer); ok {
						session = whole(u, session.ID)
					}
					account, given := *want, *session
					account.CreatedAt = moment() // which no update changes
					wantFinished(ctx, t, s, &account, old, next, &given, i+1)
					given.IP = "changed" // what it was given is the caller's own
					wantAccount(ctx, t, s, want, next)
					wantSession(ctx, t, s, session)
					old = next
				}
				wantToken(ctx, t, s, b.Key, "other")
			})},
		{"FinishLoginEndsLease", "FinishLogin ends the lease of the token before, as PutToken does; one that is refused leaves it.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				u, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "old")
				old, err := s.LeaseToken(ctx, a.Key, time.Hour)
				must(t, "LeaseToken", err)
				_, err = s.FinishLogin(ctx, a, token("other"), token("new"), visit(u, "late"))
				wantErr(t, "FinishLogin", err, store.ErrExists)
				_, err = s.LeaseToken(ctx, a.Key, time.Hour)
				wantErr(t, "LeaseToken", err, store.ErrLeased)
				wantFinished(ctx, t, s, a, old, token("new"), visit(u, "a"), 1)
				_, err = s.LeaseToken(ctx, a.Key, time.Hour)
				must(t, "LeaseToken", err)
			})},
		{"FinishLoginCounts", "FinishLogin counts the new session and the others of its user that have not expired.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				ann, a := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				expired := visit(ann, "expired")
				expired.ExpiresAt = moment().Add(-1)
				must(t, "CreateSession", s.CreateSession(ctx, expired))
				logIn(ctx, t, s, bob, "other")
				wantFinished(ctx, t, s, a, nil, nil, visit(ann, "a"), 1)
				logIn(ctx, t, s, ann, "b")
				wantFinished(ctx, t, s, a, nil, token("new"), visit(ann, "c"), 3)
				must(t, "DeleteSession", s.DeleteSession(ctx, "a"))
				wantFinished(ctx, t, s, a, token("new"), nil, visit(ann, "d"), 3)
			})},
		{"FinishLoginChanged", "FinishLogin returns ErrExists if the token is not old, and then changes nothing.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				u, a := signUp(ctx, t, s, "ann")
				refused := func(old, next *store.Token) {
					t.Helper()
					_, err := s.FinishLogin(ctx, changed(a), old, next, visit(u, "refused"))
					wantErr(t, "FinishLogin", err, store.ErrExists)
					wantEnded(ctx, t, s, "refused")
				}
				refused(token("old"), token("new"))
				wantAccount(ctx, t, s, a, nil)
				putToken(ctx, t, s, a.Key, "renewed")
				for _, old := range []*store.Token{nil, {}, token("old"), token("Renewed"), token("renewed ")} {
					refused(old, token("new"))
					refused(old, nil)
				}
				wantAccount(ctx, t, s, a, token("renewed"))
			})},
		{"FinishLoginOfAnother", "FinishLogin returns ErrNotFound for an account that is gone or that another user has by now, and changes nothing.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				u, _ := signUp(ctx, t, s, "ann")
				other, b := signUp(ctx, t, s, "bob")
				gone := *b
				gone.Key = key("nobody")
				gone.UserID = u.ID
				for _, given := range []*store.Account{changed(b), &gone} {
					given.UserID = u.ID
					_, err := s.FinishLogin(ctx, given, nil, token("new"), visit(u, "refused"))
					wantErr(t, "FinishLogin", err, store.ErrNotFound)
					wantEnded(ctx, t, s, "refused")
				}
				wantAccount(ctx, t, s, b, nil)
				wantFinished(ctx, t, s, b, nil, nil, visit(other, "b"), 1)
			})},
		{"FinishLoginExists", "FinishLogin returns ErrExists if the session's ID is taken, and then changes nothing.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				ann, a := signUp(ctx, t, s, "ann")
				eve, b := signUp(ctx, t, s, "eve")
				putToken(ctx, t, s, b.Key, "old")
				taken := logIn(ctx, t, s, ann, "taken")
				for u, given := range map[*store.User]*store.Account{ann: a, eve: b} {
					old, _ := s.Token(ctx, given.Key)
					_, err := s.FinishLogin(ctx, changed(given), old, token("new"), visit(u, "taken"))
					wantErr(t, "FinishLogin", err, store.ErrExists)
				}
				wantSession(ctx, t, s, taken)
				wantAccount(ctx, t, s, a, nil)
				wantAccount(ctx, t, s, b, token("old"))
			})},
		{"FinishLoginAtOnce", "Of two logins at once that carry one token over, one succeeds, and the other gets ErrExists and has no session.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				u, a := signUp(ctx, t, s, "ann")
				for round := range 10 {
					putToken(ctx, t, s, a.Key, "old")
					oneOf(t, "FinishLogin", atOnce(2, func(i int) error {
						n, err := s.FinishLogin(ctx, a, token("old"), token(fmt.Sprint("new", i)), visit(u, fmt.Sprint(round, "-", i)))
						if err == nil && n != round+1 {
							err = fmt.Errorf("got %d sessions, want %d", n, round+1)
						}
						return err
					}), store.ErrExists)
				}
				list, err := s.UserSessions(ctx, u.ID)
				must(t, "UserSessions", err)
				if len(list) != 10 {
					t.Errorf("got %d sessions of 10 logins that succeeded", len(list))
				}
			})},
		{"TransactFinishes", "In a transaction, FinishLogin does as outside, and what it refuses harms nothing else. It remains if f returns nil, and is undone if it fails.",
			with(func(ctx context.Context, t testing.TB, s store.LoginFinisher) {
				tr, ok := s.(store.Transactor)
				if !ok {
					t.Skip("the store is no Transactor")
				}
				u, a := signUp(ctx, t, s, "ann")
				given := changed(a)
				for _, want := range []error{errors.New("f failed"), nil} {
					err := within(ctx, t, tr, func(tx store.LoginFinisher) error {
						must(t, "CreateSession", tx.CreateSession(ctx, visit(u, "tx1")))
						for _, id := range []string{"tx1", "tx2"} { // taken; and not the token
							old := token("old")
							if id == "tx1" {
								old = nil
							}
							_, err := tx.FinishLogin(ctx, given, old, token("new"), visit(u, id))
							wantErr(t, "FinishLogin", err, store.ErrExists)
							unchanged, _, tok, err := tx.AccountUser(ctx, a.Key)
							must(t, "AccountUser", err)
							wantSame(t, "the account", unchanged, a)
							if tok != nil {
								t.Error("a login that was refused has left its token")
							}
						}
						wantFinished(ctx, t, tx, given, nil, token("new"), visit(u, "tx2"), 2)
						return want
					})
					wantErr(t, "Transact", err, want)
					if want != nil {
						wantAccount(ctx, t, s, a, nil)
						wantEnded(ctx, t, s, "tx1", "tx2")
					}
				}
				wantAccount(ctx, t, s, given, token("new"))
				wantFinished(ctx, t, s, a, token("new"), nil, visit(u, "last"), 3)
			})},
	}
}
