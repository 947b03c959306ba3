package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A site is an app on loopback that logs people in at a providertest.Server.
type site struct {
	*httptest.Server
	auth     *middleware.Auth
	idp      *providertest.Server
	signedUp chan string // names of new users
	clock    *clock
}

func newSite(t testing.TB, providers func(*providertest.Server) []provider.Provider, change ...func(*middleware.Config)) *site {
	t.Helper()
	s := &site{idp: providertest.NewServer(t), signedUp: make(chan string, 100), clock: &clock{now: time.Now()}}
	mux := http.NewServeMux()
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	var err error
	cfg := middleware.Config{
		BaseURL: s.URL, Secret: secret, Store: memstore.New(), Session: sessionAt(s.clock),
		OnSignUp: func(_ context.Context, u *store.User, _ provider.Identity) error {
			s.signedUp <- u.Name
			return nil
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	s.auth, err = middleware.New(cfg, providers(s.idp)...)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/auth/", s.auth.Handler())
	mux.Handle("/", s.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, middleware.CurrentUser(r.Context()).Name)
	})))
	mux.Handle("/api", s.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := middleware.CurrentSession(r.Context()).Provider
		c, err := s.auth.Client(r.Context(), id)
		if err != nil {
			http.Error(w, err.Error(), middleware.StatusCode(err))
			return
		}
		resp, err := c.Get(r.URL.Query().Get("path"))
		if err != nil {
			http.Error(w, err.Error(), middleware.StatusCode(err))
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_ = json.NewEncoder(w).Encode(readJSON(resp))
	})))
	return s
}

func readJSON(resp *http.Response) (v map[string]any) {
	_ = json.NewDecoder(resp.Body).Decode(&v)
	return v
}

// visit returns a client with cookies that stops at the service's door.
func (s *site) visit(t testing.TB) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	idp, _ := url.Parse(s.idp.URL)
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == idp.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// login logs the client in as profile and returns what the page behind says.
func (s *site) login(c *http.Client, providerID string, profile any) (string, error) {
	resp, err := c.Get(s.URL + s.auth.LoginPath(providerID, "/"))
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	to := resp.Header.Get("Location")
	params, err := s.idp.AuthorizeAs(to, profile)
	if err != nil {
		return "", err
	}
	if resp, err = c.Get(s.auth.CallbackURL(providerID) + "?" + params.Encode()); err != nil {
		return "", err
	}
	return text(resp)
}

func text(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := resp.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", resp.StatusCode, b.String())
	}
	return b.String(), nil
}

func allEngines(idp *providertest.Server) []provider.Provider {
	return []provider.Provider{idp.Provider(), idp.OAuth2(), idp.OAuth1()}
}

func TestEveryEngine(t *testing.T) {
	for id, path := range map[string]string{"test": "/userinfo", "test-oauth2": "/user", "test-oauth1": "/user"} {
		t.Run(id, func(t *testing.T) {
			s := newSite(t, allEngines)
			c := s.visit(t)
			got, err := s.login(c, id, person(1))
			if err != nil || got != "Person 1" {
				t.Fatalf("got %q, %v", got, err)
			}
			for _, e := range s.auth.Providers() {
				if e.ID == id && e.API == "" {
					t.Fatalf("%s has no API", id)
				}
			}
			resp, err := c.Get(s.URL + "/api?path=" + path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := text(resp); err != nil || !strings.Contains(got, "Person 1") {
				t.Errorf("API: got %q, %v", got, err)
			}
		})
	}
}

func person(i int) map[string]any {
	return map[string]any{"sub": fmt.Sprintf("p-%d", i), "id": 1000 + i, "login": fmt.Sprintf("person%d", i), "name": fmt.Sprintf("Person %d", i)}
}

func TestFiftyPeopleAtOnce(t *testing.T) {
	s := newSite(t, allEngines)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			id := []string{"test", "test-oauth2", "test-oauth1"}[i%3]
			path := []string{"/userinfo", "/user", "/user"}[i%3]
			name := fmt.Sprintf("Person %d", i)
			c := s.visit(t)
			if got, err := s.login(c, id, person(i)); err != nil || got != name {
				t.Errorf("person %d with %s: got %q, %v", i, id, got, err)
				return
			}
			// Each has their own token: the service says whose it is.
			resp, err := c.Get(s.URL + "/api?path=" + path)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := text(resp); err != nil || !strings.Contains(got, `"`+name+`"`) {
				t.Errorf("person %d with %s: their token is of %q, %v", i, id, got, err)
			}
		})
	}
	wg.Wait()
}

func TestRenewalAtTheTestService(t *testing.T) {
	for _, id := range []string{"test", "test-oauth2"} {
		t.Run(id, func(t *testing.T) {
			s := newSite(t, func(idp *providertest.Server) []provider.Provider {
				return []provider.Provider{idp.Provider(provider.WithScopes("offline_access")), idp.OAuth2()}
			})
			c := s.visit(t)
			if _, err := s.login(c, id, person(1)); err != nil {
				t.Fatal(err)
			}
			path := map[string]string{"test": "/userinfo", "test-oauth2": "/user"}[id]
			// The service replaces the refresh token each time and withdraws the
			// grant if it sees an old one. The app's clock stays ahead of the
			// service's, so that every token looks as if it had expired.
			for i, renewed := range []bool{false, true, true} {
				if i == 1 {
					s.clock.advance(2 * time.Hour)
				}
				before := s.idp.Requests("token")
				resp, err := c.Get(s.URL + "/api?path=" + path)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := text(resp); err != nil || !strings.Contains(got, "Person 1") {
					t.Errorf("call %d: got %q, %v", i, got, err)
				}
				if n := s.idp.Requests("token") - before; (n > 0) != renewed {
					t.Errorf("call %d: got %d renewals, want some: %v", i, n, renewed)
				}
			}
		})
	}
}

func TestServiceThatIsSlow(t *testing.T) {
	s := newSite(t, allEngines)
	c := s.visit(t)
	resp, err := c.Get(s.URL + s.auth.LoginPath("test", "/"))
	if err != nil {
		t.Fatal(err)
	}
	params, err := s.idp.AuthorizeAs(resp.Header.Get("Location"), person(1))
	if err != nil {
		t.Fatal(err)
	}
	// The person gives up while the service thinks; it answers nevertheless.
	arrived, release := s.idp.Hold("token")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.auth.CallbackURL("test")+"?"+params.Encode(), nil)
		_, err := c.Do(r)
		done <- err
	}()
	<-arrived
	cancel()
	<-done
	release()
	// The sign-up was finished all the same, so that the grant has an owner.
	if name := <-s.signedUp; name != "Person 1" {
		t.Errorf("signed up: got %q", name)
	}
	if got, err := s.login(c, "test", person(1)); err != nil || got != "Person 1" || len(s.signedUp) != 0 {
		t.Errorf("next login: got %q, %v and %d more sign-ups, want none", got, err, len(s.signedUp))
	}
}
