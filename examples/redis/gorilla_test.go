package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/boj/redistore"
	"github.com/gatepass/gatepass/examples/redis/internal/wire"
	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	redigo "github.com/gomodule/redigo/redis"
	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"
)

// A plugged world keeps the browser's half of sessions in a gorilla store that is
// in Redis.
type plugged struct {
	*testing.T
	m      *session.Manager
	cfg    session.Config
	wire   *wire.Wire
	prefix string
	user   *store.User
	client *redis.Client
}

func newPlugged(t *testing.T) *plugged {
	opts, err := redis.ParseURL(server(t, "GATEPASS_REDIS"))
	if err != nil {
		t.Fatal(err)
	}
	p := &plugged{T: t, wire: new(wire.Wire), prefix: t.Name() + "_", client: redis.NewClient(opts), user: &store.User{Name: "Ada"}}
	t.Cleanup(func() {
		p.client.Del(context.Background(), append(p.keys(), "none")...)
		p.client.Close()
	})
	pool := &redigo.Pool{MaxIdle: 4, Dial: func() (redigo.Conn, error) {
		return redigo.Dial("tcp", opts.Addr, redigo.DialContextFunc(func(ctx context.Context, network, addr string) (net.Conn, error) {
			return p.wire.Dial(ctx, network, addr)
		}))
	}}
	t.Cleanup(func() { pool.Close() })
	plug, err := redistore.NewRediStoreWithPool(pool, []byte("gQ4vXn8RkT2wYc6ZsJ0bLh5MdFp9UeAi"))
	if err != nil {
		t.Fatal(err)
	}
	plug.SetKeyPrefix(p.prefix)
	// Set up as wrongly as it allows.
	plug.Options = &sessions.Options{Path: "/elsewhere", Domain: "example.com", MaxAge: 60, SameSite: http.SameSiteNoneMode, Partitioned: true}
	users := memstore.New()
	if err := users.CreateUser(t.Context(), p.user, &store.Account{Key: store.Key{Provider: "test", Subject: "17"}}); err != nil {
		t.Fatal(err)
	}
	p.cfg = session.Config{Store: users, Users: users, Secret: secret, Cookies: plug, Cache: -1}
	if p.m, err = session.New(p.cfg); err != nil {
		t.Fatal(err)
	}
	return p
}

// keys are those of the gorilla sessions that there are.
func (p *plugged) keys() []string {
	p.Helper()
	keys, err := p.client.Keys(context.Background(), p.prefix+"*").Result()
	if err != nil {
		p.Fatal(err)
	}
	return keys
}

// do answers a request that has the cookie, and returns the one after it and the
// answer.
func (p *plugged) do(cookie string, f func(http.ResponseWriter, *http.Request) error) (string, http.Header, error) {
	r := httptest.NewRequestWithContext(p.Context(), http.MethodPost, "https://app.example.com/", nil)
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: cookie})
	}
	w := httptest.NewRecorder()
	err := f(w, r)
	for _, c := range w.Result().Cookies() {
		cookie = c.Value
	}
	return cookie, w.Header(), err
}

func (p *plugged) begin(w http.ResponseWriter, r *http.Request) error {
	return p.m.Begin(w, r, &store.Session{UserID: p.user.ID, AuthTime: time.Now()})
}

func (p *plugged) find(_ http.ResponseWriter, r *http.Request) error {
	f, err := p.m.Resolve(r)
	if err == nil && f.User.ID != p.user.ID {
		err = errors.New("found somebody else")
	}
	return err
}

func (p *plugged) login(before string) string {
	p.Helper()
	cookie, h, err := p.do(before, p.begin)
	if err != nil {
		p.Fatal(err)
	}
	want := "__Host-session=" + cookie + "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"
	if lines := h["Set-Cookie"]; len(lines) != 1 || lines[0] != want {
		p.Errorf("got cookies %q, want %q", lines, want)
	}
	return cookie
}

func (p *plugged) want(what, cookie string, want error) {
	p.Helper()
	if _, _, err := p.do(cookie, p.find); !errors.Is(err, want) {
		p.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func TestGorillaStoreInRedis(t *testing.T) {
	p := newPlugged(t)
	p.want("a visitor", "", session.ErrNone)
	first := p.login("")
	p.want("after the login", first, nil)

	renewed, _, err := p.do(first, p.m.Renew)
	if err != nil || renewed == first {
		t.Fatalf("Renew: got error %v", err)
	}
	p.want("after Renew", renewed, nil)
	p.want("the cookie before Renew", first, session.ErrNone)

	again := p.login(renewed)
	p.want("after another login", again, nil)
	p.want("the cookie before it", renewed, session.ErrNone)
	if keys := p.keys(); len(keys) != 1 {
		t.Errorf("got keys %q, want one", keys)
	}

	_, h, err := p.do(again, p.m.End)
	if got := strings.Join(h["Set-Cookie"], "\n"); err != nil || got != "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("logout: got cookie %q, error %v", got, err)
	}
	p.want("after the logout", again, session.ErrNone)
	if keys := p.keys(); len(keys) != 0 {
		t.Errorf("after the logout: got keys %q, want none", keys)
	}
}

// The gorilla store would keep the ID that the browser sends, also of a session
// that was deleted: whoever knew it would be logged in with whoever comes next.
func TestGorillaStoreInRedisAdoptsNoID(t *testing.T) {
	p := newPlugged(t)
	known := p.login("")
	if err := p.client.Del(t.Context(), p.keys()...).Err(); err != nil {
		t.Fatal(err)
	}
	p.want("whose key was deleted", known, session.ErrNone)
	next := p.login(known)
	if next == known {
		t.Error("the login after it has the same cookie")
	}
	p.want("after the login", next, nil)
	p.want("the cookie from before the login", known, session.ErrNone)
}

func TestGorillaStoreInRedisIsDown(t *testing.T) {
	p := newPlugged(t)
	cookie := p.login("")
	auth, err := middleware.New(middleware.Config{
		BaseURL: "https://app.example.com", Secret: secret, Store: p.cfg.Store.(store.Store), Logger: slog.New(slog.DiscardHandler),
		Session: session.Config{Cookies: p.cfg.Cookies},
	}, providertest.NewServer(t).Provider())
	if err != nil {
		t.Fatal(err)
	}
	p.wire.Cut()
	for what, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"find": p.find, "begin": p.begin, "renew": p.m.Renew, "end": p.m.End,
	} {
		_, h, err := p.do(cookie, f)
		var e *session.Error
		if !errors.As(err, &e) || errors.Is(err, session.ErrNone) || e.Reason != "cookies" || len(h) != 0 {
			t.Errorf("%s: got error %v and header %v, want one with the reason cookies and no header", what, err, h)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example.com/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: cookie})
	w := httptest.NewRecorder()
	auth.RequireUser(http.HandlerFunc(home)).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || len(w.Header()["Set-Cookie"]) != 0 {
		t.Errorf("a page: got %d and cookies %q, want 503 and none", w.Code, w.Header()["Set-Cookie"])
	}
	p.wire.Mend()
	p.want("once Redis is back", cookie, nil)
}
