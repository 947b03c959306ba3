package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func TestNewTellsEveryMistakeAtOnce(t *testing.T) {
	_, err := middleware.New(middleware.Config{
		BaseURL: "http://app.example.com/a?b", Secret: "short", Path: "auth/", AfterLogin: "https://evil.example",
		LoginURL: "javascript:x", DangerouslyLinkByEmail: []string{"nowhere"}, LocalAccounts: []string{"github"},
	}, newFake("github"), newFake("github"), nil, newFake("Bad ID"), catalog.GitHub("", ""))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"BaseURL", "https", "query", "Path", "Store", "AfterLogin", "LoginURL", "nowhere", "LocalAccounts[0]", "providers[1]", "providers[2]", "providers[3]", "client ID", "client secret"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in: %v", want, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := func() middleware.Config {
		return middleware.Config{BaseURL: baseURL, Secret: secret, Store: memstore.New()}
	}
	for name, change := range map[string]func(*middleware.Config){
		"no base URL":            func(c *middleware.Config) { c.BaseURL = "" },
		"no scheme":              func(c *middleware.Config) { c.BaseURL = "app.example.com" },
		"another scheme":         func(c *middleware.Config) { c.BaseURL = "ftp://app.example.com" },
		"a user":                 func(c *middleware.Config) { c.BaseURL = "https://a@app.example.com" },
		"plain http in public":   func(c *middleware.Config) { c.BaseURL = "http://app.example.com" },
		"http like localhost":    func(c *middleware.Config) { c.BaseURL = "http://localhost.example.com" },
		"a path with dots":       func(c *middleware.Config) { c.BaseURL = baseURL + "/a/../b" },
		"no secret":              func(c *middleware.Config) { c.Secret = "" },
		"a secret of one letter": func(c *middleware.Config) { c.Secret = strings.Repeat("a", 40) },
		"a newline":              func(c *middleware.Config) { c.Secret += "\n" },
		"an old one that is bad": func(c *middleware.Config) { c.OldSecrets = []string{"x"} },
		"no store":               func(c *middleware.Config) { c.Store = nil },
		"the session's secret":   func(c *middleware.Config) { c.Session.Secret = secret },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			change(&cfg)
			_, err := middleware.New(cfg, newFake("github"))
			if err == nil {
				t.Fatal("got no error")
			}
			if cfg.Secret != "" && strings.Contains(err.Error(), strings.TrimSpace(cfg.Secret)) {
				t.Errorf("the secret stands in %v", err)
			}
		})
	}
	if _, err := middleware.New(good()); err == nil {
		t.Error("no provider: got no error")
	}
	for _, base := range []string{"http://localhost", "http://localhost:5000", "http://app.localhost:1", "http://127.0.0.1:80", "http://[::1]:8080", "https://example.com/shop/"} {
		cfg := good()
		cfg.BaseURL = base
		if _, err := middleware.New(cfg, newFake("github")); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestURLs(t *testing.T) {
	for base, want := range map[string]string{
		"https://Example.com":       "https://example.com/auth/callback/github",
		"https://example.com:443/":  "https://example.com/auth/callback/github",
		"https://example.com/shop/": "https://example.com/shop/auth/callback/github",
		"http://[::1]:8080":         "http://[::1]:8080/auth/callback/github",
	} {
		auth, err := middleware.New(middleware.Config{BaseURL: base, Secret: secret, Store: memstore.New()}, newFake("github"))
		if err != nil {
			t.Fatal(err)
		}
		if got := auth.CallbackURL("github"); got != want {
			t.Errorf("%s: got %q, want %q", base, got, want)
		}
	}
	a := newApp(t, nil)
	if got, want := a.auth.LoginPath("github", "/x?y=1"), "/auth/login/github?return_to=%2Fx%3Fy%3D1"; got != want {
		t.Errorf("LoginPath: got %q, want %q", got, want)
	}
	if infos := a.auth.Providers(); len(infos) != 2 || infos[0].ID != "github" || infos[1].Name != "OTHER" {
		t.Errorf("Providers: got %+v", infos)
	}
}

// brokenStore is a store of which some methods fail.
type brokenStore struct {
	store.Store
	broken atomic.Pointer[string]
}

var errDisk = errors.New("disk on fire")

func (s *brokenStore) failing(op string) error {
	if b := s.broken.Load(); b != nil && (*b == op || *b == "all") {
		return errDisk
	}
	return nil
}

func (s *brokenStore) Session(ctx context.Context, id string) (*store.Session, error) {
	if err := s.failing("Session"); err != nil {
		return nil, err
	}
	return s.Store.Session(ctx, id)
}

func (s *brokenStore) Mark(ctx context.Context, id string, until time.Time) error {
	if err := s.failing("Mark"); err != nil {
		return err
	}
	return s.Store.Mark(ctx, id, until)
}

func (s *brokenStore) Account(ctx context.Context, k store.Key) (*store.Account, error) {
	if err := s.failing("Account"); err != nil {
		return nil, err
	}
	return s.Store.Account(ctx, k)
}

func (s *brokenStore) CreateSession(ctx context.Context, x *store.Session) error {
	if err := s.failing("CreateSession"); err != nil {
		return err
	}
	return s.Store.CreateSession(ctx, x)
}

func (s *brokenStore) DeleteSession(ctx context.Context, id string) error {
	if err := s.failing("DeleteSession"); err != nil {
		return err
	}
	return s.Store.DeleteSession(ctx, id)
}

func TestStoreThatFails(t *testing.T) {
	newBroken := func(t *testing.T) (*app, *brokenStore) {
		s := &brokenStore{Store: memstore.New()}
		a := newApp(t, func(c *middleware.Config) { c.Store, c.Session.Cache = s, -1 })
		a.github.person("ada", ada)
		return a, s
	}
	set := func(s *brokenStore, op string) { s.broken.Store(&op) }
	t.Run("request", func(t *testing.T) {
		a, s := newBroken(t)
		b := a.browser()
		b.login("github", "ada")
		set(s, "Session")
		for _, path := range []string{"/", "/private", "/fresh", "/auth/account", "/auth/login/github"} {
			if resp := b.get(path); resp.StatusCode != 503 {
				t.Errorf("%s: got %d, want 503 and never a visitor", path, resp.StatusCode)
			}
		}
		if resp := a.browser().get("/"); resp.StatusCode != 200 {
			t.Errorf("a visitor without a cookie: got %d, want 200", resp.StatusCode)
		}
		set(s, "")
		if b.whoami() == "" {
			t.Error("the session was harmed")
		}
	})
	for _, op := range []string{"Mark", "Account", "CreateSession"} {
		t.Run("callback/"+op, func(t *testing.T) {
			a, s := newBroken(t)
			b := a.browser()
			state := b.begin("github")
			set(s, op)
			resp := b.callback("github", state, "ada")
			if resp.StatusCode != 503 || b.sessionCookie() != "" {
				t.Errorf("got %d, want 503 and no session: %s", resp.StatusCode, body(t, resp))
			}
			if op == "Mark" && a.github.completions() != 0 {
				t.Error("the code has left")
			}
			set(s, "")
			if op == "Mark" {
				if resp := b.callback("github", state, "ada"); resp.StatusCode != 303 {
					t.Errorf("the same callback once the store is back: got %d, want 303", resp.StatusCode)
				}
				return
			}
			b.login("github", "ada")
		})
	}
	t.Run("logout", func(t *testing.T) {
		a, s := newBroken(t)
		b := a.browser()
		b.login("github", "ada")
		set(s, "DeleteSession")
		if resp := b.post("/auth/logout", nil); resp.StatusCode != 503 {
			t.Errorf("got %d, want 503", resp.StatusCode)
		}
		set(s, "")
		if b.whoami() == "" {
			t.Error("the browser forgot a session that is still open")
		}
	})
}

func TestErrorHandler(t *testing.T) {
	var got error
	a := newApp(t, func(c *middleware.Config) {
		c.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
			got = err
			w.WriteHeader(middleware.StatusCode(err))
		}
	})
	b := a.browser()
	if resp := b.callback("github", strings.Repeat("A", 43), "x"); resp.StatusCode != 400 {
		t.Errorf("got %d, want 400", resp.StatusCode)
	}
	var e *middleware.Error
	if !errors.As(got, &e) || e.Op != "callback" || e.Provider != "github" || e.Reason != "tx_missing" || e.ID == "" {
		t.Errorf("got %#v", got)
	}
}

