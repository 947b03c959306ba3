package middleware_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"golang.org/x/oauth2"
)

// A tally counts what is read of and written to sessions.
type tally struct {
	*memstore.Store
	reads, writes atomic.Int64
}

func (s *tally) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	s.reads.Add(1)
	return s.Store.SessionUser(ctx, id)
}

func (s *tally) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	s.writes.Add(1)
	return s.Store.TouchSession(ctx, id, seen, expires)
}

func (s *tally) CreateSession(ctx context.Context, v *store.Session) error {
	s.writes.Add(1)
	return s.Store.CreateSession(ctx, v)
}

func (s *tally) UpdateUser(ctx context.Context, u *store.User) error {
	s.writes.Add(1)
	return s.Store.UpdateUser(ctx, u)
}

func (s *tally) Mark(ctx context.Context, id string, until time.Time) error {
	s.writes.Add(1)
	return s.Store.Mark(ctx, id, until)
}

func (s *tally) DeleteExpired(ctx context.Context) error {
	s.writes.Add(1)
	return s.Store.DeleteExpired(ctx)
}

// visits returns an app on a tally, and a request of somebody who is logged in
// there.
func visits(t *testing.T) (*app, *tally, *http.Request) {
	t.Helper()
	s := &tally{Store: memstore.New()}
	a := newApp(t, func(c *middleware.Config) { c.Store = s })
	s.Now = a.clock.Now
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
	if err := a.auth.LoginIdentity(w, r, provider.Identity{Provider: "github", Subject: "1", Name: "Ada"}, provider.Token{}); err != nil {
		t.Fatal(err)
	}
	r = httptest.NewRequest(http.MethodGet, baseURL+"/private", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return a, s, r
}

// An hour of requests, one a second, asks once each and writes once a minute.
func TestOrdinaryRequestsWriteNothing(t *testing.T) {
	a, s, r := visits(t)
	seen := 0
	h := a.auth.RequireUser(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if middleware.CurrentUser(r.Context()) != nil {
			seen++
		}
	}))
	reads, writes := s.reads.Load(), s.writes.Load()
	for range 3600 {
		for range 5 {
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		a.clock.advance(time.Second)
	}
	if seen != 5*3600 {
		t.Errorf("%d of %d requests had a user", seen, 5*3600)
	}
	if n := s.writes.Load() - writes; n != 59 {
		t.Errorf("got %d writes in an hour, want 59: one a minute, but for the first", n)
	}
	if n := s.reads.Load() - reads; n != 3600 {
		t.Errorf("got %d queries, want 3,600: one a second", n)
	}
}

// Somebody logs out while a hundred of their requests are under way. Each has
// been let in or turned away; afterwards none is let in, and nothing has brought
// the session back.
func TestLogoutAmongRequestsUnderWay(t *testing.T) {
	for range 10 {
		a, s, r := visits(t)
		a.clock.advance(2 * time.Minute) // so that a request would touch the session
		var inside atomic.Int64
		mux := http.NewServeMux()
		mux.Handle("/auth/", a.auth.Handler())
		mux.Handle("/", a.auth.LoadUser(a.auth.RequireUser(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if u := middleware.CurrentUser(r.Context()); u == nil || u.Name != "Ada" {
				t.Errorf("let in: %v", u)
			}
			inside.Add(1)
		}))))
		logout := httptest.NewRequest(http.MethodPost, baseURL+"/auth/logout", nil)
		logout.Header["Cookie"] = r.Header["Cookie"]
		logout.Header.Set("Sec-Fetch-Site", "same-origin")
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 100 {
			r := r.Clone(t.Context())
			if i%5 == 0 {
				r.Method = http.MethodPost
			}
			wg.Go(func() {
				<-start
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, r)
				if w.Code >= 500 {
					t.Errorf("got %d", w.Code)
				}
			})
		}
		wg.Go(func() {
			<-start
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, logout)
			if w.Code != http.StatusSeeOther {
				t.Errorf("logout: got %d", w.Code)
			}
			before := httptest.NewRecorder()
			mux.ServeHTTP(before, r.Clone(t.Context()))
			if before.Code == http.StatusOK {
				t.Error("let in right after the logout")
			}
		})
		close(start)
		wg.Wait()
		before := inside.Load()
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := r.Clone(t.Context())
			r.Method = method
			mux.ServeHTTP(httptest.NewRecorder(), r)
		}
		if inside.Load() != before {
			t.Fatal("let in after the logout")
		}
		account, err := s.Account(t.Context(), store.Key{Provider: "github", Subject: "1"})
		if err != nil {
			t.Fatal(err)
		}
		if left, err := s.UserSessions(t.Context(), account.UserID); err != nil || len(left) != 0 {
			t.Fatalf("%d sessions are left, %v", len(left), err)
		}
	}
}

