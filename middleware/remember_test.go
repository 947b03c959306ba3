package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

const week = 7 * 24 * time.Hour // after which a session that is not used is over

func remembering(c *middleware.Config) { c.Session.Remember = 90 * 24 * time.Hour }

// newRemembering returns an app that remembers browsers, and Ada's, which is.
func newRemembering(t testing.TB, change ...func(*middleware.Config)) (*app, *browser) {
	t.Helper()
	a := newApp(t, func(c *middleware.Config) {
		remembering(c)
		for _, f := range change {
			f(c)
		}
	})
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	b := a.browser()
	b.remember("ada")
	return a, b
}

// remember logs in as a person does who ticks the box on the login page.
func (b *browser) remember(code string) {
	b.t.Helper()
	state := b.stateOf(b.post("/auth/login/github", url.Values{"return_to": {"/private"}, "remember": {"1"}}))
	if resp := b.callback("github", state, code); resp.StatusCode != http.StatusSeeOther || b.token() == "" {
		b.t.Fatalf("got status %d, cookies %v: %s", resp.StatusCode, b.cookies, body(b.t, resp))
	}
}

func (b *browser) token() string {
	if c := b.cookies["__Host-session-remember"]; c != nil {
		return c.Value
	}
	return ""
}

func (b *browser) clone() *browser {
	c := b.app.browser()
	for name, cookie := range b.cookies {
		c.cookies[name] = cookie
	}
	return c
}

