package middleware_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/memstore"
	"gorm.io/driver/sqlite"
)

// beside runs floor and then f, and reports how many times the floor f costs.
func beside(b *testing.B, floor, f func(b *testing.B)) {
	perOp := func(b *testing.B) float64 { return float64(b.Elapsed().Nanoseconds()) / float64(b.N) }
	var least float64
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		floor(b)
		least = perOp(b)
	})
	b.Run("gatepass", func(b *testing.B) {
		b.ReportAllocs()
		f(b)
		if least > 0 {
			b.ReportMetric(perOp(b)/least, "x-floor")
		}
	})
}

// ideal is the least that a server-side session can cost: scan the cookie,
// decode and hash it on the stack, look it up in a sharded map.
type ideal struct {
	key    [32]byte
	shards [256]struct {
		mu sync.RWMutex
		m  map[[32]byte]*idealEntry
	}
}

type idealEntry struct {
	mark [15]byte
	user store.User
}

func newIdeal(cookie string) *ideal {
	p := &ideal{}
	_, _ = rand.Read(p.key[:])
	for i := range p.shards {
		p.shards[i].m = make(map[[32]byte]*idealEntry)
	}
	_, value, _ := strings.Cut(cookie, "=")
	raw, id := p.decode(value)
	e := &idealEntry{user: store.User{Name: "Ada"}}
	copy(e.mark[:], raw[33:])
	p.shards[raw[1]].m[id] = e
	return p
}

func (p *ideal) decode(value string) (raw [48]byte, id [32]byte) {
	_, _ = base64.RawURLEncoding.Decode(raw[:], []byte(value))
	var block [64]byte
	copy(block[:], p.key[:22])
	copy(block[22:], raw[:33])
	return raw, sha256.Sum256(block[:55])
}

func (p *ideal) find(r *http.Request) *store.User {
	for _, line := range r.Header["Cookie"] {
		i := strings.Index(line, "__Host-session=")
		if i < 0 || len(line) < i+15+64 {
			continue
		}
		raw, id := p.decode(line[i+15 : i+15+64])
		s := &p.shards[raw[1]]
		s.mu.RLock()
		e := s.m[id]
		s.mu.RUnlock()
		if e != nil && subtle.ConstantTimeCompare(e.mark[:], raw[33:]) == 1 {
			return &e.user
		}
	}
	return nil
}

type idealContext struct {
	context.Context
	user store.User
}

// serve is find with the user in the request's context.
func (p *ideal) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := p.find(r)
		if u == nil {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(&idealContext{r.Context(), *u}))
	})
}

// sink is a ResponseWriter that keeps nothing between requests.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

