package middleware_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/memstore"
	"gorm.io/driver/sqlite"
)

// BenchmarkGoals is what a request costs, beside the least that the same could
// cost. Where the time goes:
//
//	go test -run '^$' -bench 'Goals/seen.*/sessions=1$/goroutines=1$' -cpuprofile cpu.out -o middleware.test ./middleware
//	go tool pprof -top -cum -focus RequireUser middleware.test cpu.out
//
// Of RequireUser, three tenths go to the memory of the request's copy and its
// context, which net/http asks for; a sixth to base64, a tenth each to the clock,
// to the search for the cookie and to the headers Vary and Cache-Control. The
// cache itself is too quick to show.
func BenchmarkGoals(b *testing.B) {
	b.Run("seen a moment ago", benchSeen)
	b.Run("handler asks", benchUser)
	b.Run("not in the cache", benchMiss)
	b.Run("no cookie", benchVisitor)
	b.Run("refused", benchRefused)
	b.Run("services=240", benchServices)
	b.Run("begin a login", benchBegin)
	b.Run("callback", benchCallback)
}

// sink is a ResponseWriter that keeps nothing between requests.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// serving is what h does with one request after the other.
func serving(h http.Handler, requests ...*http.Request) func() func(i int) {
	return func() func(i int) {
		w := &sink{h: make(http.Header)}
		return func(i int) {
			clear(w.h)
			h.ServeHTTP(w, requests[i%len(requests)])
		}
	}
}

// standing is a clock that costs what time.Now costs and stands still, so that
// what was seen a moment ago stays so, however long a benchmark takes.
func standing() func() time.Time {
	t := time.Now()
	return func() time.Time {
		_ = time.Now()
		return t
	}
}

func newAuth(b *testing.B, s store.Store, cfg session.Config, providers ...provider.Provider) *middleware.Auth {
	b.Helper()
	if providers == nil {
		providers = []provider.Provider{newFake("github")}
	}
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: s, Session: cfg}, providers...)
	if err != nil {
		b.Fatal(err)
	}
	return auth
}

// logIn returns requests of n sessions, with contexts that can end, as a server's
// do.
func logIn(b *testing.B, auth *middleware.Auth, n int) []*http.Request {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	var all []*http.Request
	for i := range n {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
		// Nobody has more than a hundred sessions.
		id := provider.Identity{Provider: "github", Subject: fmt.Sprint(i / 50), Name: "Ada"}
		if err := auth.LoginIdentity(w, r, id, provider.Token{}); err != nil {
			b.Fatal(err)
		}
		r = httptest.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/private", nil)
		for _, c := range w.Result().Cookies() {
			r.AddCookie(c)
		}
		if u, err := auth.User(r); err != nil || u.Name != "Ada" {
			b.Fatalf("got %v, %v", u, err)
		}
		all = append(all, r)
	}
	return all
}

func cookiesOf(requests []*http.Request) []string {
	all := make([]string, len(requests))
	for i, r := range requests {
		all[i] = r.Header.Get("Cookie")
	}
	return all
}

// benchSeen is RequireUser for sessions that were seen in the last second: of a
// million, a thousand.
func benchSeen(b *testing.B) {
	for _, sessions := range []int{1, 1000, 1_000_000} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			s := memstore.New()
			s.Now = standing()
			auth := newAuth(b, s, session.Config{Now: s.Now})
			requests := logIn(b, auth, min(sessions, 1000))
			p := newIdeal(cookiesOf(requests)...)
			others(b, s, p, sessions-len(requests))
			for _, goroutines := range []int{1, 8, 64} {
				b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
					beside(b, atOnce(goroutines, serving(p.serve(nothing), requests...)),
						atOnce(goroutines, serving(auth.RequireUser(nothing), requests...)))
				})
			}
		})
	}
}

