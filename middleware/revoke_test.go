package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// hang is a provider that does not answer, and looks at what is there meanwhile.
func hang(during func()) func(context.Context, provider.Token) error {
	return func(ctx context.Context, _ provider.Token) error {
		during()
		<-ctx.Done()
		return ctx.Err()
	}
}

// What happens here comes first, and a provider that hangs holds nobody up for
// long.
func TestUnlinkFromAProviderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, nil)
		a.github.person("ada", ada)
		a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada"})
		b := a.browser()
		b.login("github", "ada")
		b.link("ada")
		id := b.whoami()
		k := store.Key{Provider: "other", Subject: "o-1"}
		asked := 0
		a.other.revoke = hang(func() {
			asked++
			if _, err := a.store.Account(t.Context(), k); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("while the provider is asked, the account is still there: %v", err)
			}
		})
		began := time.Now()
		if resp := b.post("/auth/unlink/other", nil); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("got %d: %s", resp.StatusCode, body(t, resp))
		}
		if d := time.Since(began); d > 5*time.Second || asked != 1 {
			t.Errorf("it took %v and asked %d times, want 5s at most, and once", d, asked)
		}
		if b.whoami() != id {
			t.Error("the session ended")
		}
	})
}

func TestDeleteUserWhoseProvidersHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, nil)
		a.github.person("ada", ada)
		b := a.browser()
		b.login("github", "ada")
		id := b.whoami()
		for _, code := range []string{"one", "two", "three", "four"} {
			a.other.person(code, provider.Identity{Subject: code, Name: "Ada"})
			if resp := b.link(code); resp.StatusCode != http.StatusSeeOther {
				t.Fatalf("link: got %d", resp.StatusCode)
			}
		}
		var asked atomic.Int32
		gone := func() {
			asked.Add(1)
			if _, err := a.store.User(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("while a provider is asked, the user is still there: %v", err)
			}
			if me := b.whoami(); me != "" {
				t.Errorf("while a provider is asked, the browser is %q", me)
			}
		}
		a.github.revoke, a.other.revoke = hang(gone), hang(gone)
		began := time.Now()
		if err := a.auth.DeleteUser(t.Context(), id); err != nil {
			t.Error(err)
		}
		if d, n := time.Since(began), asked.Load(); d > 5*time.Second || n != 5 {
			t.Errorf("it took %v and asked %d times, want 5s at most, and 5 times", d, n)
		}
	})
}

// Who ends another session and closes the window has ended it.
func TestRevokeOfABrowserThatDoesNotWait(t *testing.T) {
	db, _ := openFaulty(t)
	s := &racedStore{wholeStore: db}
	a := newApp(t, func(c *middleware.Config) { c.Store = s })
	a.github.person("ada", ada)
	b, other := a.browser(), a.browser()
	b.login("github", "ada")
	other.login("github", "ada")
	handle := regexp.MustCompile(`name="session" value="([^"]+)"`).FindStringSubmatch(body(t, b.get("/auth/account")))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.on(func(op string) error {
		if op == "before UserSessions" {
			cancel()
		}
		return nil
	})
	b.post("/auth/sessions/revoke", url.Values{"session": {handle[1]}}, func(r *http.Request) { *r = *r.WithContext(ctx) })
	s.on(nil)
	if ctx.Err() == nil || b.whoami() == "" || other.whoami() != "" {
		t.Errorf("this browser is %q, the other %q", b.whoami(), other.whoami())
	}
}
