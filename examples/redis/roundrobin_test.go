package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider/providertest"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// layouts says where things may be that processes share.
var layouts = []struct {
	name  string
	db    func(testing.TB) string
	redis bool
}{
	{"sessions in Redis, users in PostgreSQL", schema, true},
	{"sessions in Redis, users in SQLite", file, true},
	{"everything in PostgreSQL", schema, false},
	{"everything in SQLite", file, false},
}

func file(tb testing.TB) string { return filepath.Join(tb.TempDir(), "app.db") }

// server returns what a variable says of a server. Without one there is nothing
// to test, which on a machine that checks everything is a fault.
func server(tb testing.TB, variable string) string {
	tb.Helper()
	text := os.Getenv(variable)
	if text == "" {
		say := tb.Skipf
		if os.Getenv("CI") == "true" {
			say = tb.Fatalf
		}
		say("%s is not set; ./with-servers go test ./... starts a server and sets it", variable)
	}
	return text
}

// schema makes an empty schema, which goes when the test ends, and returns its
// DSN.
func schema(tb testing.TB) string {
	tb.Helper()
	dsn := server(tb, "GATEPASS_POSTGRES")
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	name := "gatepass_test_" + strings.ToLower(rand.Text())
	if err := db.Exec("CREATE SCHEMA " + name).Error; err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Exec("DROP SCHEMA " + name + " CASCADE").Error; err != nil {
			tb.Error(err)
		}
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
	})
	return dsn + " search_path=" + name
}

// A world has two processes of the app in it, what is before them, and the
// service.
type world struct {
	testing.TB
	service  *providertest.Server
	balancer *balancer
	url      string
	args     []string
}

func newWorld(t *testing.T, db string, redis bool) *world {
	w := &world{TB: t, service: providertest.NewServer(t), balancer: &balancer{}}
	front := httptest.NewServer(w.balancer)
	t.Cleanup(front.Close)
	w.url = front.URL
	w.args = []string{"-url", w.url, "-db", db, "-service", w.service.URL}
	if redis {
		w.args = append(w.args, "-redis", server(t, "GATEPASS_REDIS"))
	}
	w.balancer.all = []*process{start(t, w.args...), start(t, w.args...)}
	return w
}

func eachLayout(t *testing.T, f func(t *testing.T, w *world)) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) { f(t, newWorld(t, l.db(t), l.redis)) })
	}
}

// A browser is one person's.
type browser struct {
	w      *world
	person string
	http.Client
}

