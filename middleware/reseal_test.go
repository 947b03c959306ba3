package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

const newSecret = "Q4ZbW9eYtK6nR1uXcHs8VjLd3GmPf7AoTi0wEqBy"

// changed is an app on a's store whose secrets are other ones.
func (a *app) changed(t *testing.T, secret string, old ...string) *app {
	t.Helper()
	b := newApp(t, func(c *middleware.Config) { c.Store, c.Secret, c.OldSecrets = a.store, secret, old })
	b.github, b.other, b.clock = a.github, a.other, a.clock
	auth, err := middleware.New(middleware.Config{
		BaseURL: baseURL, Secret: secret, OldSecrets: old, Store: a.store, Session: sessionAt(a.clock),
	}, a.github, a.other)
	if err != nil {
		t.Fatal(err)
	}
	b.auth = auth
	return b
}

// opens reports whether the user has a token of github's that opens.
func (a *app) opens(t *testing.T, userID string) bool {
	t.Helper()
	_, err := a.auth.Client(middleware.WithUser(t.Context(), &store.User{ID: userID}), "github")
	if err != nil && !errors.Is(err, middleware.ErrNoToken) {
		t.Fatal(err)
	}
	return err == nil
}

func TestResealTokens(t *testing.T) {
	ctx := t.Context()
	a := newApp(t, nil)
	var users []string
	for i := range 1200 { // more than two pages
		code := fmt.Sprint("p", i)
		a.github.person(code, provider.Identity{Subject: code, Name: code})
		if i >= 3 {
			// Most have no token, as somebody who logs in with a password.
			u, acct := &store.User{Name: code}, &store.Account{Key: store.Key{Provider: "github", Subject: code}}
			if err := a.store.CreateUser(ctx, u, acct); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b := a.browser()
		b.login("github", code)
		users = append(users, b.whoami())
	}
	// One whose row is another's, which no secret opens.
	stolen, err := a.store.Token(ctx, store.Key{Provider: "github", Subject: "p0"})
	if err != nil {
		t.Fatal(err)
	}
	foreign := store.Key{Provider: "github", Subject: "p1000"}
	if err := a.store.PutToken(ctx, foreign, stolen); err != nil {
		t.Fatal(err)
	}
	if n, err := a.auth.ResealTokens(ctx); n != 0 || err != nil {
		t.Errorf("with one secret: got %d, %v; want 0", n, err)
	}
	b := a.changed(t, newSecret, secret)
	if n, err := b.auth.ResealTokens(ctx); n != 3 || err != nil {
		t.Errorf("got %d, %v; want 3", n, err)
	}
	if n, err := b.auth.ResealTokens(ctx); n != 0 || err != nil {
		t.Errorf("again: got %d, %v; want 0", n, err)
	}
	if left, err := a.store.Token(ctx, foreign); err != nil || string(left.Sealed) != string(stolen.Sealed) {
		t.Errorf("a row that does not open was changed: %v", err)
	}
	alone := a.changed(t, newSecret)
	for _, id := range users {
		if !alone.opens(t, id) {
			t.Error("a token does not open without the old secret")
		}
		if a.opens(t, id) {
			t.Error("a token opens with the old secret still")
		}
	}
}

func TestResealTokensThatAreBeingRenewed(t *testing.T) {
	a := newApp(t, nil)
	withAPI(a, api(t), func(c *middleware.Config) { c.OldSecrets = []string{newSecret} })
	a.github.person("ada", ada)
	a.expire("ada", time.Hour)
	br := a.browser()
	br.login("github", "ada")
	id := br.whoami()
	a.clock.advance(2 * time.Hour)
	b := a.changed(t, newSecret, secret)
	entered, leave := make(chan struct{}), make(chan struct{})
	a.github.refresh = func(_ context.Context, tok provider.Token) (provider.Token, error) {
		close(entered)
		<-leave
		return provider.Token{AccessToken: "at-new", RefreshToken: "rt-new", Expiry: a.clock.Now().Add(time.Hour)}, nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { // by a process that seals with the old secret still
		if got, err := a.call(id, "/user"); err != nil || got != "/user Bearer at-new" {
			t.Errorf("renewal: got %q, %v", got, err)
		}
	})
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if n, err := b.auth.ResealTokens(ctx); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("during a renewal: got %d, %v; want to wait", n, err)
	}
	wg.Go(func() {
		if n, err := b.auth.ResealTokens(t.Context()); n != 1 || err != nil {
			t.Errorf("got %d, %v; want 1", n, err)
		}
	})
	close(leave)
	wg.Wait()
	if !a.changed(t, newSecret).opens(t, id) {
		t.Error("the renewed token does not open without the old secret")
	}
}

func TestResealTokensWhileLoginsRun(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	first := a.browser()
	first.login("github", "ada")
	id := first.whoami()
	b := a.changed(t, newSecret, secret)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			a.browser().login("github", "ada")
		}
	})
	for range 50 {
		if _, err := b.auth.ResealTokens(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if _, err := b.auth.ResealTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !a.changed(t, newSecret).opens(t, id) {
		t.Error("the token does not open")
	}
}

// unlisted is a store that cannot list its accounts.
type unlisted struct{ store.Store }

func TestResealTokensOfAStoreThatCannotList(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { c.Store = unlisted{memstore.New()} })
	_, err := a.auth.ResealTokens(t.Context())
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "reseal") {
		t.Errorf("got error %v, want %v", err, errors.ErrUnsupported)
	}
}