// The whole story, at a real service and over HTTP.
func TestKeepMeLoggedIn(t *testing.T) {
	s := newSite(t, func(idp *providertest.Server) []provider.Provider { return []provider.Provider{idp.Provider()} }, remembering)
	c := s.visit(t)
	get := func() (string, error) {
		r, err := http.NewRequest(http.MethodGet, s.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return text(resp)
	}
	page, err := get()
	if err != nil || !strings.Contains(page, "Keep me logged in on this device") || !strings.Contains(page, `name="remember" value="1">`) ||
		!strings.Contains(page, `formaction="/auth/login/test"`) {
		t.Fatalf("a visitor: got %v, want the login page with a box that is not ticked: %s", err, page)
	}
	for i, ticked := range []bool{false, true} {
		form := url.Values{"return_to": {"/"}}
		if ticked {
			form.Set("remember", "1")
		}
		resp, err := c.PostForm(s.URL+"/auth/login/test", form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		params, err := s.idp.AuthorizeAs(resp.Header.Get("Location"), map[string]any{"sub": "1", "name": "Ada"})
		if err != nil {
			t.Fatal(err)
		}
		if resp, err = c.Get(s.auth.CallbackURL("test") + "?" + params.Encode()); err != nil {
			t.Fatal(err)
		}
		if page, err := text(resp); err != nil || page != "Ada" {
			t.Fatalf("login %d: got %q, %v", i, page, err)
		}
		for range 3 {
			s.clock.advance(week)
			page, err := get()
			if ticked != (page == "Ada") {
				t.Fatalf("a week later, ticked=%t: got %q, %v", ticked, page, err)
			}
		}
	}
}

// Whichever way a request comes in, who is remembered is no visitor. Nobody has
// proved who they are, and no hook of a login runs.
func TestRememberedOnEveryWayIn(t *testing.T) {
	logins, loads := 0, 0
	a, b := newRemembering(t, func(c *middleware.Config) {
		c.OnLogin = func(context.Context, *store.User, provider.Identity) error { logins++; return nil }
		c.OnLoad = func(ctx context.Context, _ *store.User) (context.Context, error) { loads++; return ctx, nil }
	})
	a.mux.Handle("/repos", a.auth.RequireAccount("github")(http.HandlerFunc(pageHandler)))
	id := b.whoami()
	logins, loads = 0, 0
	a.clock.advance(week)
	for _, test := range []struct {
		path, want string // of the answer, or of where it sends the browser
	}{
		{"/", "user " + id}, {"/private", "hello Ada"}, {"/fresh", "/auth/reauth?return_to=%2Ffresh"}, {"/repos", ""},
		{"/auth/account", "You are logged in as Ada"}, {"/auth/session", `"name":"Ada"`}, {"/auth/login", "You are logged in as Ada"},
		{"/auth/reauth", "Is it still you?"}, {"/auth/logout", "You are logged in as Ada"},
	} {
		c := a.browser()
		c.remember("ada")
		a.clock.advance(week)
		before := c.token()
		resp := c.get(test.path)
		text := body(t, resp) + resp.Header.Get("Location")
		if !strings.Contains(text, test.want) || resp.StatusCode != 200 && test.path != "/fresh" {
			t.Errorf("%s: got %d %q, want %q", test.path, resp.StatusCode, text, test.want)
		}
		if c.token() == before || c.whoami() != id {
			t.Errorf("%s: the browser is %q, with its token of before: %t", test.path, c.whoami(), c.token() == before)
		}
	}
	if logins != 9 || loads == 0 {
		t.Errorf("OnLogin ran %d times in 9 logins, OnLoad %d times", logins, loads)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(body(t, b.get("/auth/session"))), &answer); err != nil || answer["user"] == nil || answer["auth_time"] != nil {
		t.Errorf("got %v, %v, want a user and no time of a proof", answer, err)
	}
	// A proof makes the restored session fresh, and it stays remembered.
	state := b.stateOf(b.post("/auth/reauth/github", url.Values{"return_to": {"/fresh"}}))
	b.callback("github", state, "ada")
	if got := body(t, b.get("/fresh")); got != "fresh" {
		t.Errorf("after a proof: got %q", got)
	}
	a.clock.advance(week)
	if b.whoami() != id {
		t.Error("not remembered any more")
	}
}

// A form that was open while the session ended does what it says, for its user.
func TestRememberedPosts(t *testing.T) {
	a, b := newRemembering(t)
	id, elsewhere := b.whoami(), a.browser()
	elsewhere.remember("ada")
	a.clock.advance(week)
	if resp := b.post("/auth/link/other", nil); resp.Header.Get("Location") != "/auth/reauth?return_to=%2Fauth%2Faccount" {
		t.Errorf("link: got %d to %q, want to prove who they are", resp.StatusCode, resp.Header.Get("Location"))
	}
	a.clock.advance(week)
	if resp := b.post("/auth/sessions/revoke", url.Values{"others": {"1"}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("revoke: got %d", resp.StatusCode)
	}
	if b.whoami() != id || elsewhere.whoami() != "" {
		t.Errorf("after all others were ended: this browser %q, the other %q", b.whoami(), elsewhere.whoami())
	}
}

// Nobody has asked for a page that a browser fetches in advance, and HEAD
// changes nothing. The login page is not what the person is to get, either.
func TestPrefetchUsesNoRememberToken(t *testing.T) {
	a, b := newRemembering(t)
	a.mux.Handle("/repos", a.auth.RequireAccount("github")(http.HandlerFunc(pageHandler)))
	a.clock.advance(week)
	head := func(path string) *http.Response {
		return b.send(httptest.NewRequest(http.MethodHead, baseURL+path, nil))
	}
	before, n := b.token(), len(b.cookies)
	for _, path := range []string{"/", "/private", "/fresh", "/auth/account", "/repos"} {
		for _, purpose := range []string{"prefetch", "prefetch;prerender"} {
			resp := b.get(path, header("Sec-Purpose", purpose))
			if text := body(t, resp); path != "/" && (resp.StatusCode != http.StatusNoContent || text != "") {
				t.Errorf("%s, %s: got %d %q", path, purpose, resp.StatusCode, text)
			}
			// Else a click may lead to what was fetched: a visitor's page, or nothing.
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s, %s: got Cache-Control %q", path, purpose, got)
			}
		}
		head(path)
		if b.token() != before || len(b.cookies) != n {
			t.Fatalf("%s: the browser has %v", path, b.cookies)
		}
	}
	if _, err := a.auth.User(b.request(t)); !errors.Is(err, middleware.ErrNoUser) {
		t.Errorf("User: got %v", err)
	}
	if b.whoami() == "" {
		t.Error("not remembered any more")
	}
}

// A page that was open while the session ended may open its WebSocket again before
// anything else. Cookies in the answer to that would be lost, and the next request
// taken for a thief's.
func TestWebSocketUsesNoRememberToken(t *testing.T) {
	a, b := newRemembering(t)
	id, before := b.whoami(), b.token()
	a.clock.advance(week)
	resp := b.get("/private", script, header("Sec-Fetch-Mode", "websocket"), header("Connection", "Upgrade"), header("Upgrade", "WebSocket"))
	if resp.StatusCode != http.StatusUnauthorized || b.token() != before {
		t.Errorf("got %d, cookies %v; want 401 and none", resp.StatusCode, b.cookies)
	}
	if b.whoami() != id || b.token() == before {
		t.Error("the next request: not remembered any more")
	}
}

// request returns a request with the browser's cookies.
func (b *browser) request(t testing.TB) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, baseURL+"/", nil)
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// A handler behind finds the restored session in the request.
func TestRenewBehindRestore(t *testing.T) {
	a, b := newRemembering(t)
	a.mux.Handle("/promote", a.auth.LoadUser(a.auth.RequireFresh(time.Hour)(http.HandlerFunc(pageHandler))))
	a.mux.Handle("/renew", a.auth.LoadUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.auth.Sessions().Renew(w, r); err != nil {
			t.Error(err)
		}
	})))
	id := b.whoami()
	for _, path := range []string{"/renew", "/promote"} {
		a.clock.advance(week)
		b.get(path)
		if b.whoami() != id {
			t.Errorf("%s: got %q", path, b.whoami())
		}
	}
}

