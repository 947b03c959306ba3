package middleware_test

import (
	"context"
	"crypto/rand"
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

// An opProvider says of each logout token that it was given what it means.
type opProvider struct {
	*fakeProvider
	mu      sync.Mutex
	logouts map[string]provider.Logout
}

func newOP(id string) *opProvider {
	return &opProvider{fakeProvider: newFake(id), logouts: make(map[string]provider.Logout)}
}

func (p *opProvider) VerifyLogout(_ context.Context, token string) (provider.Logout, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if out, ok := p.logouts[token]; ok {
		return out, nil
	}
	return provider.Logout{}, &provider.Error{Provider: p.info.ID, Op: "logout", Reason: "logout_token_sig", Err: errors.New("made up")}
}

// token returns a logout token that means out.
func (p *opProvider) token(out provider.Logout) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if out.Issuer == "" {
		out.Issuer = "https://" + p.info.ID + ".example"
	}
	out.JTI = rand.Text()
	p.logouts[out.JTI] = out
	return out.JTI
}

// backchannel posts a token as a service does.
func (a *app) backchannel(providerID, token string) int {
	r := httptest.NewRequest(http.MethodPost, baseURL+"/auth/backchannel/"+providerID, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	a.mux.ServeHTTP(w, r)
	return w.Code
}

// newOPApp is an app with the providers op and shop, and people at both: ada
// in two sessions of op, bob in one, and ada's namesake at shop.
func newOPApp(t testing.TB, s store.Store) (*app, *opProvider) {
	t.Helper()
	op, shop := newOP("op"), newOP("shop")
	a := newApp(t, func(c *middleware.Config) { c.Store = s }, op, shop)
	op.person("ada-1", provider.Identity{Subject: "ada", Name: "Ada", SID: "s-1"})
	op.person("ada-2", provider.Identity{Subject: "ada", Name: "Ada", SID: "s-2"})
	op.person("ada-no-sid", provider.Identity{Subject: "ada", Name: "Ada"})
	op.person("bob-1", provider.Identity{Subject: "bob", Name: "Bob", SID: "s-3"})
	shop.person("namesake", provider.Identity{Subject: "ada", Name: "Another Ada", SID: "s-1"})
	return a, op
}

var opPeople = []struct{ provider, code string }{
	{"op", "ada-1"}, {"op", "ada-2"}, {"op", "ada-no-sid"}, {"op", "bob-1"}, {"shop", "namesake"},
}

// loggedInAt returns browsers in which opPeople are logged in, by code.
func loggedInAt(a *app) map[string]*browser {
	a.t.Helper()
	browsers := make(map[string]*browser)
	for _, p := range opPeople {
		browsers[p.code] = a.browser()
		browsers[p.code].login(p.provider, p.code)
	}
	return browsers
}

func TestBackchannelLogout(t *testing.T) {
	for _, tt := range []struct {
		name string
		out  provider.Logout
		ends []string
	}{
		{"a session of the service", provider.Logout{SID: "s-1"}, []string{"ada-1"}},
		{"a session of an account", provider.Logout{SID: "s-2", Subject: "ada"}, []string{"ada-2"}},
		{"all of an account", provider.Logout{Subject: "ada"}, []string{"ada-1", "ada-2", "ada-no-sid"}},
		{"a session of nobody", provider.Logout{SID: "s-9"}, nil},
		{"a session of another account", provider.Logout{SID: "s-3", Subject: "ada"}, nil},
		{"somebody who is not here", provider.Logout{Subject: "eve"}, nil},
		{"a session at another issuer", provider.Logout{SID: "s-1", Issuer: "https://evil.example"}, nil},
		{"an account at another issuer", provider.Logout{Subject: "ada", Issuer: "https://evil.example"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, op := newOPApp(t, memstore.New())
			browsers := loggedInAt(a)
			token := op.token(tt.out)
			if got := a.backchannel("op", token); got != http.StatusOK {
				t.Fatalf("got %d: %s", got, a.log)
			}
			for _, p := range opPeople {
				ended := browsers[p.code].whoami() == ""
				if want := contains(tt.ends, p.code); ended != want {
					t.Errorf("%s: got ended %v, want %v", p.code, ended, want)
				}
			}
			if got := a.backchannel("op", token); got != http.StatusBadRequest {
				t.Errorf("the token once more: got %d, want 400", got)
			}
			if got := a.backchannel("op", "made-up"); got != http.StatusBadRequest {
				t.Errorf("no token: got %d, want 400", got)
			}
		})
	}
}

func contains(list []string, s string) bool {
	for _, other := range list {
		if other == s {
			return true
		}
	}
	return false
}

// A session that began before sessions kept their issuer has its account's.
func TestBackchannelLogoutOfAnOldSession(t *testing.T) {
	a, op := newOPApp(t, memstore.New())
	b := a.browser()
	b.login("op", "ada-1")
	id, now := b.whoami(), a.clock.Now()
	for sessionID, key := range map[string]store.Key{"old": {Provider: "op", Subject: "ada"}, "gone": {Provider: "op", Subject: "gone"}} {
		err := a.store.CreateSession(t.Context(), &store.Session{
			ID: sessionID, UserID: id, Key: key, SID: "s-old", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		issuer string
		left   int
	}{{"https://evil.example", 3}, {"", 2}} {
		if got := a.backchannel("op", op.token(provider.Logout{SID: "s-old", Issuer: tt.issuer})); got != http.StatusOK {
			t.Fatalf("issuer %q: got %d: %s", tt.issuer, got, a.log)
		}
		if ids := sessionIDs(t, a, id); len(ids) != tt.left || contains(ids, "old") != (tt.left == 3) {
			t.Errorf("issuer %q: got sessions %v, want %d left", tt.issuer, ids, tt.left)
		}
	}
}

// A provider that has no issuer ends its own sessions, and no other's.
func TestBackchannelLogoutWithoutIssuer(t *testing.T) {
	a, op := newOPApp(t, memstore.New())
	browsers := loggedInAt(a)
	op.people["eve"] = provider.Identity{Provider: "op", Subject: "eve", SID: "s-1"}
	b := a.browser()
	b.login("op", "eve")
	op.logouts["token"] = provider.Logout{SID: "s-1", JTI: "jti"}
	if got := a.backchannel("op", "token"); got != http.StatusOK || b.whoami() != "" || browsers["ada-1"].whoami() == "" {
		t.Errorf("got %d, and the browsers are %q and %q", got, b.whoami(), browsers["ada-1"].whoami())
	}
}

// A store of someone else's, without any of the optional interfaces.
func TestBackchannelLogoutWithALesserStore(t *testing.T) {
	a, op := newOPApp(t, &steppedStore{Store: memstore.New()})
	browsers := loggedInAt(a)
	if got := a.backchannel("op", op.token(provider.Logout{SID: "s-1"})); got != http.StatusBadRequest || !strings.Contains(a.log.String(), "reason=logout_subject ") {
		t.Errorf("a session of the service: got %d, want 400: %s", got, a.log)
	}
	token := op.token(provider.Logout{SID: "s-1", Subject: "ada"})
	if got := a.backchannel("op", token); got != http.StatusOK || browsers["ada-1"].whoami() != "" || browsers["ada-2"].whoami() == "" {
		t.Errorf("a session of an account: got %d, want that one ended alone", got)
	}
	if got := a.backchannel("op", token); got != http.StatusBadRequest || !strings.Contains(a.log.String(), "reason=logout_replay ") {
		t.Errorf("the token once more: got %d, want 400: %s", got, a.log)
	}
}

// Every session has the issuer of its account, however it began.
func TestSessionsKeepTheirIssuer(t *testing.T) {
	a, _ := newOPApp(t, memstore.New())
	b := a.browser()
	want := "https://op.example"
	check := func(step string) {
		t.Helper()
		list, err := a.store.UserSessions(t.Context(), b.whoami())
		if err != nil || len(list) != 1 || list[0].Issuer != want || list[0].SID != "s-1" {
			t.Errorf("%s: got %+v, %v, want one of issuer %s", step, list, err, want)
		}
	}
	b.login("op", "ada-1")
	check("sign-up")
	b.login("op", "ada-1")
	check("login")
	b.callback("op", b.stateOf(b.post("/auth/reauth/op", nil)), "ada-1")
	check("proof of who they are")
	b.callback("shop", b.stateOf(b.post("/auth/link/shop", nil)), "namesake")
	check("link")
	w := httptest.NewRecorder()
	id := provider.Identity{Provider: "op", Subject: "ada", Issuer: want, SID: "s-1"}
	r := httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: b.sessionCookie()})
	if err := a.auth.LoginIdentity(w, r, id, provider.Token{}); err != nil {
		t.Fatal(err)
	}
	b.cookies["__Host-session"] = w.Result().Cookies()[0]
	check("LoginIdentity")
}

// A token that met a store that failed is worth another try.
func TestBackchannelLogoutThatFailed(t *testing.T) {
	for kind, out := range logouts {
		for n, failed := 1, true; failed; n++ {
			s := &racedStore{wholeStore: memstore.New()}
			a, op := newOPApp(t, s)
			b := a.browser()
			b.login("op", "ada-1")
			token, calls := op.token(out), 0
			failed = false
			s.on(func(string) error {
				if calls++; calls == n {
					failed = true
					return errDisk
				}
				return nil
			})
			got := a.backchannel("op", token)
			s.on(nil)
			if want := http.StatusServiceUnavailable; failed && got != want {
				t.Errorf("%s: call %d fails: got %d, want %d", kind, n, got, want)
			}
			if failed {
				got = a.backchannel("op", token)
			}
			if got != http.StatusOK && !failed || b.whoami() != "" {
				t.Errorf("%s: call %d failed: sent again, got %d, and the browser is %q", kind, n, got, b.whoami())
			}
		}
	}
}
