package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

var ada = provider.Identity{Subject: "1001", Name: "Ada", Username: "ada", Email: "ada@example.com", EmailVerified: true}
var bob = provider.Identity{Subject: "1002", Name: "Bob", Username: "bob", Email: "bob@example.com", EmailVerified: true}

func TestLogin(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	resp := b.get("/private")
	if got, want := resp.Header.Get("Location"), "/auth/login?return_to=%2Fprivate"; resp.StatusCode != 303 || got != want {
		t.Fatalf("visitor: got %d to %q, want 303 to %q", resp.StatusCode, got, want)
	}
	b.login("github", "ada")
	if got := body(t, b.get("/private")); got != "hello Ada" {
		t.Errorf("got %q, want hello Ada", got)
	}
	c := b.cookies["__Host-session"]
	if c == nil || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("session cookie: got %+v, want __Host-, HttpOnly, Secure, Lax, Path=/", c)
	}
	acct, err := a.store.Account(context.Background(), store.Key{Provider: "github", Subject: "1001"})
	if err != nil || acct.Issuer != "https://github.example" || acct.Email != "ada@example.com" {
		t.Errorf("account: got %+v, %v", acct, err)
	}
	tok, err := a.store.Token(context.Background(), acct.Key)
	if err != nil || strings.Contains(string(tok.Sealed), "at-ada") {
		t.Errorf("token: got %v, want one that is sealed", err)
	}
	if id := b.whoami(); id != acct.UserID {
		t.Errorf("whoami: got %q, want %q", id, acct.UserID)
	}
	first := b.sessionCookie()
	b.login("github", "ada")
	if b.sessionCookie() == first {
		t.Error("a second login kept the session's key")
	}
	old := a.browser()
	old.cookies["__Host-session"] = &http.Cookie{Name: "__Host-session", Value: first}
	if id := old.whoami(); id != "" {
		t.Error("the session that a login replaced is still open")
	}
}

func TestLogout(t *testing.T) {
	var hook string
	a := newApp(t, func(c *middleware.Config) {
		c.OnLogout = func(_ context.Context, u *store.User) error { hook = u.Name; return nil }
	})
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	copied := a.browser()
	copied.cookies["__Host-session"] = b.cookies["__Host-session"]
	b.begin("other") // a login under way in another tab
	if resp := b.get("/auth/logout", crossSite); resp.StatusCode != 200 || b.whoami() == "" {
		t.Fatalf("GET logout: got %d and user %q, want a page that changes nothing", resp.StatusCode, b.whoami())
	}
	resp := b.post("/auth/logout", nil)
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/" {
		t.Fatalf("logout: got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if len(b.cookies) != 0 {
		t.Errorf("cookies left after logout: %v", b.cookies)
	}
	if b.whoami() != "" || copied.whoami() != "" {
		t.Error("still logged in after logout, perhaps with a copied cookie")
	}
	if hook != "Ada" {
		t.Errorf("OnLogout: got %q, want Ada", hook)
	}
	if resp := b.post("/auth/logout", nil); resp.StatusCode != 303 {
		t.Errorf("second logout: got %d, want 303", resp.StatusCode)
	}
}