func TestLimit(t *testing.T) {
	full := false
	a := newApp(t, func(c *middleware.Config) {
		c.Limit = func(_ *http.Request, op string) error {
			if full {
				return errors.New(op + " is full")
			}
			return nil
		}
	})
	a.github.person("ada", ada)
	b := a.browser()
	state := b.begin("github")
	full = true
	for _, resp := range []*http.Response{b.get("/auth/login/github"), b.callback("github", state, "ada")} {
		if resp.StatusCode != 429 {
			t.Errorf("got %d, want 429", resp.StatusCode)
		}
	}
	full = false
	if resp := b.callback("github", state, "ada"); resp.StatusCode != 303 {
		t.Errorf("afterwards: got %d, want 303", resp.StatusCode)
	}
}

func TestOnLoad(t *testing.T) {
	type key struct{}
	for _, tc := range []struct {
		name   string
		load   func(context.Context, *store.User) (context.Context, error)
		status int
	}{
		{"adds", func(ctx context.Context, u *store.User) (context.Context, error) {
			return context.WithValue(ctx, key{}, "mine "+u.Name), nil
		}, 200},
		{"fails", func(context.Context, *store.User) (context.Context, error) { return nil, errDisk }, 500},
		{"refuses", func(context.Context, *store.User) (context.Context, error) { return nil, middleware.ErrNotAdmitted }, 403},
		{"panics", func(context.Context, *store.User) (context.Context, error) { panic("boom") }, 500},
		{"returns nothing", func(context.Context, *store.User) (context.Context, error) { return nil, nil }, 500},
		{"returns another context", func(context.Context, *store.User) (context.Context, error) { return context.Background(), nil }, 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, func(c *middleware.Config) { c.OnLoad = tc.load })
			a.github.person("ada", ada)
			a.mux.Handle("/mine", a.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Context().Value(key{}) != "mine Ada" || middleware.CurrentUser(r.Context()).Name != "Ada" {
					t.Error("the app's value or the user is not in the context")
				}
			})))
			b := a.browser()
			b.login("github", "ada")
			if resp := b.get("/mine"); resp.StatusCode != tc.status {
				t.Errorf("got %d, want %d", resp.StatusCode, tc.status)
			}
		})
	}
}

