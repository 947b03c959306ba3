package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

var githubAda = store.Key{Provider: "github", Subject: "1001"}

// link adds the code's account at other to whoever the browser is.
func (b *browser) link(code string) *http.Response {
	b.t.Helper()
	return b.callback("other", b.stateOf(b.post("/auth/link/other", nil)), code)
}

func TestLink(t *testing.T) {
	var linked []string
	a := newApp(t, func(c *middleware.Config) {
		c.OnLink = func(ctx context.Context, u *store.User, id provider.Identity) error {
			linked = append(linked, middleware.CurrentUser(ctx).ID+" "+id.Subject)
			return nil
		}
	})
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada at other"})
	b := a.browser()
	b.login("github", "ada")
	me, key := b.whoami(), b.sessionCookie()
	resp := b.link("ada")
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/auth/account" {
		t.Fatalf("link: got %d to %q: %s", resp.StatusCode, resp.Header.Get("Location"), body(t, resp))
	}
	if b.sessionCookie() == key {
		t.Error("linking kept the session's key")
	}
	if len(linked) != 1 || linked[0] != me+" o-1" {
		t.Errorf("OnLink: got %q", linked)
	}
	for _, p := range []string{"github", "other"} {
		c := a.browser()
		c.login(p, "ada")
		if c.whoami() != me {
			t.Errorf("login with %s: got another user", p)
		}
	}
	if resp := b.link("ada"); resp.StatusCode != 303 {
		t.Errorf("linking what is mine again: got %d, want 303", resp.StatusCode)
	}
	page := body(t, b.get("/auth/account"))
	if !strings.Contains(page, "GITHUB") || !strings.Contains(page, "OTHER") || strings.Contains(page, "only way in") {
		t.Errorf("account page: %s", page)
	}
}

func TestLinkWhatBelongsToAnotherUser(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("bob", provider.Identity{Subject: "o-2", Name: "Bob", Email: "bob@example.com", EmailVerified: true})
	owner := a.browser()
	owner.login("other", "bob")
	b := a.browser()
	b.login("github", "ada")
	resp := b.link("bob")
	text := body(t, resp)
	if resp.StatusCode != 409 || strings.Contains(text, "Bob") || strings.Contains(text, "bob@") {
		t.Errorf("got %d, want 409 and no word of whose it is: %s", resp.StatusCode, text)
	}
	acct, err := a.store.Account(context.Background(), store.Key{Provider: "other", Subject: "o-2"})
	if err != nil || acct.UserID != owner.whoami() {
		t.Errorf("the account moved: %+v, %v", acct, err)
	}
}

func TestLinkAttacks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		attack func(a *app, b *browser) *http.Response
		status int
		reason string
	}{
		{"FromAnotherSite", func(a *app, b *browser) *http.Response {
			return b.post("/auth/link/other", nil, crossSite, header("Origin", "https://evil.example"))
		}, 403, "csrf"},
		{"FromAnotherSiteInAnOldBrowser", func(a *app, b *browser) *http.Response {
			return b.post("/auth/link/other", nil, header("Sec-Fetch-Site", ""), header("Sec-Fetch-Mode", ""), header("Sec-Fetch-Dest", ""), header("Origin", "null"))
		}, 403, "csrf"},
		{"ByABrowserThatSaysNothing", func(a *app, b *browser) *http.Response {
			return b.post("/auth/link/other", nil, header("Sec-Fetch-Site", ""), header("Origin", ""))
		}, 403, "csrf"},
		{"ByGet", func(a *app, b *browser) *http.Response { return b.get("/auth/link/other") }, 405, "method"},
		{"FinishedByNobody", func(a *app, b *browser) *http.Response {
			state := b.stateOf(b.post("/auth/link/other", nil))
			delete(b.cookies, "__Host-session")
			return b.callback("other", state, "evil")
		}, 400, "tx_user"},
		{"FinishedByAnotherUser", func(a *app, b *browser) *http.Response {
			state := b.stateOf(b.post("/auth/link/other", nil))
			bobs := a.browser()
			bobs.login("github", "bob")
			b.cookies["__Host-session"] = bobs.cookies["__Host-session"]
			return b.callback("other", state, "evil")
		}, 400, "tx_user"},
		{"FinishedInAnotherSessionOfTheSameUser", func(a *app, b *browser) *http.Response {
			state := b.stateOf(b.post("/auth/link/other", nil))
			again := a.browser()
			again.login("github", "ada")
			b.cookies["__Host-session"] = again.cookies["__Host-session"]
			return b.callback("other", state, "evil")
		}, 400, "tx_user"},
		{"FinishedTooLate", func(a *app, b *browser) *http.Response {
			a.clock.advance(4 * time.Minute)
			state := b.stateOf(b.post("/auth/link/other", nil))
			a.clock.advance(11 * time.Minute)
			return b.callback("other", state, "evil")
		}, 400, "tx_expired"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, nil)
			a.github.person("ada", ada)
			a.github.person("bob", bob)
			a.other.person("evil", provider.Identity{Subject: "evil", Name: "Evil"})
			b := a.browser()
			b.login("github", "ada")
			resp := tc.attack(a, b)
			requireRejected(t, a, b, resp, tc.status, tc.reason)
			if a.users(store.Key{Provider: "other", Subject: "evil"}) != 0 {
				t.Error("the account was linked")
			}
		})
	}
}