// others adds n sessions to both.
func others(b *testing.B, s *memstore.Store, p *ideal, n int) {
	b.Helper()
	ctx, now := context.Background(), s.Now()
	err := s.Transact(ctx, func(tx store.Store) error {
		for i := range n {
			var id [32]byte
			copy(id[:], fmt.Sprint(i))
			p.shards[i%256].m[id] = &idealEntry{}
			v := store.Session{ID: fmt.Sprintf("%043d", i), UserID: fmt.Sprint(i), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
			if err := tx.CreateSession(ctx, &v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// benchUser is a handler that asks for itself.
func benchUser(b *testing.B) {
	auth := newAuth(b, memstore.New(), session.Config{Now: standing()})
	r := logIn(b, auth, 1)[0]
	p := newIdeal(r.Header.Get("Cookie"))
	beside(b, each(func() {
		if p.find(r) == nil {
			b.Fatal("nobody")
		}
	}), each(func() {
		if u, err := auth.User(r); err != nil || u == nil {
			b.Fatal(err)
		}
	}))
}

// benchMiss asks SQLite each time. The ideal is the same query, prepared.
func benchMiss(b *testing.B) {
	s, err := gormstore.Open(sqlite.Open(filepath.Join(b.TempDir(), "users.db")))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	db, err := s.DB().DB()
	if err != nil {
		b.Fatal(err)
	}
	// Without the cast, SQLite would plan it anew each time.
	stmt, err := db.Prepare(`SELECT s.user_id, s.provider, s.subject, s.sid, s.auth_time, s.reauthed, s.created_at, s.seen_at, s.expires_at,
		s.user_agent, s.ip, s.issuer, s.family, u.username, u.name, u.email, u.email_verified, u.avatar_url, u.locale, u.disabled, u.created_at, u.updated_at
		FROM gatepass_sessions s JOIN gatepass_users u ON u.id = s.user_id WHERE s.id = CAST(? AS text) AND s.expires_at > ?`)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stmt.Close() })
	// What is put into the cache is too old at once.
	auth := newAuth(b, s, session.Config{Cache: time.Nanosecond})
	r := logIn(b, auth, 1)[0]
	found, err := auth.Sessions().Find(r)
	if err != nil {
		b.Fatal(err)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		b.Run(method, func(b *testing.B) {
			r := r.Clone(r.Context())
			r.Method = method
			f := serving(auth.RequireUser(nothing), r)()
			beside(b, each(func() { b.Helper(); query(b, stmt, r.Context(), found.ID) }), each(func() { f(0) }))
		})
	}
}

func query(b *testing.B, stmt *sql.Stmt, ctx context.Context, id string) {
	var s store.Session
	var u store.User
	var auth, created, seen, expires int64
	if err := stmt.QueryRowContext(ctx, id, time.Now().UnixMicro()).Scan(&s.UserID, &s.Provider, &s.Subject, &s.SID, &auth,
		&s.Reauthed, &created, &seen, &expires, &s.UserAgent, &s.IP, &s.Issuer, &s.Family,
		&u.Username, &u.Name, &u.Email, &u.EmailVerified, &u.AvatarURL, &u.Locale, &u.Disabled, &u.CreatedAt, &u.UpdatedAt); err != nil {
		b.Fatal(err)
	}
}

// benchVisitor is a request of someone who is not logged in.
func benchVisitor(b *testing.B) {
	auth := newAuth(b, memstore.New(), session.Config{})
	p := newIdeal()
	for name, cookie := range map[string]string{"none at all": "", "others": "theme=dark; lang=en"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, baseURL+"/", nil)
			if cookie != "" {
				r.Header.Set("Cookie", cookie)
			}
			beside(b, atOnce(1, serving(p.load(nothing), r)), atOnce(1, serving(auth.LoadUser(nothing), r)))
		})
	}
}

// benchRefused is a request with a key that nobody was given.
func benchRefused(b *testing.B) {
	auth := newAuth(b, memstore.New(), session.Config{})
	good := logIn(b, auth, 1)[0].Header.Get("Cookie")
	p := newIdeal(good)
	for _, tt := range []struct{ name, cookie string }{
		{"wrong mark", good[:len(good)-4] + "AAAA"},
		{"wrong key", "__Host-session=" + strings.Repeat("A", 64)},
		{"20 B", "__Host-session=" + strings.Repeat("A", 20)},
		{"4 KB", "__Host-session=" + strings.Repeat("A", 4096)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, baseURL+"/", nil)
			r.Header.Set("Cookie", tt.cookie)
			beside(b, each(func() { p.find(r) }), each(func() {
				if _, err := auth.User(r); !errors.Is(err, middleware.ErrNoUser) {
					b.Fatalf("got %v, want ErrNoUser", err)
				}
			}))
		})
	}
}

// benchServices is RequireUser in an app with 240 services, beside the same with
// one.
func benchServices(b *testing.B) {
	var all []provider.Provider
	for i := range 240 {
		all = append(all, newFake(fmt.Sprintf("service%d", i)))
	}
	now := standing()
	one, many := newAuth(b, memstore.New(), session.Config{Now: now}), newAuth(b, memstore.New(), session.Config{Now: now}, append(all, newFake("github"))...)
	beside(b, atOnce(1, serving(one.RequireUser(nothing), logIn(b, one, 1)...)), atOnce(1, serving(many.RequireUser(nothing), logIn(b, many, 1)...)))
}