func TestCallbackAttacks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		attack func(t *testing.T, a *app, b *browser) *http.Response
		status int
		reason string
	}{
		{"WithoutState", func(t *testing.T, a *app, b *browser) *http.Response {
			b.begin("github")
			return b.get("/auth/callback/github?code=ada", crossSite)
		}, 400, "state_missing"},
		{"EmptyState", func(t *testing.T, a *app, b *browser) *http.Response {
			b.begin("github")
			return b.get("/auth/callback/github?code=ada&state=", crossSite)
		}, 400, "state_missing"},
		{"ForgedState", func(t *testing.T, a *app, b *browser) *http.Response {
			b.begin("github")
			return b.callback("github", strings.Repeat("A", 43), "ada")
		}, 400, "tx_missing"},
		{"FromAnotherBrowser", func(t *testing.T, a *app, b *browser) *http.Response {
			return b.callback("github", a.browser().begin("github"), "ada")
		}, 400, "tx_missing"},
		{"FromAnotherBrowserWithAFlowOfItsOwn", func(t *testing.T, a *app, b *browser) *http.Response {
			b.begin("github")
			return b.callback("github", a.browser().begin("github"), "ada")
		}, 400, "tx_missing"},
		{"AtAnotherProvider", func(t *testing.T, a *app, b *browser) *http.Response {
			return b.callback("other", b.begin("github"), "ada")
		}, 400, "tx_provider"},
		{"TwiceTheState", func(t *testing.T, a *app, b *browser) *http.Response {
			state := b.begin("github")
			return b.get("/auth/callback/github?code=ada&state="+state+"&state="+state, crossSite)
		}, 400, "duplicate_param"},
		{"TwiceTheCode", func(t *testing.T, a *app, b *browser) *http.Response {
			return b.get("/auth/callback/github?code=ada&code=bob&state="+b.begin("github"), crossSite)
		}, 400, "duplicate_param"},
		{"WithAnIDTokenInTheQuery", func(t *testing.T, a *app, b *browser) *http.Response {
			return b.get("/auth/callback/github?code=ada&id_token=x&state="+b.begin("github"), crossSite)
		}, 400, "unexpected_response"},
		{"Expired", func(t *testing.T, a *app, b *browser) *http.Response {
			state := b.begin("github")
			a.clock.advance(10*time.Minute + time.Second)
			return b.callback("github", state, "ada")
		}, 400, "tx_expired"},
		{"InAFrame", func(t *testing.T, a *app, b *browser) *http.Response {
			return b.callback("github", b.begin("github"), "ada", header("Sec-Fetch-Dest", "iframe"))
		}, 400, "not_a_page"},
		{"PostedToAProviderThatNeverPosts", func(t *testing.T, a *app, b *browser) *http.Response {
			return b.post("/auth/callback/github", url.Values{"state": {b.begin("github")}, "code": {"ada"}}, crossSite)
		}, 405, "method"},
		{"UnknownProvider", func(t *testing.T, a *app, b *browser) *http.Response {
			return b.get("/auth/callback/%3Cscript%3E?code=ada&state="+b.begin("github"), crossSite)
		}, 404, "unknown_provider"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, nil)
			a.github.person("ada", ada)
			a.other.person("ada", ada)
			b := a.browser()
			resp := tc.attack(t, a, b)
			requireRejected(t, a, b, resp, tc.status, tc.reason)
			if n := a.github.completions() + a.other.completions(); n != 0 {
				t.Errorf("got %d calls of a provider, want none", n)
			}
			if b.whoami() != "" || a.users(store.Key{Provider: "github", Subject: "1001"}, store.Key{Provider: "other", Subject: "1001"}) != 0 {
				t.Error("the attack logged somebody in or made a user")
			}
		})
	}
}

func TestVictimsOwnLoginSurvivesAForgedCallback(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	victim := a.browser()
	state := victim.begin("github")
	victim.callback("github", a.browser().begin("github"), "bob")
	if resp := victim.callback("github", state, "ada"); resp.StatusCode != 303 {
		t.Errorf("got %d, want the victim's own login to end well", resp.StatusCode)
	}
	if got := body(t, victim.get("/private")); got != "hello Ada" {
		t.Errorf("got %q, want hello Ada", got)
	}
}

func TestTwoTabsInReverseOrder(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "77", Name: "Ada"})
	b := a.browser()
	first, second := b.begin("github"), b.begin("github")
	for _, state := range []string{second, first} {
		if resp := b.callback("github", state, "ada"); resp.StatusCode != 303 {
			t.Errorf("got %d, want 303: %s", resp.StatusCode, body(t, resp))
		}
	}
}

func TestCallbackTwice(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	state := b.begin("github")
	cookies := make(map[string]*http.Cookie)
	for name, c := range b.cookies {
		cookies[name] = c
	}
	if resp := b.callback("github", state, "ada"); resp.StatusCode != 303 {
		t.Fatalf("first: got %d", resp.StatusCode)
	}
	// A double click: the browser sends the flow's cookie once more.
	for name, c := range cookies {
		b.cookies[name] = c
	}
	resp := b.callback("github", state, "ada")
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/private" {
		t.Errorf("double click: got %d to %q, want 303 to /private", resp.StatusCode, resp.Header.Get("Location"))
	}
	// A captured cookie, replayed in another browser.
	thief := a.browser()
	thief.cookies = cookies
	requireRejected(t, a, thief, thief.callback("github", state, "ada"), 400, "tx_used")
	if n := a.github.completions(); n != 1 {
		t.Errorf("got %d exchanges, want 1", n)
	}
}

