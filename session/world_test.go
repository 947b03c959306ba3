package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
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

// A backend is a memstore that counts, fails and waits as it is told.
type backend struct {
	*memstore.Store

	mu    sync.Mutex
	calls map[string]int
	fail  map[string]error
	once  map[string]error  // what the next call of that name returns
	after map[string]func() // called when the answer is known, before it is given
}

func newBackend(c *clock) *backend {
	b := &backend{Store: memstore.New(), calls: map[string]int{}, fail: map[string]error{}, once: map[string]error{}, after: map[string]func(){}}
	b.Store.Now = c.now
	return b
}

func (b *backend) call(op string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[op]++
	if err := b.once[op]; err != nil {
		delete(b.once, op)
		return err
	}
	return b.fail[op]
}

func (b *backend) done(op string) {
	b.mu.Lock()
	f := b.after[op]
	b.mu.Unlock()
	if f != nil {
		f()
	}
}

// count returns how often one of the ops was called; all, if none is named.
func (b *backend) count(ops ...string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for op, calls := range b.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}

func (b *backend) failAt(op string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail[op] = err
}

func (b *backend) failOnce(op string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.once[op] = err
}

func (b *backend) onAnswer(op string, f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after[op] = f
}

func (b *backend) CreateSession(ctx context.Context, s *store.Session) error {
	if err := b.call("CreateSession"); err != nil {
		return err
	}
	err := b.Store.CreateSession(ctx, s)
	b.done("CreateSession")
	return err
}

func (b *backend) Session(ctx context.Context, id string) (*store.Session, error) {
	if err := b.call("Session"); err != nil {
		return nil, err
	}
	s, err := b.Store.Session(ctx, id)
	b.done("Session")
	return s, err
}

func (b *backend) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	if err := b.call("SessionUser"); err != nil {
		return nil, nil, err
	}
	s, u, err := b.Store.SessionUser(ctx, id)
	b.done("SessionUser")
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	return s, u, err
}

func (b *backend) UserSessions(ctx context.Context, userID string) ([]store.Session, error) {
	if err := b.call("UserSessions"); err != nil {
		return nil, err
	}
	return b.Store.UserSessions(ctx, userID)
}

func (b *backend) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	if err := b.call("TouchSession"); err != nil {
		return err
	}
	return b.Store.TouchSession(ctx, id, seen, expires)
}

func (b *backend) DeleteSession(ctx context.Context, id string) error {
	if err := b.call("DeleteSession"); err != nil {
		return err
	}
	return b.Store.DeleteSession(ctx, id)
}

func (b *backend) DeleteUserSessions(ctx context.Context, userID, except string) error {
	if err := b.call("DeleteUserSessions"); err != nil {
		return err
	}
	return b.Store.DeleteUserSessions(ctx, userID, except)
}

func (b *backend) Mark(ctx context.Context, id string, until time.Time) error {
	if err := b.call("Mark"); err != nil {
		return err
	}
	return b.Store.Mark(ctx, id, until)
}

func (b *backend) DeleteExpired(ctx context.Context) error {
	err := b.call("DeleteExpired")
	b.done("DeleteExpired")
	return err
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
