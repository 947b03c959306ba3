package session_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

const (
	secretA = "Zf3xQ9rT1mVb7LkWc5Hs0JpYd8NgUa2E"
	secretB = "mB6wRz1TqXo9CvKe4Sh7Yj0LdPf3GnUi"
	secretC = "t0Gq8EoVn5Ax2ZcJw7RbKs4MyHd1LfPu"

	audience = "https://app.example.com/auth"
)

var (
	noon = time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)
	b64  = base64.RawURLEncoding
)

// A clock goes when it is told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// A process is a store as another process has it: it does not hear of what is
// changed here.
type process struct{ *backend }

// Watch is not that of a [store.Watcher].
func (process) Watch() {}

func elsewhere(c *session.Config) {
	p := process{c.Store.(*backend)}
	c.Store, c.Users = p, p
}

// least makes the store one that can do no more than it must.
func least(c *session.Config) { c.Store = struct{ store.Sessions }{c.Store} }

// A lister is a store that does not count sessions: a login asks for the list.
type lister struct{ *backend }

// CreateCounted is not that of a [store.SessionCounter].
func (lister) CreateCounted() {}

func listing(c *session.Config) {
	if b, ok := c.Store.(*backend); ok {
		c.Store, c.Users = lister{b}, lister{b}
	} else {
		c.Store = struct{ store.SessionReplacer }{c.Store.(store.SessionReplacer)}
	}
}

// atOnceAndInSteps runs f with a store that replaces sessions in one step and
// counts them, with one that does not count, and with one that can neither.
func atOnceAndInSteps(t *testing.T, f func(t *testing.T, kind func(*session.Config))) {
	t.Run("at once", func(t *testing.T) { f(t, func(*session.Config) {}) })
	t.Run("uncounted", func(t *testing.T) { f(t, listing) })
	t.Run("in steps", func(t *testing.T) { f(t, least) })
}

var errDown = errors.New("the database is down")

// A world is a store with a user in it, a clock, and a Manager.
type world struct {
	t     testing.TB
	clock *clock
	store *backend
	user  *store.User
	cfg   session.Config
	m     *session.Manager
}

func newWorld(t testing.TB, change ...func(*session.Config)) *world {
	t.Helper()
	c := &clock{t: noon}
	b := newBackend(c)
	w := &world{t: t, clock: c, store: b, cfg: session.Config{
		Store: b, Users: b, Secret: secretA, Audience: audience, Now: c.now,
	}}
	for _, f := range change {
		f(&w.cfg)
	}
	w.user = w.newUser("ada")
	w.m = w.manager()
	return w
}

func (w *world) newUser(name string) *store.User {
	w.t.Helper()
	u := &store.User{Name: name}
	if err := w.store.CreateUser(w.t.Context(), u, &store.Account{Key: store.Key{Provider: "test", Subject: name}}); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// manager makes another Manager over the same store and clock, set up like the
// world's but for the changes.
func (w *world) manager(change ...func(*session.Config)) *session.Manager {
	w.t.Helper()
	cfg := w.cfg
	for _, f := range change {
		f(&cfg)
	}
	m, err := session.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// login begins a session of the world's user in b.
func (w *world) login(b *browser) *store.Session {
	w.t.Helper()
	return w.loginAs(b, w.m, w.user)
}

func (w *world) loginAs(b *browser, m *session.Manager, u *store.User) *store.Session {
	w.t.Helper()
	s := &store.Session{UserID: u.ID, Key: store.Key{Provider: "test", Subject: u.Name}, AuthTime: w.clock.now()}
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return m.Begin(rw, r, s) }); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) wantUser(b *browser, m *session.Manager) session.Found {
	w.t.Helper()
	f, err := m.Resolve(b.request("GET"))
	if err != nil {
		w.t.Fatalf("got error %v, want a session", err)
	}
	if f.User == nil || f.User.ID != f.Session.UserID {
		w.t.Fatalf("got user %v with a session of %q", f.User, f.Session.UserID)
	}
	return f
}

func (w *world) wantNone(b *browser, m *session.Manager) {
	w.t.Helper()
	for _, method := range []string{"GET", "HEAD", "POST"} {
		if f, err := m.Resolve(b.request(method)); !errors.Is(err, session.ErrNone) {
			w.t.Fatalf("%s: got %v, %v, want ErrNone", method, f, err)
		}
	}
	if s, err := m.Find(b.request("GET")); !errors.Is(err, session.ErrNone) {
		w.t.Fatalf("Find: got %v, %v, want ErrNone", s, err)
	}
}

func wantReason(t testing.TB, err error, reason string) {
	t.Helper()
	var e *session.Error
	if !errors.As(err, &e) || e.Reason != reason {
		t.Fatalf("got error %v, want reason %s", err, reason)
	}
}