func TestCallbackTwiceAtOnce(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	state := b.begin("github")
	var wg sync.WaitGroup
	results := make(chan int, 20)
	for range 20 {
		wg.Go(func() {
			tab := a.browser()
			for name, c := range b.cookies {
				tab.cookies[name] = c
			}
			results <- tab.callback("github", state, "ada").StatusCode
		})
	}
	wg.Wait()
	close(results)
	good := 0
	for status := range results {
		if status == 303 {
			good++
		}
	}
	if good != 1 || a.github.completions() != 1 {
		t.Errorf("got %d successes and %d exchanges, want 1 and 1", good, a.github.completions())
	}
}

func TestCancelled(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	state := b.begin("github")
	resp := b.get("/auth/callback/github?error=access_denied&error_description=%3Cb%3Eevil&state="+state, crossSite)
	if text := body(t, resp); strings.Contains(text, "evil") || !strings.Contains(text, "cancelled") || !strings.Contains(text, "/auth/login") {
		t.Errorf("page: %s", text)
	}
	if resp.StatusCode != 403 {
		t.Errorf("got %d, want 403", resp.StatusCode)
	}
	resp = b.callback("github", state, "ada")
	if resp.StatusCode != 400 {
		t.Errorf("after cancelling: got %d, want 400", resp.StatusCode)
	}
}

func TestProviderThatFails(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		status int
	}{
		{"Down", &provider.Error{Provider: "github", Op: "exchange", Err: errors.New("connection refused")}, 502},
		{"Slow", &provider.Error{Provider: "github", Op: "exchange", Err: context.DeadlineExceeded}, 504},
		{"Plain", errors.New("no typed error"), 502},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, nil)
			a.github.complete = func(context.Context, provider.Callback) error { return tc.err }
			b := a.browser()
			resp := b.callback("github", b.begin("github"), "ada")
			if text := body(t, resp); resp.StatusCode != tc.status || !strings.Contains(text, "/auth/login") {
				t.Errorf("got %d, want %d and a way to try again: %s", resp.StatusCode, tc.status, text)
			}
		})
	}
}

func TestProviderThatPanics(t *testing.T) {
	a := newApp(t, nil)
	a.github.complete = func(context.Context, provider.Callback) error { panic("token at-ada") }
	b := a.browser()
	resp := b.callback("github", b.begin("github"), "ada")
	if resp.StatusCode != 500 || strings.Contains(a.log.String(), "at-ada") {
		t.Errorf("got %d, want 500 and no value of the panic in the log:\n%s", resp.StatusCode, a.log)
	}
}

func TestIdentityThatMustNotLogIn(t *testing.T) {
	for _, tc := range []struct {
		name   string
		id     provider.Identity
		reason string
	}{
		{"OfAnotherProvider", provider.Identity{Provider: "other", Subject: "1"}, "identity_provider"},
		{"WithoutSubject", provider.Identity{}, "profile_id"},
		{"WithALongSubject", provider.Identity{Subject: strings.Repeat("x", 256)}, "profile_id"},
		{"WithAControlCharacter", provider.Identity{Subject: "a\x00b"}, "profile_id"},
		{"ThatIsNotText", provider.Identity{Subject: "\xff"}, "profile_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, nil)
			a.github.people["x"] = tc.id
			b := a.browser()
			requireRejected(t, a, b, b.callback("github", b.begin("github"), "x"), 502, tc.reason)
			if a.users(store.Key{Provider: "other", Subject: "1"}, store.Key{Provider: "github", Subject: tc.id.Subject}) != 0 {
				t.Error("an account was made")
			}
		})
	}
}

func TestAccountFromAnotherIssuer(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.browser().login("github", "ada")
	evil := ada
	evil.Issuer = "https://evil.example"
	a.github.person("evil", evil)
	b := a.browser()
	requireRejected(t, a, b, b.callback("github", b.begin("github"), "evil"), 502, "issuer_changed")
	none := ada
	a.github.person("none", none)
	p := a.github.people["none"]
	p.Issuer = ""
	a.github.people["none"] = p
	if resp := b.callback("github", b.begin("github"), "none"); resp.StatusCode != 502 || b.whoami() != "" {
		t.Errorf("an empty issuer: got %d, want 502", resp.StatusCode)
	}
}

func TestFiftyFirstLoginsAtOnceMakeOneUser(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	var wg sync.WaitGroup
	ids := make(chan string, 50)
	for range 50 {
		wg.Go(func() {
			b := a.browser()
			b.login("github", "ada")
			ids <- b.whoami()
		})
	}
	wg.Wait()
	close(ids)
	seen := make(map[string]bool)
	for id := range ids {
		seen[id] = true
	}
	if len(seen) != 1 || seen[""] {
		t.Errorf("got users %v, want one", seen)
	}
}