// Two instances on one store. What one ends, the other lets read for a second at
// most, and change nothing from then on.
func TestTwoInstances(t *testing.T) {
	a, s, r := visits(t)
	other := newApp(t, func(c *middleware.Config) {
		c.Store = struct{ store.Store }{s.Store} // so that it hears of nothing
		c.Session.Now = a.clock.Now
	})
	code := func(method string) int {
		r := r.Clone(t.Context())
		r.Method = method
		w := httptest.NewRecorder()
		other.auth.RequireUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w.Code
	}
	if got := code(http.MethodGet); got != http.StatusOK {
		t.Fatalf("before: got %d", got)
	}
	a.clock.advance(100 * time.Millisecond)
	if err := a.auth.Sessions().End(httptest.NewRecorder(), r); err != nil {
		t.Fatal(err)
	}
	a.clock.advance(900*time.Millisecond - time.Nanosecond)
	if got := code(http.MethodGet); got != http.StatusOK {
		t.Errorf("a GET within the second: got %d, want 200", got)
	}
	if got := code(http.MethodPost); got != http.StatusUnauthorized {
		t.Errorf("a POST at once: got %d, want 401", got)
	}
	if got := code(http.MethodGet); got != http.StatusUnauthorized {
		t.Errorf("a GET after a POST that learned of it: got %d, want 401", got)
	}
}

func TestTwoInstancesAfterTheSecond(t *testing.T) {
	a, s, r := visits(t)
	other := newApp(t, func(c *middleware.Config) {
		c.Store = struct{ store.Store }{s.Store}
		c.Session.Now = a.clock.Now
	})
	if u, err := other.auth.User(r); err != nil || u == nil {
		t.Fatalf("got %v, %v", u, err)
	}
	if err := a.auth.Sessions().End(httptest.NewRecorder(), r); err != nil {
		t.Fatal(err)
	}
	a.clock.advance(time.Second)
	if u, err := other.auth.User(r); err == nil {
		t.Errorf("a second later: got %v", u)
	}
}

// Anybody can make logins begin, so that each should cost little whoever asks.
func TestBeginAllocatesLittle(t *testing.T) {
	p := provider.OAuth2{
		Info: provider.Info{ID: "op", Name: "OP"}, Scopes: []string{"profile", "email"}, UserURL: "https://op.example.com/me", Fields: provider.Fields{Subject: "id"},
		Endpoint: oauth2.Endpoint{AuthURL: "https://op.example.com/authorize", TokenURL: "https://op.example.com/token"},
	}.New("client", "secret")
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: memstore.New()}, p)
	if err != nil {
		t.Fatal(err)
	}
	h, r, w := unread(auth.Handler()), loginRequest(), &sink{h: make(http.Header)}
	n := math.Inf(1)
	for range 5 { // since what another test has left running allocates, too
		n = min(n, testing.AllocsPerRun(100, func() {
			clear(w.h)
			h.ServeHTTP(w, r)
		}))
	}
	if to := w.h.Get("Location"); !strings.HasPrefix(to, "https://op.example.com/authorize?") {
		t.Fatalf("got %q", to)
	}
	if n > 12 { // eight, and some more under the race detector
		t.Errorf("got %v allocations, want 12 at most", n)
	}
}