// An app with a login form of its own asks there.
func TestWithRemember(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { remembering(c); c.LocalAccounts = []string{"password"} })
	id := provider.Identity{Provider: "password", Issuer: "app", Subject: "1", Name: "Ada"}
	var userID string
	for _, login := range []func(w http.ResponseWriter, r *http.Request) error{
		func(w http.ResponseWriter, r *http.Request) error {
			return a.auth.LoginIdentity(w, r, id, provider.Token{})
		},
		func(w http.ResponseWriter, r *http.Request) error { return a.auth.Login(w, r, userID) },
	} {
		for _, asked := range []bool{false, true} {
			b := a.browser()
			a.mux = http.NewServeMux()
			a.mux.Handle("/", a.auth.LoadUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if u := middleware.CurrentUser(r.Context()); u != nil {
					fmt.Fprint(w, "user "+u.ID)
				} else {
					fmt.Fprint(w, "visitor")
				}
			})))
			a.mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
				if asked {
					r = r.WithContext(middleware.WithRemember(r.Context()))
				}
				if err := login(w, r); err != nil {
					t.Error(err)
				}
			})
			b.post("/login", url.Values{"remember": {"1"}}) // whose name means nothing here
			userID = b.whoami()
			a.clock.advance(week)
			if got := b.whoami(); got != "" != asked || userID == "" {
				t.Errorf("asked=%t: got %q", asked, got)
			}
		}
	}
}

// The field counts where a login begins, and nowhere else.
func TestWhoAsksToBeRemembered(t *testing.T) {
	a, _ := newRemembering(t)
	for _, test := range []struct {
		name  string
		begin func(b *browser) *http.Response
		want  bool
	}{
		{"a link", func(b *browser) *http.Response { return b.get("/auth/login/github?remember=1") }, true},
		{"a form", func(b *browser) *http.Response {
			return b.post("/auth/login/github", url.Values{"remember": {"1"}})
		}, true},
		{"not ticked", func(b *browser) *http.Response { return b.post("/auth/login/github", nil) }, false},
		{"another value", func(b *browser) *http.Response { return b.get("/auth/login/github?remember=true") }, false},
	} {
		b := a.browser()
		b.callback("github", b.stateOf(test.begin(b)), "bob")
		if got := b.token() != ""; got != test.want || b.whoami() == "" {
			t.Errorf("%s: remembered=%t", test.name, got)
		}
	}
	// To prove who one is, or to add an account, changes nothing about it.
	b := a.browser()
	b.login("github", "bob")
	b.callback("github", b.stateOf(b.post("/auth/reauth/github", url.Values{"remember": {"1"}})), "bob")
	a.other.person("bob", bob)
	b.callback("other", b.stateOf(b.post("/auth/link/other", url.Values{"remember": {"1"}})), "bob")
	if b.token() != "" {
		t.Error("remembered by another form")
	}
	// A page that asks first keeps what was wanted.
	silent := a.browser()
	if page := body(t, silent.post("/auth/login/github", url.Values{"remember": {"1"}}, silence)); !strings.Contains(page, `value="1" checked>`) {
		t.Errorf("want the box ticked: %s", page)
	}
}

func TestPagesWithoutRemember(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	if page := body(t, b.get("/auth/login")); strings.Contains(page, "remember") {
		t.Errorf("the page asks: %s", page)
	}
	b.callback("github", b.stateOf(b.post("/auth/login/github", url.Values{"remember": {"1"}})), "ada")
	if len(b.cookies) != 1 || b.token() != "" {
		t.Errorf("got %v", b.cookies)
	}
}

func TestRememberSetUpWrongly(t *testing.T) {
	_, err := middleware.New(middleware.Config{
		BaseURL: baseURL, Secret: secret, Store: struct{ store.Store }{memstore.New()}, Session: session.Config{Remember: week},
	}, newFake("github"))
	for _, want := range []string{"Remember: want at least Lifetime", "Remembers: want a store.Rememberer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
