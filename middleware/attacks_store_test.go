package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A steppedStore tells of each call before it is made.
type steppedStore struct {
	store.Store
	mu   sync.Mutex
	step func(op string)
}

func (s *steppedStore) before(op string) {
	s.mu.Lock()
	f := s.step
	s.mu.Unlock()
	if f != nil {
		f(op)
	}
}

func (s *steppedStore) on(f func(op string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step = f
}

func (s *steppedStore) Mark(ctx context.Context, id string, until time.Time) error {
	s.before("Mark")
	return errors.Join(ctx.Err(), s.Store.Mark(ctx, id, until))
}

func (s *steppedStore) User(ctx context.Context, id string) (*store.User, error) {
	s.before("User")
	u, err := s.Store.User(ctx, id)
	return u, errors.Join(ctx.Err(), err)
}

func (s *steppedStore) Account(ctx context.Context, k store.Key) (*store.Account, error) {
	s.before("Account")
	acct, err := s.Store.Account(ctx, k)
	return acct, errors.Join(ctx.Err(), err)
}

func (s *steppedStore) CreateUser(ctx context.Context, u *store.User, a *store.Account) error {
	s.before("CreateUser")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Store.CreateUser(ctx, u, a)
}

func (s *steppedStore) UpdateUser(context.Context, *store.User) error {
	s.before("UpdateUser")
	return nil
}

func (s *steppedStore) PutToken(ctx context.Context, k store.Key, t *store.Token) error {
	s.before("PutToken")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Store.PutToken(ctx, k, t)
}

func (s *steppedStore) UserSessions(ctx context.Context, id string) ([]store.Session, error) {
	s.before("UserSessions")
	list, err := s.Store.UserSessions(ctx, id)
	return list, errors.Join(ctx.Err(), err)
}

func (s *steppedStore) CreateSession(ctx context.Context, x *store.Session) error {
	s.before("CreateSession")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Store.CreateSession(ctx, x)
}

// The browser goes away, at each call of the store.
func TestBrowserGoneDuringACallback(t *testing.T) {
	for _, at := range []string{"Mark", "Account", "CreateUser", "PutToken", "UserSessions", "CreateSession"} {
		t.Run(at, func(t *testing.T) {
			s := &steppedStore{Store: memstore.New()}
			a := newApp(t, func(c *middleware.Config) { c.Store = s })
			a.github.person("ada", ada)
			b := a.browser()
			state := b.begin("github")
			ctx, cancel := context.WithCancel(context.Background())
			reached := false
			s.on(func(op string) {
				if op == at {
					reached = true
					cancel()
				}
			})
			resp := b.callback("github", state, "ada", func(r *http.Request) { *r = *r.WithContext(ctx) })
			s.on(nil)
			if !reached || b.sessionCookie() != "" {
				t.Errorf("got %d, reached %v; want no session for nobody", resp.StatusCode, reached)
			}
			acct, err := s.Store.Account(context.Background(), githubAda)
			switch {
			case at == "Mark" && !errors.Is(err, store.ErrNotFound):
				t.Errorf("before the code left: got an account, %v", err)
			case at != "Mark" && err != nil:
				t.Errorf("the sign-up was not finished: %v", err)
			case err == nil:
				if _, err := s.Token(context.Background(), githubAda); err != nil {
					t.Errorf("the token was not kept: %v", err)
				}
				if list, _ := s.Store.UserSessions(context.Background(), acct.UserID); len(list) != 0 {
					t.Errorf("got %d sessions that nobody has the key of", len(list))
				}
			}
			b.login("github", "ada")
		})
	}
}

// Disabled while a login is writing.
func TestDisabledDuringACallback(t *testing.T) {
	for _, at := range []string{"Account", "User", "PutToken", "CreateSession"} {
		t.Run(at, func(t *testing.T) {
			s := &steppedStore{Store: memstore.New()}
			a := newApp(t, func(c *middleware.Config) { c.Store = s })
			a.github.person("ada", ada)
			b := a.browser()
			b.login("github", "ada")
			id := b.whoami()
			b.post("/auth/logout", nil)
			state := b.begin("github")
			written := false
			s.on(func(op string) {
				switch op {
				case "UpdateUser":
					written = true
				case at:
					u, err := s.Store.User(context.Background(), id)
					if err != nil {
						t.Error(err)
						return
					}
					u.Disabled = true
					if err := s.Store.UpdateUser(context.Background(), u); err != nil {
						t.Error(err)
					}
				}
			})
			b.callback("github", state, "ada")
			if b.whoami() != "" || b.get("/private").StatusCode == 200 {
				t.Error("a disabled user is logged in")
			}
			if u, err := s.Store.User(context.Background(), id); err != nil || !u.Disabled || written {
				t.Errorf("got %+v, %v, written %v; want the user still disabled", u, err, written)
			}
		})
	}
}

// From another site's link to a protected page, with one provider.
func TestLinkFromAnotherSiteToAProtectedPage(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: a.store, Session: sessionAt(a.clock)}, a.github)
	if err != nil {
		t.Fatal(err)
	}
	a.mux = http.NewServeMux()
	a.mux.Handle("/auth/", auth.Handler())
	a.mux.Handle("/", auth.RequireUser(http.HandlerFunc(pageHandler)))
	b := a.browser()
	resp := b.get("/report?q=1", crossSite)
	to := resp.Header.Get("Location")
	if !strings.HasPrefix(to, "/auth/login/github?") {
		t.Fatalf("got %d to %q", resp.StatusCode, to)
	}
	resp = b.get(to, crossSite)
	text := body(t, resp)
	if resp.StatusCode != 200 || len(resp.Cookies()) > 0 || len(a.github.begun) > 0 || strings.Count(text, "<button") != 1 {
		t.Fatalf("got %d, %d cookies and %d logins begun, want a page of one button: %s", resp.StatusCode, len(resp.Cookies()), len(a.github.begun), text)
	}
	state := b.stateOf(b.post("/auth/login/github", url.Values{"return_to": {"/report?q=1"}}))
	if resp := b.callback("github", state, "ada"); resp.Header.Get("Location") != "/report?q=1" {
		t.Errorf("got %d to %q, want the page first wanted", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// What its holder may do has changed, and so has the key.
func TestNewKeyAtEachChange(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1"})
	b := a.browser()
	for _, tc := range []struct {
		name string
		do   func() *http.Response
	}{
		{"login", func() *http.Response { return b.callback("github", b.begin("github"), "ada") }},
		{"login again", func() *http.Response { return b.callback("github", b.begin("github"), "ada") }},
		{"reauth", func() *http.Response {
			return b.callback("github", b.stateOf(b.post("/auth/reauth/github", nil)), "ada")
		}},
		{"link", func() *http.Response { return b.callback("other", b.stateOf(b.post("/auth/link/other", nil)), "ada") }},
		{"unlink", func() *http.Response { return b.post("/auth/unlink/other", nil) }},
	} {
		old := b.sessionCookie()
		resp := tc.do()
		if resp.StatusCode != 303 || b.sessionCookie() == old || b.whoami() == "" {
			t.Errorf("%s: got %d, and the key is the same or of no use", tc.name, resp.StatusCode)
		}
		if old == "" {
			continue
		}
		r := httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: old})
		if _, err := a.auth.User(r); !errors.Is(err, middleware.ErrNoUser) {
			t.Errorf("%s: the old key still is good: %v", tc.name, err)
		}
	}
}
