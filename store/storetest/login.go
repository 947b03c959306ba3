package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func loginRules() []rule {
	with := func(check func(context.Context, testing.TB, store.LoginKeeper)) func(context.Context, testing.TB, store.Store) {
		return needs("LoginKeeper", func(ctx context.Context, t testing.TB, _ store.Store, s store.LoginKeeper) { check(ctx, t, s) })
	}
	return []rule{
		{"AccountUserFinds", "AccountUser returns what Account, User and Token return, and no token if there is none.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				u, a := signUp(ctx, t, s, "ann")
				_, b := signUp(ctx, t, s, "bob")
				putToken(ctx, t, s, b.Key, "other")
				wantAccount(ctx, t, s, a, nil)
				must(t, "PutToken", s.PutToken(ctx, a.Key, token("sealed")))
				wantAccount(ctx, t, s, a, token("sealed"))
				u.Name, u.Disabled = "New", true
				must(t, "UpdateUser", s.UpdateUser(ctx, u))
				_, user, _, err := s.AccountUser(ctx, a.Key)
				must(t, "AccountUser", err)
				if user.ID != u.ID || user.Name != "New" || !user.Disabled {
					t.Errorf("after UpdateUser: got %+v", user)
				}
			})},
		{"AccountUserNotThere", "AccountUser returns ErrNotFound if the account is not there, or its user; subjects are compared byte for byte.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				u, a := signUp(ctx, t, s, "ann")
				for _, k := range []store.Key{{}, key("Ann"), key("ann "), key("an"), {Provider: "other", Subject: "ann"}} {
					_, _, _, err := s.AccountUser(ctx, k)
					wantErr(t, fmt.Sprintf("AccountUser(%v)", k), err, store.ErrNotFound)
				}
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				_, _, _, err := s.AccountUser(ctx, a.Key)
				gone(t, "AccountUser", err)
			})},
		{"UpdateAccountTokenKeeps", "UpdateAccountToken changes the account as UpdateAccount does and its token as PutToken or DeleteToken does, and nothing else.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				_, a := signUp(ctx, t, s, "ann")
				_, b := signUp(ctx, t, s, "bob")
				putToken(ctx, t, s, b.Key, "other")
				want := changed(a)
				given := *want
				given.CreatedAt = moment() // which no update changes
				var old *store.Token
				for _, next := range []*store.Token{token("first"), {Sealed: []byte("second\x00\xff"), Scopes: []string{"a b"}}, nil, nil, token("last")} {
					must(t, "UpdateAccountToken", s.UpdateAccountToken(ctx, &given, old, next))
					wantAccount(ctx, t, s, want, next)
					old = next
				}
				wantToken(ctx, t, s, b.Key, "other")
			})},
		{"UpdateAccountTokenChanged", "UpdateAccountToken returns ErrExists if the token is not old, and then changes neither.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				_, a := signUp(ctx, t, s, "ann")
				wantErr(t, "UpdateAccountToken", s.UpdateAccountToken(ctx, changed(a), token("old"), token("new")), store.ErrExists)
				wantAccount(ctx, t, s, a, nil)
				putToken(ctx, t, s, a.Key, "renewed")
				for _, old := range []*store.Token{nil, {}, token("old"), token("Renewed"), token("renewed ")} {
					for _, next := range []*store.Token{token("new"), nil} {
						wantErr(t, "UpdateAccountToken", s.UpdateAccountToken(ctx, changed(a), old, next), store.ErrExists)
					}
				}
				wantAccount(ctx, t, s, a, token("renewed"))
			})},
		{"UpdateAccountTokenOfAnother", "UpdateAccountToken returns ErrNotFound for an account that another user has by now, and changes nothing.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				u, a := signUp(ctx, t, s, "ann")
				b := link(ctx, t, s, u, key("ann-2"))
				other, _ := signUp(ctx, t, s, "bob")
				must(t, "RemoveAccount", s.RemoveAccount(ctx, b.Key, []string{home}))
				link(ctx, t, s, other, b.Key)
				moved, err := s.Account(ctx, b.Key)
				must(t, "Account", err)
				for _, userID := range []string{u.ID, "", "nobody"} {
					given := changed(b)
					given.UserID = userID
					wantErr(t, "UpdateAccountToken", s.UpdateAccountToken(ctx, given, nil, token("new")), store.ErrNotFound)
				}
				wantAccount(ctx, t, s, moved, nil)
				wantAccount(ctx, t, s, a, nil)
			})},
		{"UpdateAccountTokenNoAccount", "UpdateAccountToken returns ErrNotFound for an account that is not there, and makes none.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				u, a := person("ann")
				a.UserID = "nobody"
				for _, old := range []*store.Token{nil, token("old")} {
					wantErr(t, "UpdateAccountToken", s.UpdateAccountToken(ctx, a, old, token("new")), store.ErrNotFound)
				}
				_, err := s.Account(ctx, a.Key)
				gone(t, "Account", err)
				must(t, "CreateUser", s.CreateUser(ctx, u, a))
				_, err = s.Token(ctx, a.Key)
				gone(t, "Token", err)
			})},
		{"UpdateAccountTokenEndsLease", "UpdateAccountToken ends the lease of the token before, as PutToken does.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "old")
				old, err := s.LeaseToken(ctx, a.Key, time.Hour)
				must(t, "LeaseToken", err)
				must(t, "UpdateAccountToken", s.UpdateAccountToken(ctx, a, old, token("new")))
				_, err = s.LeaseToken(ctx, a.Key, time.Hour)
				must(t, "LeaseToken", err)
			})},
		{"UpdateAccountTokenAtOnce", "Of two logins that carry one token over at once, one succeeds and the other gets ErrExists.",
			with(func(ctx context.Context, t testing.TB, s store.LoginKeeper) {
				_, a := signUp(ctx, t, s, "ann")
				for range 10 {
					putToken(ctx, t, s, a.Key, "old")
					oneOf(t, "UpdateAccountToken", atOnce(2, func(i int) error {
						return s.UpdateAccountToken(ctx, a, token("old"), token(fmt.Sprint("new", i)))
					}), store.ErrExists)
				}
			})},
	}
}

// wantAccount fails unless an account and its token are as they are wanted, token
// nil for none, however they are found.
func wantAccount(ctx context.Context, t testing.TB, s store.LoginKeeper, want *store.Account, tok *store.Token) {
	t.Helper()
	a, _, found, err := s.AccountUser(ctx, want.Key)
	must(t, "AccountUser", err)
	wantSame(t, "the account of AccountUser", a, want)
	if found == nil || tok == nil {
		if found != tok {
			t.Errorf("AccountUser: got the token %v, want %v", found, tok)
		}
	} else {
		wantSame(t, "the token of AccountUser", found, tok)
	}
	a, err = s.Account(ctx, want.Key)
	must(t, "Account", err)
	wantSame(t, "the account", a, want)
	found, err = s.Token(ctx, want.Key)
	if tok == nil {
		gone(t, "Token", err)
		return
	}
	must(t, "Token", err)
	wantSame(t, "the token", found, tok)
}

// changed returns what a provider says of an account another time.
func changed(a *store.Account) *store.Account {
	c := *a
	c.Issuer, c.Email, c.Name, c.Username, c.AvatarURL, c.Profile = "https://new.example", "new@acme.example", "New", "new1", "https://acme.example/new", []byte(`{"id":2}`)
	c.UpdatedAt = moment()
	return &c
}
