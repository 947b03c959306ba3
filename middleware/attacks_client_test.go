package middleware_test

import (
	"context"
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
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func pageHandler(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") }

// Within the cache's second another process may still show pages to
// a session that was revoked, but nobody acts in its user's name.
func TestClientOfARevokedSession(t *testing.T) {
	for name, end := range map[string]func(a *app, u *store.User) error{
		"revoked": func(a *app, u *store.User) error { return a.store.DeleteUserSessions(context.Background(), u.ID, "") },
		"disabled": func(a *app, u *store.User) error {
			u.Disabled = true
			return a.store.UpdateUser(context.Background(), u)
		},
		"deleted": func(a *app, u *store.User) error { return a.store.DeleteUser(context.Background(), u.ID) },
	} {
		a := newApp(t, func(c *middleware.Config) {
			c.Store = struct{ store.Store }{c.Store} // that nobody watches, as if another process changed it
		})
		a.github.person("ada", ada)
		status := 0
		a.mux.Handle("/api", a.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := a.auth.Client(r.Context(), "github")
			if status = 200; err != nil {
				status = middleware.StatusCode(err)
			}
		})))
		b := a.browser()
		b.login("github", "ada")
		if b.get("/api"); status != 200 {
			t.Fatalf("%s: before: got %d", name, status)
		}
		u, err := a.store.User(context.Background(), b.whoami())
		if err != nil {
			t.Fatal(err)
		}
		if err := end(a, u); err != nil {
			t.Fatal(err)
		}
		if b.get("/api"); status != 401 {
			t.Errorf("%s: a client for a session that is over: got %d, want 401", name, status)
		}
		for path, want := range map[string]int{"/fresh": 303, "/auth/account": 303} {
			if resp := b.get(path); resp.StatusCode != want || !strings.HasPrefix(resp.Header.Get("Location"), "/auth/login") {
				t.Errorf("%s: %s: got %d to %q, want to log in", name, path, resp.StatusCode, resp.Header.Get("Location"))
			}
		}
		if resp := b.post("/private", nil); resp.StatusCode != 401 {
			t.Errorf("%s: POST: got %d, want 401", name, resp.StatusCode)
		}
	}
}

// A user of another Auth may have the ID of somebody here.
func TestClientOfAnotherAuthsUser(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	admin, err := middleware.New(middleware.Config{BaseURL: baseURL, Path: "/admin/auth", Secret: secret, Store: a.store}, a.github)
	if err != nil {
		t.Fatal(err)
	}
	var got error
	a.mux.Handle("/api", a.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, got = admin.Client(r.Context(), "github")
	})))
	if b.get("/api"); !errors.Is(got, middleware.ErrNoUser) {
		t.Errorf("got %v, want ErrNoUser", got)
	}
}

// A token that still works is used while another process holds the lease.
func TestRenewalUnderWayElsewhere(t *testing.T) {
	a := newApp(t, nil)
	a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) {
		t.Error("renewed in spite of the lease")
		return provider.Token{}, errDisk
	}
	srv := api(t)
	withAPI(a, srv, nil)
	a.github.person("ada", ada)
	a.github.tokens["ada"] = provider.Token{AccessToken: "old", RefreshToken: "r", Expiry: a.clock.Now().Add(time.Hour)}
	b := a.browser()
	b.login("github", "ada")
	me := b.whoami()
	a.clock.advance(58 * time.Minute)
	if _, err := a.store.LeaseToken(context.Background(), githubAda, time.Minute); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got, err := a.call(me, "/user"); err != nil || got != "/user Bearer old" {
		t.Errorf("got %q, %v; want the token that still works", got, err)
	}
	if waited := time.Since(began); waited > 3*time.Second {
		t.Errorf("waited %v for a token that was not needed", waited)
	}
}

// A provider that panics while it renews leaves the lease to the next.
func TestRenewalThatPanics(t *testing.T) {
	for _, value := range []any{"boom", http.ErrAbortHandler} {
		a := newApp(t, nil)
		a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) { panic(value) }
		withAPI(a, api(t), nil)
		a.github.person("ada", ada)
		a.github.tokens["ada"] = provider.Token{AccessToken: "old", RefreshToken: "r", Expiry: a.clock.Now().Add(time.Hour)}
		b := a.browser()
		b.login("github", "ada")
		me := b.whoami()
		a.clock.advance(2 * time.Hour)
		if _, err := a.call(me, "/user"); middleware.StatusCode(err) != 500 {
			t.Errorf("got %v, want an error of status 500", err)
		}
		if _, err := a.store.LeaseToken(context.Background(), githubAda, time.Minute); err != nil {
			t.Errorf("the lease is still held: %v", err)
		}
	}
}

