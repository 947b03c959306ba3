package databases_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// Secrets of tests are none: they are long and random enough to pass.
const (
	secret    = "pYx0C1q8vK2mWz7RtLhN4sJd6FbGaE3uQoVi9ITk"
	newSecret = "Q4ZbW9eYtK6nR1uXcHs8VjLd3GmPf7AoTi0wEqBy"

	baseURL = "https://app.example.com"
)

// A service is a provider on loopback that gives a new refresh token each time
// and punishes who shows an old one: the whole grant is gone.
type service struct {
	*httptest.Server

	mu        sync.Mutex
	grants    map[string]*grant // by refresh token, the old ones as well
	access    map[string]string // subject by access token
	life      time.Duration     // of access tokens
	silent    bool              // the answer to a refresh has no refresh token, and the old one goes on
	quiet     bool              // a login brings no refresh token
	down      bool              // a refresh is answered 503
	refreshes int
	reused    int
	revoked   int
	asked     chan struct{} // gets a value when a refresh comes, if not nil
	hold      chan struct{} // if not nil, a refresh waits before it is looked at
	lose      bool          // a refresh is done and then waits for hold, so that its answer is lost
}

type grant struct {
	subject string
	current string
	gone    bool
}

func newService(tb testing.TB) *service {
	s := &service{grants: map[string]*grant{}, access: map[string]string{}, life: time.Hour}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.revoked++
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		subject, ok := s.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, http.StatusOK, map[string]any{"id": subject, "name": "Person " + subject})
	})
	s.Server = httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	return s
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *service) token(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("grant_type") != "refresh_token" {
		// The code is the subject.
		answer(w, http.StatusOK, s.grant(r.FormValue("code")))
		return
	}
	s.mu.Lock()
	hold, lose, asked := s.hold, s.lose, s.asked
	s.refreshes++
	s.mu.Unlock()
	if asked != nil {
		select {
		case asked <- struct{}{}:
		default:
		}
	}
	wait := func() bool {
		if hold == nil {
			return true
		}
		select {
		case <-hold:
			return true
		case <-r.Context().Done(): // who asked is gone
			return false
		}
	}
	if !lose && !wait() {
		return
	}
	status, v := s.refresh(r.FormValue("refresh_token"))
	if lose && !wait() {
		return
	}
	answer(w, status, v)
}

func (s *service) refresh(old string) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants[old]
	switch {
	case s.down:
		return http.StatusServiceUnavailable, map[string]any{"error": "temporarily_unavailable"}
	case g == nil || g.gone:
		return http.StatusBadRequest, map[string]any{"error": "invalid_grant"}
	case g.current != old:
		s.reused++
		g.gone = true
		return http.StatusBadRequest, map[string]any{"error": "invalid_grant"}
	}
	return http.StatusOK, s.issue(g)
}

// issue gives new tokens. The caller holds mu.
func (s *service) issue(g *grant) map[string]any {
	v := map[string]any{"token_type": "Bearer", "access_token": "at-" + rand.Text(), "expires_in": int(s.life / time.Second)}
	s.access[v["access_token"].(string)] = g.subject
	if g.current == "" && !s.quiet || g.current != "" && !s.silent {
		g.current = "rt-" + rand.Text()
		s.grants[g.current] = g
		v["refresh_token"] = g.current
	}
	return v
}

func (s *service) grant(subject string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(&grant{subject: subject})
}

// set changes how the service behaves.
func (s *service) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// counts returns how many refreshes came, and how many with an old token.
func (s *service) counts() (refreshes, reused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refreshes, s.reused
}

// secrets returns every token that the service has given.
func (s *service) secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for t := range s.grants {
		all = append(all, t)
	}
	for t := range s.access {
		all = append(all, t)
	}
	return all
}

// providerAt is the service as a process of the app knows it.
func providerAt(serviceURL string) provider.Provider {
	d := provider.OAuth2{
		Info:    provider.Info{ID: "svc", Name: "Service", API: serviceURL},
		UserURL: serviceURL + "/me", RevokeURL: serviceURL + "/revoke",
		Fields: provider.Fields{Subject: "id", Name: "name"},
	}
	d.Endpoint.AuthURL, d.Endpoint.TokenURL = serviceURL+"/authorize", serviceURL+"/token"
	return d.New("client", "client-secret")
}

// An app is one process of an app, or what is like one.
type app struct {
	auth *middleware.Auth
	mux  *http.ServeMux
}

// newApp makes one whose clock is ahead by some time.
func newApp(tb testing.TB, s store.Store, serviceURL string, ahead time.Duration, secret string, old ...string) *app {
	tb.Helper()
	return newAppWith(tb, s, providerAt(serviceURL), ahead, secret, old...)
}

func newAppWith(tb testing.TB, s store.Store, p provider.Provider, ahead time.Duration, secret string, old ...string) *app {
	tb.Helper()
	auth, err := middleware.New(middleware.Config{
		BaseURL: baseURL, Secret: secret, OldSecrets: old, Store: s, Logger: slog.New(slog.DiscardHandler),
		Session: session.Config{Now: func() time.Time { return time.Now().Add(ahead) }},
	}, p)
	if err != nil {
		tb.Fatal(err)
	}
	a := &app{auth, http.NewServeMux()}
	a.mux.Handle("/auth/", auth.Handler())
	return a
}

// get sends a request as a browser would.
func (a *app) get(path string, cookies []*http.Cookie) *http.Response {
	r := httptest.NewRequest(http.MethodGet, baseURL+path, nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (test)")
	r.Header.Set("Sec-Fetch-Site", "none")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	a.mux.ServeHTTP(w, r)
	return w.Result()
}

// login goes the whole way and returns the value of the session's cookie.
func (a *app) login(subject string) (string, error) {
	resp := a.get("/auth/login/svc", nil)
	to, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("begin: status %d", resp.StatusCode)
	}
	query := url.Values{"state": {to.Query().Get("state")}, "code": {subject}}
	resp = a.get("/auth/callback/svc?"+query.Encode(), resp.Cookies())
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-session" && c.MaxAge >= 0 && resp.StatusCode == http.StatusSeeOther {
			return c.Value, nil
		}
	}
	return "", fmt.Errorf("callback: status %d", resp.StatusCode)
}

// mustLogin logs in, and returns the cookie and the user's ID.
func (a *app) mustLogin(tb testing.TB, subject string) (cookie, id string) {
	tb.Helper()
	cookie, err := a.login(subject)
	if err != nil {
		tb.Fatal(err)
	}
	u, err := a.who(cookie)
	if err != nil {
		tb.Fatal(err)
	}
	return cookie, u.ID
}

// who returns whose session that is.
func (a *app) who(cookie string) (*store.User, error) {
	r := httptest.NewRequest(http.MethodGet, baseURL+"/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: cookie})
	return a.auth.User(r)
}

// call asks the service who a user is, as a job would.
func (a *app) call(ctx context.Context, userID string) error {
	c, err := a.auth.Client(middleware.WithUser(ctx, &store.User{ID: userID}), "svc")
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/me", nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answers %d", resp.StatusCode)
	}
	return nil
}