func serveMany(b *testing.B, h http.Handler, r *http.Request) {
	w := &sink{h: make(http.Header)}
	for b.Loop() {
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func benchStores(b *testing.B, f func(b *testing.B, s store.Store)) {
	b.Run("memstore", func(b *testing.B) { f(b, memstore.New()) })
	b.Run("sqlite", func(b *testing.B) { f(b, openSQLite(b)) })
}

func openSQLite(tb testing.TB) *gormstore.Store {
	tb.Helper()
	s, err := gormstore.Open(sqlite.Open(filepath.Join(tb.TempDir(), "users.db")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// loggedIn returns an Auth on s and a request with a good cookie.
func loggedIn(b *testing.B, s store.Store, cache session.Config) (*middleware.Auth, *http.Request) {
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: s, Session: cache}, newFake("github"))
	if err != nil {
		b.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
	err = auth.LoginIdentity(w, r, provider.Identity{Provider: "github", Subject: "1", Name: "Ada"}, provider.Token{})
	if err != nil {
		b.Fatal(err)
	}
	r = httptest.NewRequest(http.MethodGet, baseURL+"/private", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return auth, r
}

// BenchmarkRequireUser is a request with a session that was seen in the last
// second, beside the least that a server-side session can cost.
func BenchmarkRequireUser(b *testing.B) {
	benchStores(b, func(b *testing.B, s store.Store) {
		auth, r := loggedIn(b, s, session.Config{})
		p := newIdeal(r.Header.Get("Cookie"))
		beside(b,
			func(b *testing.B) { serveMany(b, p.serve(nothing), r) },
			func(b *testing.B) { serveMany(b, auth.RequireUser(nothing), r) })
	})
}

// BenchmarkRequireUserUncached asks the store each time; the floor is the same
// lookup without the middleware.
func BenchmarkRequireUserUncached(b *testing.B) {
	benchStores(b, func(b *testing.B, s store.Store) {
		auth, r := loggedIn(b, s, session.Config{Cache: -1})
		found, err := auth.Sessions().Find(r)
		if err != nil {
			b.Fatal(err)
		}
		beside(b,
			func(b *testing.B) {
				for b.Loop() {
					if _, _, err := store.SessionUser(context.Background(), s, s, found.ID); err != nil {
						b.Fatal(err)
					}
				}
			},
			func(b *testing.B) { serveMany(b, auth.RequireUser(nothing), r) })
	})
}

// BenchmarkUser is the handler that asks for itself.
func BenchmarkUser(b *testing.B) {
	auth, r := loggedIn(b, memstore.New(), session.Config{})
	p := newIdeal(r.Header.Get("Cookie"))
	beside(b,
		func(b *testing.B) {
			for b.Loop() {
				if p.find(r) == nil {
					b.Fatal("nobody")
				}
			}
		},
		func(b *testing.B) {
			for b.Loop() {
				if u, err := auth.User(r); err != nil || u == nil {
					b.Fatal(err)
				}
			}
		})
}

// BenchmarkVisitor is a request without a session cookie.
func BenchmarkVisitor(b *testing.B) {
	auth, r := loggedIn(b, memstore.New(), session.Config{})
	p := newIdeal(r.Header.Get("Cookie"))
	r.Header.Set("Cookie", "theme=dark; lang=en")
	beside(b,
		func(b *testing.B) { serveMany(b, p.serve(nothing), r) },
		func(b *testing.B) { serveMany(b, auth.LoadUser(nothing), r) })
}

// BenchmarkForgedCookie is a request with a key that nobody was given.
func BenchmarkForgedCookie(b *testing.B) {
	auth, r := loggedIn(b, memstore.New(), session.Config{})
	good := r.Header.Get("Cookie")
	p := newIdeal(good)
	for name, cookie := range map[string]string{
		"wrong mark": good[:len(good)-4] + "AAAA",
		"wrong key":  "__Host-session=" + strings.Repeat("A", 64),
		"20 B":       "__Host-session=" + strings.Repeat("A", 20),
		"4 KB":       "__Host-session=" + strings.Repeat("A", 4096),
	} {
		b.Run(name, func(b *testing.B) {
			r := r.Clone(context.Background())
			r.Header.Set("Cookie", cookie)
			if _, err := auth.User(r); !errors.Is(err, middleware.ErrNoUser) {
				b.Fatalf("got %v, want ErrNoUser", err)
			}
			beside(b,
				func(b *testing.B) {
					for b.Loop() {
						p.find(r)
					}
				},
				func(b *testing.B) {
					for b.Loop() {
						_, _ = auth.User(r)
					}
				})
		})
	}
}

// BenchmarkLogin is a whole login against the test service, from the click to
// the session. The floor is the service alone: the same requests to it by hand.
func BenchmarkLogin(b *testing.B) {
	benchStores(b, func(b *testing.B, s store.Store) {
		idp := providertest.NewServer(b)
		auth, err := middleware.New(middleware.Config{
			BaseURL: baseURL, Secret: secret, Store: s, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}, idp.Provider())
		if err != nil {
			b.Fatal(err)
		}
		begin := func(b *testing.B) (string, []*http.Cookie) {
			r := httptest.NewRequest(http.MethodGet, baseURL+"/auth/login/test", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			w := httptest.NewRecorder()
			auth.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusSeeOther {
				b.Fatalf("begin: %d", w.Code)
			}
			return w.Header().Get("Location"), w.Result().Cookies()
		}
		beside(b,
			func(b *testing.B) {
				p := idp.Provider()
				for b.Loop() {
					req := provider.Request{State: session.NewState(), CallbackURL: auth.CallbackURL("test")}
					to, err := p.Begin(context.Background(), req)
					if err != nil {
						b.Fatal(err)
					}
					params, err := idp.Authorize(to.URL)
					if err != nil {
						b.Fatal(err)
					}
					cb, err := provider.NewCallback(req, to.Memo, params)
					if err != nil {
						b.Fatal(err)
					}
					if _, _, err := p.Complete(context.Background(), cb); err != nil {
						b.Fatal(err)
					}
				}
			},
			func(b *testing.B) {
				for b.Loop() {
					to, cookies := begin(b)
					params, err := idp.Authorize(to)
					if err != nil {
						b.Fatal(err)
					}
					r := httptest.NewRequest(http.MethodGet, auth.CallbackURL("test")+"?"+params.Encode(), nil)
					for _, c := range cookies {
						r.AddCookie(c)
					}
					w := httptest.NewRecorder()
					auth.Handler().ServeHTTP(w, r)
					if w.Code != http.StatusSeeOther {
						b.Fatalf("callback: %d %s", w.Code, w.Body)
					}
				}
			})
	})
}