// A request that is given up while a token is renewed is nobody's mistake here.
func TestRenewalThatNobodyWaitsFor(t *testing.T) {
	a := newApp(t, nil)
	hold := make(chan struct{})
	defer close(hold)
	ctx, cancel := context.WithCancel(context.Background())
	a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) {
		cancel()
		<-hold
		return provider.Token{}, errDisk
	}
	a.github.person("ada", ada)
	a.github.tokens["ada"] = provider.Token{AccessToken: "old", RefreshToken: "r", Expiry: a.clock.Now().Add(time.Hour)}
	b := a.browser()
	b.login("github", "ada")
	u, err := a.store.User(context.Background(), b.whoami())
	if err != nil {
		t.Fatal(err)
	}
	a.clock.advance(2 * time.Hour)
	_, err = a.auth.Client(middleware.WithUser(ctx, u), "github")
	if !errors.Is(err, context.Canceled) || middleware.StatusCode(err) == 500 || middleware.Reason(err) == "" {
		t.Errorf("got %v, status %d, reason %q", err, middleware.StatusCode(err), middleware.Reason(err))
	}
}

// A page of one service sends visitors straight to it, and asks for what is
// missing without blaming anybody.
func TestRequireAccountSendsVisitorsToTheService(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	page := a.auth.RequireAccount("github", "repo")(http.HandlerFunc(pageHandler))
	a.mux.Handle("/repos", page)
	b := a.browser()
	resp := b.get("/repos?page=2")
	if got, want := resp.Header.Get("Location"), "/auth/login/github?return_to=%2Frepos%3Fpage%3D2"; resp.StatusCode != 303 || got != want {
		t.Fatalf("got %d to %q, want 303 to %q", resp.StatusCode, got, want)
	}
	resp = b.callback("github", b.stateOf(b.get(resp.Header.Get("Location"))), "ada")
	if got := resp.Header.Get("Location"); got != "/repos?page=2" {
		t.Fatalf("came back to %q", got)
	}
	// It never was asked for "repo": the page must not say that it refused.
	if text := body(t, b.get("/repos?page=2")); strings.Contains(text, "did not allow") || !strings.Contains(text, `action="/auth/reauth/github"`) {
		t.Errorf("got %s", text)
	}
	if resp := a.browser().get("/repos", script); resp.StatusCode != 401 {
		t.Errorf("script: got %d, want 401", resp.StatusCode)
	}
	// Where another site's link leads to, the start asks first.
	stranger := a.browser()
	resp = stranger.get(stranger.get("/repos", crossSite).Header.Get("Location"), crossSite)
	if resp.StatusCode != 200 || len(resp.Cookies()) > 0 || len(a.github.begun) != 1 {
		t.Errorf("another site's link: got %d and %d cookies, want a page with a button", resp.StatusCode, len(resp.Cookies()))
	}
	// An app with a login page of its own keeps it.
	a.remount(func(c *middleware.Config) { c.LoginURL = "/enter?x=1" })
	a.mux.Handle("/repos", a.auth.RequireAccount("github")(http.HandlerFunc(pageHandler)))
	if got, want := a.browser().get("/repos").Header.Get("Location"), "/enter?x=1&return_to=%2Frepos"; got != want {
		t.Errorf("LoginURL: got %q, want %q", got, want)
	}
}

// Nothing is begun for a page that the browser loads in advance.
func TestPrefetchOfAPageThatNeedsAnAccount(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.mux.Handle("/repos", a.auth.RequireAccount("github", "repo")(http.HandlerFunc(pageHandler)))
	b := a.browser()
	b.login("github", "ada")
	a.clock.advance(2 * time.Minute)
	resp := b.get("/repos", header("Sec-Purpose", "prefetch"))
	if resp.StatusCode != 204 || len(resp.Cookies()) > 0 || len(a.github.begun) != 1 {
		t.Errorf("got %d and %d cookies, want 204 and nothing begun", resp.StatusCode, len(resp.Cookies()))
	}
}

