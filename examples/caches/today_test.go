package caches_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gorilla/sessions"
)

// A sink is a ResponseWriter that keeps nothing between requests.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

// A way is how an app finds the user of a request: none that it finds asks a
// database. Known counts the requests with a user.
type way struct {
	name string
	new  func(tb testing.TB, known *int) (h http.Handler, cookies []*http.Cookie)
}

var ways = []way{
	{"gatepass", func(tb testing.TB, known *int) (http.Handler, []*http.Cookie) {
		now := time.Now()
		cfg := middleware.Config{BaseURL: "https://app.example.com", Secret: rand.Text() + rand.Text(), Store: memstore.New()}
		cfg.Session.Now = func() time.Time { _ = time.Now(); return now }
		cfg.LocalAccounts = []string{"password"}
		cfg.LoginURL = "/login"
		auth, err := middleware.New(cfg)
		if err != nil {
			tb.Fatal(err)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "https://app.example.com/", nil)
		if err := auth.LoginIdentity(w, r, provider.Identity{Provider: "password", Subject: "1", Name: "Ada"}, provider.Token{}); err != nil {
			tb.Fatal(err)
		}
		return auth.RequireUser(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if middleware.CurrentUser(r.Context()) != nil {
				*known++
			}
		})), w.Result().Cookies()
	}},
	{"gorilla_CookieStore", func(tb testing.TB, known *int) (http.Handler, []*http.Cookie) {
		s := sessions.NewCookieStore([]byte(rand.Text() + rand.Text())[:32])
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		v, err := s.Get(r, "session")
		if err != nil {
			tb.Fatal(err)
		}
		v.Values["user"], v.Values["name"] = "1", "Ada"
		if err := v.Save(r, w); err != nil {
			tb.Fatal(err)
		}
		type user struct{}
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Context().Value(user{}) != nil {
				*known++
			}
		})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if v, err := s.Get(r, "session"); err == nil && v.Values["user"] != nil {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), user{}, v.Values["user"])))
			}
		}), w.Result().Cookies()
	}},
	{"scs_memstore", func(tb testing.TB, known *int) (http.Handler, []*http.Cookie) {
		m := scs.New()
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "user", "1")
			m.Put(r.Context(), "name", "Ada")
		})).ServeHTTP(w, r)
		return m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if m.GetString(r.Context(), "user") != "" {
				*known++
			}
		})), w.Result().Cookies()
	}},
}

// serve returns what serves one request of somebody who is logged in.
func (way way) serve(tb testing.TB, known *int) func() {
	tb.Helper()
	h, cookies := way.new(tb, known)
	if len(cookies) == 0 {
		tb.Fatal("nobody is logged in")
	}
	// A request of its own each time, because gorilla keeps what it has read.
	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
	var all []string
	for _, c := range cookies {
		all = append(all, c.Name+"="+c.Value)
	}
	r.Header.Set("Cookie", strings.Join(all, "; "))
	w := &sink{http.Header{}}
	return func() {
		clear(w.h)
		h.ServeHTTP(w, r.WithContext(r.Context()))
	}
}

// BenchmarkToday is a request of somebody who was seen a moment ago, as apps have
// it today, beside package middleware. Each way takes turns with that.
func BenchmarkToday(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			var known int
			ours, theirs := ways[0].serve(b, &known), way.serve(b, &known)
			const many = 2000
			var least [2]time.Duration
			for first := true; b.Loop(); first = false {
				for i, f := range []func(){ours, theirs} {
					begun := time.Now()
					for range many {
						f()
					}
					if took := time.Since(begun); first || took < least[i] {
						least[i] = took
					}
				}
			}
			b.ReportMetric(float64(least[1])/many, "ns/op")
			b.ReportMetric(float64(least[1])/float64(least[0]), "x-gatepass")
			b.ReportMetric(testing.AllocsPerRun(100, theirs), "allocs")
		})
	}
}

func TestWaysFindTheUser(t *testing.T) {
	for _, way := range ways {
		var known int
		serve := way.serve(t, &known)
		for range 3 {
			serve()
		}
		if known != 3 {
			t.Errorf("%s: %d of 3 requests had a user", way.name, known)
		}
	}
}
