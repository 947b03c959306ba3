package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

func linkByEmail(c *middleware.Config) { c.DangerouslyLinkByEmail = []string{"other"} }

func TestEmailNeverLinksByDefault(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada", Email: "ADA@example.com", EmailVerified: true})
	a.browser().login("github", "ada")
	b := a.browser()
	resp := b.callback("other", b.begin("other"), "ada")
	requireRejected(t, a, b, resp, 409, "email_taken")
	if a.users(store.Key{Provider: "other", Subject: "o-1"}) != 0 || b.whoami() != "" {
		t.Error("somebody was logged in or stored")
	}
}

func TestUnverifiedEmailIsNeverLookedUp(t *testing.T) {
	a := newApp(t, linkByEmail)
	a.github.person("ada", ada)
	a.other.person("evil", provider.Identity{Subject: "evil", Name: "Evil", Email: "ada@example.com"})
	victim := a.browser()
	victim.login("github", "ada")
	b := a.browser()
	b.login("other", "evil")
	if b.whoami() == victim.whoami() {
		t.Fatal("an unverified address gave away a user")
	}
	u, err := a.store.User(context.Background(), b.whoami())
	if err != nil || u.Email != "" || u.EmailVerified {
		t.Errorf("user: got %+v, want no address", u)
	}
	acct, err := a.store.Account(context.Background(), store.Key{Provider: "other", Subject: "evil"})
	if err != nil || acct.Email != "ada@example.com" {
		t.Errorf("account: got %+v, want the address as the service told it", acct)
	}
}

func TestDangerouslyLinkByEmail(t *testing.T) {
	a := newApp(t, linkByEmail)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada", Email: "Ada@Example.com", EmailVerified: true})
	first := a.browser()
	first.login("github", "ada")
	b := a.browser()
	b.login("other", "ada")
	if b.whoami() != first.whoami() {
		t.Fatal("got another user, want the one with that address")
	}
	if n := strings.Count(a.log.String(), "event=linked_by_email provider=other"); n != 1 {
		t.Errorf("got %d events of it in the log, want 1", n)
	}
	// A recycled mailbox: the user has an account of that provider already.
	a.other.person("heir", provider.Identity{Subject: "o-2", Name: "Heir", Email: "ada@example.com", EmailVerified: true})
	c := a.browser()
	requireRejected(t, a, c, c.callback("other", c.begin("other"), "heir"), 409, "email_ambiguous")
	// Not named: asked to log in as before.
	d := a.browser()
	a.github.person("new", provider.Identity{Subject: "9", Name: "New", Email: "ada@example.com", EmailVerified: true})
	requireRejected(t, a, d, d.callback("github", d.begin("github"), "new"), 409, "email_taken")
}

func TestLinkByEmailToADisabledUser(t *testing.T) {
	a := newApp(t, linkByEmail)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Email: "ada@example.com", EmailVerified: true})
	first := a.browser()
	first.login("github", "ada")
	a.disable(first.whoami())
	b := a.browser()
	requireRejected(t, a, b, b.callback("other", b.begin("other"), "ada"), 403, "user_disabled")
	if a.users(store.Key{Provider: "other", Subject: "o-1"}) != 0 {
		t.Error("an account was made")
	}
}