func TestRequireAccountWhenTheStorePanics(t *testing.T) {
	s := &panickyStore{Store: memstore.New()}
	a := newApp(t, func(c *middleware.Config) { c.Store = s })
	a.github.person("ada", ada)
	a.mux.Handle("/repos", a.auth.RequireAccount("github")(http.HandlerFunc(pageHandler)))
	b := a.browser()
	b.login("github", "ada")
	s.armed = true
	if resp := b.get("/repos"); resp.StatusCode != 500 {
		t.Errorf("got %d, want 500", resp.StatusCode)
	}
}

type panickyStore struct {
	store.Store
	armed bool
}

func (s *panickyStore) UserAccounts(ctx context.Context, id string) ([]store.Account, error) {
	if s.armed {
		panic("boom")
	}
	return s.Store.UserAccounts(ctx, id)
}

// Sessions may be kept elsewhere than users are.
func TestSessionsInAnotherStore(t *testing.T) {
	elsewhere := memstore.New()
	a := newApp(t, func(c *middleware.Config) { c.Session.Store = elsewhere })
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1"})
	b, second := a.browser(), a.browser()
	b.login("github", "ada")
	second.login("github", "ada")
	me := b.whoami()
	open := func() int {
		list, err := elsewhere.UserSessions(context.Background(), me)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if here, err := a.store.UserSessions(context.Background(), me); err != nil || len(here) != 0 || open() != 2 {
		t.Fatalf("got %d sessions with the users and %d elsewhere, want 0 and 2", len(here), open())
	}
	if resp := b.callback("other", b.stateOf(b.post("/auth/link/other", nil)), "ada"); resp.StatusCode != 303 {
		t.Fatalf("link: got %d", resp.StatusCode)
	}
	key := b.sessionCookie()
	if resp := b.post("/auth/unlink/github", url.Values{"subject": {ada.Subject}}); resp.StatusCode != 303 || b.sessionCookie() == key {
		t.Errorf("unlink: got %d, or the key stayed", resp.StatusCode)
	}
	if open() != 1 || second.whoami() != "" {
		t.Error("unlink left another session of that provider")
	}
	if err := a.auth.DeleteUser(context.Background(), me); err != nil {
		t.Fatal(err)
	}
	if open() != 0 || b.whoami() != "" {
		t.Error("the user is gone and a session is not")
	}
}

// Each mistake is told, and none that is not there.
func TestNewTellsNoMistakeThatIsNone(t *testing.T) {
	_, err := middleware.New(middleware.Config{Secret: secret, Store: memstore.New(), AfterLogin: "/home", AfterLogout: "/bye"}, newFake("github"))
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "BaseURL") {
		t.Errorf("got %v, want BaseURL alone", err)
	}
	for _, cfg := range []middleware.Config{
		{BaseURL: "https://bücher.example"}, // browsers write it in ASCII
		{BaseURL: baseURL, LoginURL: "/login#top"},
	} {
		cfg.Secret, cfg.Store = secret, memstore.New()
		if _, err := middleware.New(cfg, newFake("github")); err == nil {
			t.Errorf("%q, LoginURL %q: got no error", cfg.BaseURL, cfg.LoginURL)
		}
	}
}

// A logout token that could not be checked is worth another try.
func TestBackchannelWhileTheProviderIsDown(t *testing.T) {
	a := newApp(t, nil)
	down := &logoutProvider{fakeProvider: newFake("op"), err: &provider.Error{Provider: "op", Op: "logout", Reason: "jwks_unavailable", Err: provider.ErrUnavailable}}
	a.remount(nil, down)
	for err, want := range map[error]int{down.err: 502, errors.New("typ"): 400, errDisk: 400} {
		down.err = err
		r := httptest.NewRequest(http.MethodPost, baseURL+"/auth/backchannel/op", strings.NewReader("logout_token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		a.mux.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%v: got %d, want %d", err, w.Code, want)
		}
	}
}

type logoutProvider struct {
	*fakeProvider
	err error
}

func (p *logoutProvider) VerifyLogout(context.Context, string) (provider.Logout, error) {
	return provider.Logout{}, p.err
}