func TestLinkWantsAFreshLogin(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	a.clock.advance(6 * time.Minute)
	resp := b.post("/auth/link/other", nil)
	if got, want := resp.Header.Get("Location"), "/auth/reauth?return_to=%2Fauth%2Faccount"; resp.StatusCode != 303 || got != want {
		t.Fatalf("got %d to %q, want 303 to %q", resp.StatusCode, got, want)
	}
	page := body(t, b.get(resp.Header.Get("Location")))
	if !strings.Contains(page, `action="/auth/reauth/github"`) {
		t.Fatalf("reauth page: %s", page)
	}
	before := b.sessionCookie()
	state := b.stateOf(b.post("/auth/reauth/github", url.Values{"return_to": {"/auth/account"}}))
	if resp := b.callback("github", state, "ada"); resp.StatusCode != 303 || resp.Header.Get("Location") != "/auth/account" {
		t.Fatalf("reauth: got %d to %q: %s", resp.StatusCode, resp.Header.Get("Location"), body(t, resp))
	}
	if b.sessionCookie() == before {
		t.Error("re-authentication kept the session's key")
	}
	if resp := b.post("/auth/link/other", nil); resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), "https://other.example/") {
		t.Errorf("after the proof: got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestReauthenticationAsSomebodyElse(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	a.github.person("new", provider.Identity{Subject: "new", Name: "New"})
	a.browser().login("github", "bob")
	for _, code := range []string{"bob", "new"} {
		b := a.browser()
		b.login("github", "ada")
		me := b.whoami()
		a.clock.advance(6 * time.Minute)
		state := b.stateOf(b.post("/auth/reauth/github", nil))
		if resp := b.callback("github", state, code); resp.StatusCode != 400 {
			t.Errorf("as %s: got %d, want 400", code, resp.StatusCode)
		}
		if b.whoami() != me {
			t.Errorf("as %s: the browser is somebody else now", code)
		}
		if resp := b.get("/fresh"); resp.StatusCode != 303 {
			t.Errorf("as %s: it counted as a proof", code)
		}
	}
	if a.users(store.Key{Provider: "github", Subject: "new"}) != 0 {
		t.Error("a re-authentication made a user")
	}
}

func TestReauthenticationThatTheServiceIgnores(t *testing.T) {
	a := newApp(t, nil)
	a.github.info.Reauth = true
	var err error
	a.auth, err = middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: a.store, Session: sessionAt(a.clock)}, a.github, a.other)
	if err != nil {
		t.Fatal(err)
	}
	a.mux = http.NewServeMux()
	a.mux.Handle("/auth/", a.auth.Handler())
	a.mux.Handle("/fresh", a.auth.RequireFresh(5*time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := middleware.CurrentSession(r.Context()); !s.Reauthed {
			t.Error("Reauthed: got false after the service vouched")
		}
	})))
	old := ada
	old.AuthTime = a.clock.Now().Add(-time.Hour)
	a.github.person("old", old)
	now := ada
	b := a.browser()
	b.login("github", "old")
	a.clock.advance(6 * time.Minute)
	for _, id := range []provider.Identity{old, ada} { // an old proof, and none
		a.github.person("old", id)
		state := b.stateOf(b.post("/auth/reauth/github", nil))
		if resp := b.callback("github", state, "old"); resp.StatusCode != 403 {
			t.Errorf("got %d, want 403", resp.StatusCode)
		}
		if resp := b.get("/fresh"); resp.StatusCode != 303 {
			t.Errorf("fresh: got %d, want 303", resp.StatusCode)
		}
	}
	now.AuthTime = a.clock.Now()
	a.github.person("now", now)
	state := b.stateOf(b.post("/auth/reauth/github", nil))
	if !a.github.begun[len(a.github.begun)-1].Reauth {
		t.Error("the provider was not asked for a proof")
	}
	if resp := b.callback("github", state, "now"); resp.StatusCode != 303 {
		t.Errorf("got %d, want 303", resp.StatusCode)
	}
	if resp := b.get("/fresh"); resp.StatusCode != 200 {
		t.Errorf("fresh: got %d, want 200", resp.StatusCode)
	}
}