func TestSeveralUsersHoldTheAddress(t *testing.T) {
	a := newApp(t, linkByEmail)
	for i := range 2 {
		u := &store.User{Name: "x", Email: "ada@example.com", EmailVerified: true}
		if err := a.store.CreateUser(context.Background(), u, &store.Account{Key: store.Key{Provider: "github", Subject: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	a.other.person("ada", provider.Identity{Subject: "o-1", Email: "ada@example.com", EmailVerified: true})
	b := a.browser()
	requireRejected(t, a, b, b.callback("other", b.begin("other"), "ada"), 409, "email_ambiguous")
}

func (a *app) disable(userID string) {
	a.t.Helper()
	u, err := a.store.User(context.Background(), userID)
	if err == nil {
		u.Disabled = true
		err = a.store.UpdateUser(context.Background(), u)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

func TestDisabledUser(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { c.Session.Cache = -1 })
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	id := b.whoami()
	a.disable(id)
	if b.whoami() != "" {
		t.Error("a disabled user is still logged in")
	}
	c := a.browser()
	requireRejected(t, a, c, c.callback("github", c.begin("github"), "ada"), 403, "user_disabled")
	u, err := a.store.User(context.Background(), id)
	if err != nil || !u.Disabled {
		t.Error("a login enabled the user again")
	}
}

func TestAdmit(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { c.Admit = middleware.AdmitDomains("Example.com") })
	for name, tc := range map[string]struct {
		email    string
		verified bool
		in       bool
	}{
		"in the domain":   {"a@example.com", true, true},
		"upper case":      {"B@EXAMPLE.COM", true, true},
		"unverified":      {"c@example.com", false, false},
		"none":            {"", true, false},
		"a subdomain":     {"d@sub.example.com", true, false},
		"a longer domain": {"e@notexample.com", true, false},
		"two ats":         {"f@evil.example@example.com", true, false},
		"quoted":          {`"g@evil.example"@example.com`, true, false},
		"a newline":       {"h@evil.example\n@example.com", true, false},
		"look-alike":      {"i@ехample.com", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			code := strings.ReplaceAll(name, " ", "-")
			a.github.person(code, provider.Identity{Subject: code, Email: tc.email, EmailVerified: tc.verified})
			b := a.browser()
			b.callback("github", b.begin("github"), code)
			if in := b.whoami() != ""; in != tc.in || (a.users(store.Key{Provider: "github", Subject: code}) == 1) != tc.in {
				t.Errorf("logged in: %v, want %v", in, tc.in)
			}
		})
	}
}

func TestHooksThatFail(t *testing.T) {
	for _, hook := range []string{"OnSignUp", "OnLogin", "OnLink"} {
		for _, how := range []string{"error", "panic"} {
			t.Run(hook+"/"+how, func(t *testing.T) {
				broken, runs := true, 0
				f := func(ctx context.Context, u *store.User, id provider.Identity) error {
					runs++
					if middleware.CurrentUser(ctx).ID != u.ID || middleware.CurrentSession(ctx) == nil {
						t.Error("no current user or session in the hook")
					}
					switch {
					case broken && how == "panic":
						panic("boom")
					case broken:
						return errors.New("boom")
					}
					return nil
				}
				a := newApp(t, func(c *middleware.Config) {
					switch hook {
					case "OnSignUp":
						c.OnSignUp = f
					case "OnLogin":
						c.OnLogin = f
					case "OnLink":
						c.OnLink = f
					}
				})
				a.github.person("ada", ada)
				a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada"})
				key := store.Key{Provider: "github", Subject: "1001"}
				b := a.browser()
				if hook == "OnLink" {
					key = store.Key{Provider: "other", Subject: "o-1"}
					b.login("github", "ada")
					if resp := b.link("ada"); resp.StatusCode != 500 {
						t.Errorf("got %d, want 500", resp.StatusCode)
					}
				} else {
					if resp := b.callback("github", b.begin("github"), "ada"); resp.StatusCode != 500 || b.whoami() != "" {
						t.Errorf("got %d, want 500 and nobody logged in", resp.StatusCode)
					}
				}
				if a.users(key) != 0 {
					t.Error("what the login made is still there")
				}
				broken = false
				if hook == "OnLink" {
					b.link("ada")
				} else {
					b.login("github", "ada")
				}
				if runs != 2 || a.users(key) != 1 {
					t.Errorf("second try: got %d runs of the hook and %d accounts, want 2 and 1", runs, a.users(key))
				}
			})
		}
	}
}

func TestOnBeginCannotChangeTheState(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) {
		c.OnBegin = func(_ context.Context, id string, req *provider.Request) error {
			req.State, req.CallbackURL = "mine", "https://evil.example/"
			req.Scopes = append(req.Scopes, "more")
			return nil
		}
	})
	a.github.person("ada", ada)
	a.browser().login("github", "ada")
	req := a.github.begun[0]
	if req.State == "mine" || !strings.HasPrefix(req.CallbackURL, baseURL) || len(req.Scopes) != 1 {
		t.Errorf("got %+v", req)
	}
	if !strings.Contains(a.log.String(), "on_begin_overruled") {
		t.Error("no event in the log")
	}
}

func TestHandleIsNotAKey(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Username: "ada", Name: "Another"})
	first, second := a.browser(), a.browser()
	first.login("github", "ada")
	second.login("other", "ada")
	if first.whoami() == second.whoami() {
		t.Error("one handle, one user: want two")
	}
}

func TestWhatAProviderSaysIsCleaned(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("x", provider.Identity{
		Subject: "x", Name: "A\u202eda\x00\n" + strings.Repeat("ä", 300), Username: "", Email: "not an address",
		EmailVerified: true, AvatarURL: "javascript:alert(1)",
	})
	b := a.browser()
	b.login("github", "x")
	u, err := a.store.User(context.Background(), b.whoami())
	if err != nil || strings.ContainsAny(u.Name, "\u202e\x00\n") || len(u.Name) > 200 || u.Email != "" || u.EmailVerified || u.AvatarURL != "" {
		t.Errorf("got %+v", u)
	}
	a.github.person("empty", provider.Identity{Subject: "empty"})
	c := a.browser()
	c.login("github", "empty")
	if u, err := a.store.User(context.Background(), c.whoami()); err != nil || u.Name != "Someone" {
		t.Errorf("got %+v, want a name", u)
	}
}

// users returns how many of those subjects have an account.
func (a *app) users(keys ...store.Key) int {
	a.t.Helper()
	n := 0
	for _, k := range keys {
		_, err := a.store.Account(context.Background(), k)
		if err == nil {
			n++
		} else if !errors.Is(err, store.ErrNotFound) {
			a.t.Fatalf("account: %v", err)
		}
	}
	return n
}