func (w *world) browser(person string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	return &browser{w, person, http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An answer is what a browser got.
type answer struct {
	status           int
	body, by, follow string
}

func (a answer) String() string { return fmt.Sprintf("%d %q from %s", a.status, a.body, a.by) }

func (b *browser) do(method, path string) answer {
	b.w.Helper()
	r, err := http.NewRequestWithContext(b.w.Context(), method, b.w.url+path, nil)
	if err != nil {
		b.w.Fatal(err)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (test)")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := b.Do(r)
	if err != nil {
		b.w.Error(err)
		return answer{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{status: http.StatusBadGateway} // the process died in the middle of it
	}
	return answer{resp.StatusCode, string(body), resp.Header.Get(servedBy), resp.Header.Get("Location")}
}

// begin begins a login, and returns the path at which the service sends the
// browser back, and who began it.
func (b *browser) begin() (callback, by string) {
	b.w.Helper()
	a := b.do(http.MethodGet, "/auth/login/test")
	if a.status != http.StatusSeeOther && a.status != http.StatusFound {
		b.w.Fatalf("begin: got %v, want a redirect", a)
	}
	params, err := b.w.service.AuthorizeAs(a.follow, map[string]any{"sub": b.person, "name": b.person})
	if err != nil {
		b.w.Fatal(err)
	}
	return "/auth/callback/test?" + params.Encode(), a.by
}

func (b *browser) login() {
	b.w.Helper()
	callback, began := b.begin()
	if a := b.do(http.MethodGet, callback); a.status != http.StatusSeeOther || a.by == began {
		b.w.Fatalf("the callback of a login that %s began: got %v, want that the other one logs in", began, a)
	}
}

func (b *browser) greeted(a answer) bool {
	return a.status == http.StatusOK && a.body == "Hello, "+b.person+"!\n"
}

// wantEverywhere fails unless every process greets the person.
func (b *browser) wantEverywhere() {
	b.w.Helper()
	seen := map[string]bool{}
	for range b.w.balancer.all {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodGet} {
			a := b.do(method, "/")
			if !b.greeted(a) {
				b.w.Errorf("%s: got %v, want that %s is greeted", method, a, b.person)
			}
			seen[a.by] = true
		}
	}
	if len(seen) != len(b.w.balancer.all) {
		b.w.Errorf("%d processes answered, want %d", len(seen), len(b.w.balancer.all))
	}
}

// at asks one process, past the balancer.
func (b *browser) at(p *process, method string) answer {
	b.w.Helper()
	only := *b
	only.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Host = r.URL.Host
		r.URL.Host = p.url.Host
		return http.DefaultTransport.RoundTrip(r)
	})
	return only.do(method, "/")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// copied returns a browser that has the same cookies, also those that b gives up.
func (b *browser) copied() *browser {
	c := b.w.browser(b.person)
	u, err := url.Parse(b.w.url)
	if err != nil {
		b.w.Fatal(err)
	}
	c.Jar.SetCookies(u, b.Jar.Cookies(u))
	return c
}

func TestTwoProcesses(t *testing.T) {
	eachLayout(t, func(t *testing.T, w *world) {
		ada, bob := w.browser("Ada"), w.browser("Bob")
		bob.login()
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			w.balancer.turn++ // each process begins a login and ends one
			ada.login()
			ada.wantEverywhere()
			copied := ada.copied()
			copied.wantEverywhere() // both have just seen her, and may remember that for a second
			out := ada.do(http.MethodPost, "/auth/logout")
			if out.status != http.StatusSeeOther {
				t.Fatalf("logout: got %v, want a redirect", out)
			}
			began := time.Now()
			for _, p := range w.balancer.all {
				a, asked := answer{}, time.Duration(0)
				for again := true; again; again = copied.greeted(a) {
					asked = time.Since(began)
					a = copied.at(p, method)
					if copied.greeted(a) && (method == http.MethodPost || p.url.Host == out.by || asked > time.Second) {
						t.Errorf("%s at %s, %v after a logout at %s: got %v", method, p.url.Host, asked, out.by, a)
						break
					}
				}
				if a.status == http.StatusServiceUnavailable || a.status == http.StatusBadGateway {
					t.Errorf("%s after a logout: got %v, want a visitor's answer", method, a)
				}
			}
		}
		bob.wantEverywhere()
	})
}

func TestProcessDiesInALogin(t *testing.T) {
	eachLayout(t, func(t *testing.T, w *world) {
		ada, bob := w.browser("Ada"), w.browser("Bob")
		bob.login()
		callback, by := ada.begin()
		dead := w.balancer.all[0]
		if dead.url.Host != by {
			dead = w.balancer.all[1]
		}
		dead.kill()
		w.balancer.replace(dead, start(w, w.args...))
		copied := ada.copied()
		if a := ada.do(http.MethodGet, callback); a.status != http.StatusSeeOther || a.by == by {
			t.Fatalf("the callback of a login whose process died: got %v, want a redirect", a)
		}
		ada.wantEverywhere()
		bob.wantEverywhere()
		// Once only, at whichever process.
		for range w.balancer.all {
			if a := copied.do(http.MethodGet, callback); a.status == http.StatusSeeOther {
				t.Errorf("the same callback again: got %v, want that it is refused", a)
			}
		}
	})
}

func TestProcessDiesInUse(t *testing.T) {
	eachLayout(t, func(t *testing.T, w *world) {
		var people []*browser
		for _, name := range []string{"Ada", "Bob", "Cay", "Dee"} {
			b := w.browser(name)
			b.login()
			people = append(people, b)
		}
		for _, dead := range w.balancer.all {
			ctx, stop := context.WithCancel(t.Context())
			var pages atomic.Int64
			busy := make(chan struct{})
			var all sync.WaitGroup
			for _, b := range people {
				all.Go(func() {
					for ctx.Err() == nil {
						for _, method := range []string{http.MethodGet, http.MethodPost} {
							// A request may die with its process. Nobody is taken for a visitor.
							if a := b.do(method, "/"); !b.greeted(a) && a.status != http.StatusBadGateway {
								t.Errorf("%s: got %v, want that %s is greeted", method, a, b.person)
							}
						}
						if pages.Add(1) == 20 {
							close(busy)
						}
					}
				})
			}
			<-busy
			dead.kill()
			w.balancer.replace(dead, nil)
			next := start(w, w.args...)
			w.balancer.replace(dead, next)
			stop()
			all.Wait()
			for _, b := range people {
				b.wantEverywhere()
			}
		}
	})
}