func TestLoginNeverLinks(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("bob", provider.Identity{Subject: "o-2", Name: "Bob"})
	b := a.browser()
	b.login("github", "ada")
	me := b.whoami()
	// Begun while logged in, by a click: the person means to be somebody else.
	b.login("other", "bob")
	if b.whoami() == me {
		t.Fatal("a login with another account linked it, or did nothing")
	}
	accounts, err := a.store.UserAccounts(context.Background(), me)
	if err != nil || len(accounts) != 1 {
		t.Errorf("accounts: got %v, %v; want one", accounts, err)
	}
}

func TestLoginNeverSwitchesUsersSilently(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("bob", provider.Identity{Subject: "o-2", Name: "Bob"})
	b := a.browser()
	state := b.begin("other") // nobody is logged in
	b.login("github", "ada")  // meanwhile, in another tab
	me := b.whoami()
	requireRejected(t, a, b, b.callback("other", state, "bob"), 409, "user_switched")
	if b.whoami() != me {
		t.Error("the browser is somebody else now")
	}
	if a.users(store.Key{Provider: "other", Subject: "o-2"}) != 0 {
		t.Error("a user was made")
	}
	// A link from another site does not begin a login for someone logged in.
	resp := b.get("/auth/login/other", crossSite)
	if text := body(t, resp); resp.StatusCode != 200 || !strings.Contains(text, "logged in as Ada") {
		t.Errorf("got %d, want a page that names who is logged in: %s", resp.StatusCode, text)
	}
}

var unlinkForm = regexp.MustCompile(`action="/auth/unlink/(\w+)">\s*<input type="hidden" name="subject" value="([^"]*)"`)

func TestUnlink(t *testing.T) {
	var gone []string
	a := newApp(t, func(c *middleware.Config) {
		c.OnUnlink = func(_ context.Context, u *store.User, acct store.Account) error {
			gone = append(gone, acct.Subject)
			return errors.New("what has ended stays ended")
		}
	})
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada"})
	b := a.browser()
	b.login("github", "ada")
	b.link("ada")
	me := b.whoami()
	second := a.browser()
	second.login("other", "ada")
	forms := unlinkForm.FindAllStringSubmatch(body(t, b.get("/auth/account")), -1)
	if len(forms) != 2 {
		t.Fatalf("account page has %d unlink forms, want 2", len(forms))
	}
	key := b.sessionCookie()
	if resp := b.post("/auth/unlink/other", url.Values{"subject": {"o-1"}}); resp.StatusCode != 303 {
		t.Fatalf("unlink: got %d: %s", resp.StatusCode, body(t, resp))
	}
	if len(gone) != 1 || gone[0] != "o-1" {
		t.Errorf("OnUnlink: got %q", gone)
	}
	if second.whoami() != "" {
		t.Error("a session that was begun with the removed account is still open")
	}
	if b.whoami() != me || b.sessionCookie() == key {
		t.Error("the owner's own session should go on under a new key")
	}
	if n := len(a.other.revoked); n != 1 || a.other.revoked[0].AccessToken != "at-ada" {
		t.Errorf("the removed account's token was withdrawn %d times", n)
	}
	if resp := b.post("/auth/unlink/other", url.Values{"subject": {"o-1"}}); resp.StatusCode != 404 {
		t.Errorf("again: got %d, want 404", resp.StatusCode)
	}
	requireRejected(t, a, b, b.post("/auth/unlink/github", nil), 409, "last_method")
	if a.users(githubAda) != 1 {
		t.Error("the last way in was removed")
	}
}

func TestUnlinkOfAnotherUsersAccount(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	a.browser().login("github", "bob")
	b := a.browser()
	b.login("github", "ada")
	if resp := b.post("/auth/unlink/github", url.Values{"subject": {bob.Subject}}); resp.StatusCode != 404 {
		t.Errorf("got %d, want 404", resp.StatusCode)
	}
	if a.users(store.Key{Provider: "github", Subject: bob.Subject}) != 1 {
		t.Error("somebody else's account was removed")
	}
}

func TestUnlinkThatLeavesOnlyAnUnconfiguredProvider(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	err := a.store.AddAccount(context.Background(), &store.Account{Key: store.Key{Provider: "gone", Subject: "1"}, UserID: b.whoami()})
	if err != nil {
		t.Fatal(err)
	}
	requireRejected(t, a, b, b.post("/auth/unlink/github", nil), 409, "last_method")
}

func TestTwoUnlinksAtOnce(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada"})
	b := a.browser()
	b.login("github", "ada")
	b.link("ada")
	second := a.browser()
	second.login("github", "ada")
	var wg sync.WaitGroup
	wg.Go(func() { b.post("/auth/unlink/github", nil) })
	wg.Go(func() { second.post("/auth/unlink/other", nil) })
	wg.Wait()
	if n := a.users(githubAda, store.Key{Provider: "other", Subject: "o-1"}); n != 1 {
		t.Errorf("got %d ways in left, want 1", n)
	}
}