func TestFormerID(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.browser().login("github", "ada")
	renamed := newFake("gh")
	renamed.info.FormerIDs = []string{"github"}
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: a.store}, renamed)
	if err != nil {
		t.Fatal(err)
	}
	a.mux = http.NewServeMux()
	a.mux.Handle("/auth/", auth.Handler())
	same := ada
	same.Issuer = "https://github.example"
	renamed.person("ada", same)
	foreign := ada
	foreign.Issuer, foreign.Email = "https://evil.example", ""
	renamed.person("evil", foreign)
	users := make(map[string]string)
	for _, code := range []string{"ada", "evil"} {
		b := a.browser()
		state := b.stateOf(b.get("/auth/login/gh"))
		if resp := b.callback("gh", state, code); resp.StatusCode != 303 {
			t.Fatalf("%s: got %d", code, resp.StatusCode)
		}
		r := httptest.NewRequest(http.MethodGet, baseURL+"/", nil)
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: b.sessionCookie()})
		u, err := auth.User(r)
		if err != nil {
			t.Fatal(err)
		}
		users[code] = u.ID
	}
	old, err := a.store.Account(context.Background(), githubAda)
	if err != nil || users["ada"] != old.UserID || users["evil"] == old.UserID {
		t.Errorf("got %v, want ada alone to be %s", users, old.UserID)
	}
	if _, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: a.store}, renamed, newFake("github")); err == nil {
		t.Error("a former ID that another provider has: got no error")
	}
}

var _ provider.Provider = (*fakeProvider)(nil)
