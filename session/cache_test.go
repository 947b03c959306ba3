package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

func TestCache(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	want := func(method string, queries int) {
		t.Helper()
		before := w.store.count()
		if _, err := w.m.Resolve(b.request(method)); err != nil {
			t.Fatal(err)
		}
		if got := w.store.count() - before; got != queries {
			t.Errorf("%s: got %d queries, want %d", method, got, queries)
		}
	}
	want("GET", 1)
	for range 20 {
		want("GET", 0)
		want("HEAD", 0)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"} {
		want(method, 1)
	}
	w.clock.add(999 * time.Millisecond)
	want("GET", 0) // what a POST read is good for a GET as well
	w.clock.add(time.Millisecond)
	want("GET", 1)
	before := w.store.count()
	if _, err := w.m.ResolveNow(b.request("GET")); err != nil || w.store.count() != before+1 {
		t.Errorf("ResolveNow: got %v and %d queries", err, w.store.count()-before)
	}
	if _, err := w.m.Find(b.request("GET")); err != nil || w.store.count() != before+2 {
		t.Errorf("Find: got %v and %d queries", err, w.store.count()-before)
	}
}

func TestCacheOff(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.Cache = -1 }), newBrowser(t)
	w.login(b)
	for i := range 3 {
		w.wantUser(b, w.m)
		if got := w.store.count("SessionUser"); got != i+1 {
			t.Errorf("got %d queries, want %d", got, i+1)
		}
	}
	if err := b.clone().do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	w.wantNone(b, w.m)
}

// A write that learns of a revocation elsewhere tells the reads that follow.
func TestWriteCorrectsTheCache(t *testing.T) {
	w, b := newWorld(t, elsewhere), newBrowser(t)
	s := w.login(b)
	w.wantUser(b, w.m)
	if err := w.store.Store.DeleteSession(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	w.wantUser(b, w.m)
	if _, err := w.m.Resolve(b.request("POST")); !errors.Is(err, session.ErrNone) {
		t.Fatalf("got %v", err)
	}
	w.wantNone(b, w.m)
}

// A record that was read before the session ended must not be put into the
// cache after it, nor be given to a request that came later.
func TestRevocationAgainstFill(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser, s *store.Session) error{
		"End":    func(w *world, b *browser, _ *store.Session) error { return b.clone().do("POST", w.m.End) },
		"Revoke": func(w *world, _ *browser, s *store.Session) error { return w.m.Revoke(w.t.Context(), s.ID) },
		"EndAll": func(w *world, _ *browser, _ *store.Session) error { return w.m.EndAll(w.t.Context(), w.user.ID, "") },
		"Begin": func(w *world, b *browser, _ *store.Session) error {
			w.login(b.clone())
			return nil
		},
		"Renew": func(w *world, b *browser, _ *store.Session) error {
			// Renew asks as well; only the first question is held up.
			return b.clone().do("POST", w.m.Renew)
		},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" against "+method, func(t *testing.T) {
				w, b := newWorld(t), newBrowser(t)
				s := w.login(b)
				read, release := make(chan struct{}), make(chan struct{})
				var first atomic.Bool
				w.store.onAnswer("SessionUser", func() {
					if first.CompareAndSwap(false, true) {
						close(read)
						<-release
					}
				})
				slow := make(chan error, 1)
				go func() {
					_, err := w.m.Resolve(b.request(method))
					slow <- err
				}()
				<-read
				if err := end(w, b, s); err != nil {
					t.Fatal(err)
				}
				// The slow question still is under way: nobody joins it.
				if _, err := w.m.Resolve(b.request("GET")); !errors.Is(err, session.ErrNone) {
					t.Errorf("meanwhile: got %v, want ErrNone", err)
				}
				close(release)
				if err := <-slow; err != nil {
					t.Errorf("a request from before: got %v", err)
				}
				if _, err := w.m.Resolve(b.request("GET")); !errors.Is(err, session.ErrNone) {
					t.Errorf("afterwards: got %v, want ErrNone", err)
				}
			})
		}
	}
}

// A page's requests at once make one query, even if the first of them is given
// up.
func TestOneQueryForAll(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	const n = 20
	read, release := make(chan struct{}), make(chan struct{})
	w.store.onAnswer("SessionUser", sync.OnceFunc(func() { close(read); <-release }))
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, n)
	resolve := func(r *http.Request) {
		f, err := w.m.Resolve(r)
		if err == nil && f.User.ID != w.user.ID {
			err = errors.New("another user")
		}
		answers <- err
	}
	go resolve(b.request("GET").WithContext(ctx))
	<-read
	cancel()
	waiting := make(chan struct{}, n)
	for range n - 2 {
		r := b.request("GET")
		go resolve(r.WithContext(&announcing{r.Context(), waiting}))
	}
	for range n - 2 {
		<-waiting
	}
	// One that gives up waiting says so, and is not taken for a visitor.
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := w.m.Resolve(b.request("GET").WithContext(gone)); !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrNone) {
		t.Errorf("given up: got %v", err)
	}
	answers <- nil
	close(release)
	for range n {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if got := w.store.count("SessionUser"); got != 1 {
		t.Errorf("got %d queries, want 1", got)
	}
}

// An announcing context tells that someone waits for its end.
type announcing struct {
	context.Context
	waiting chan struct{}
}

func (a *announcing) Done() <-chan struct{} {
	a.waiting <- struct{}{}
	return a.Context.Done()
}

func TestStoreThatPanics(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	read, release := make(chan struct{}), make(chan struct{})
	w.store.onAnswer("SessionUser", func() {
		w.store.onAnswer("SessionUser", nil)
		close(read)
		<-release
		panic("store")
	})
	panicked := make(chan any, 1)
	go func() {
		defer func() { panicked <- recover() }()
		_, _ = w.m.Resolve(b.request("GET"))
	}()
	<-read
	waiting, answer := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		r := b.request("GET")
		_, err := w.m.Resolve(r.WithContext(&announcing{r.Context(), waiting}))
		answer <- err
	}()
	<-waiting
	close(release)
	if got := <-panicked; got != "store" {
		t.Errorf("got panic %v", got)
	}
	if err := <-answer; err == nil || errors.Is(err, session.ErrNone) {
		t.Errorf("who waited got %v, want an error", err)
	}
	w.wantUser(b, w.m)
}

// More sessions than the cache has room for are found all the same. Room is by
// the first bytes of the key: in a place for eight there are a thousand.
func TestCacheOverflow(t *testing.T) {
	w, ours := newWorld(t), newSchedule(secretA, audience)
	m := w.manager(func(c *session.Config) { c.Store, c.Users = anyone{w}, anyone{w} })
	r := httptest.NewRequest("GET", "/", nil)
	const n = 1000
	for _, test := range []struct {
		name        string
		prefix      int
		least, most int
	}{
		{"in one place", 2, 0, 8},
		{"everywhere", 0, n * 99 / 100, n},
	} {
		before := w.store.count("anyone")
		for round := range 2 {
			for i := range n {
				random := hmacSum([]byte(test.name), []byte{byte(i), byte(i >> 8)})
				copy(random[:test.prefix], "same")
				r.Header["Cookie"] = []string{cookieName + "=" + ours.token(random)}
				f, err := m.Resolve(r)
				if err != nil || f.Session.ID != sessionID(random) {
					t.Fatalf("%s, round %d, session %d: got %v, %v", test.name, round, i, f.Session, err)
				}
				asked := w.store.count("anyone")
				if _, err := m.Resolve(r); err != nil || w.store.count("anyone") != asked {
					t.Fatalf("%s, round %d, session %d: asked again at once", test.name, round, i)
				}
			}
		}
		if hits := 2*n - (w.store.count("anyone") - before); hits < test.least || hits > test.most {
			t.Errorf("%s: %d of %d were in the cache, want %d to %d", test.name, hits, n, test.least, test.most)
		}
	}
}

// In anyone every session is there, and is the world's user's.
type anyone struct{ *world }

func (a anyone) Session(_ context.Context, id string) (*store.Session, error) {
	return &store.Session{ID: id, UserID: a.user.ID, CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(time.Hour)}, nil
}

func (a anyone) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	_ = a.store.call("anyone")
	s, err := a.Session(ctx, id)
	return s, a.user, err
}

func (a anyone) User(context.Context, string) (*store.User, error)                { return a.user, nil }
func (a anyone) UpdateUser(context.Context, *store.User) error                    { return errDown }
func (a anyone) UserByEmail(context.Context, string) (*store.User, error)         { return nil, errDown }
func (a anyone) DeleteUser(context.Context, string) error                         { return errDown }
func (a anyone) CreateSession(context.Context, *store.Session) error              { return errDown }
func (a anyone) UserSessions(context.Context, string) ([]store.Session, error)    { return nil, errDown }
func (a anyone) TouchSession(context.Context, string, time.Time, time.Time) error { return errDown }
func (a anyone) DeleteSession(context.Context, string) error                      { return nil }
func (a anyone) DeleteUserSessions(context.Context, string, string) error         { return nil }
func (a anyone) Mark(context.Context, string, time.Time) error                    { return errDown }
func (a anyone) DeleteExpired(context.Context) error                              { return errDown }

// Logging out while a hundred requests of the page are under way.
func TestLogoutAmongRequests(t *testing.T) {
	for range 20 {
		w, b := newWorld(t), newBrowser(t)
		s := w.login(b)
		w.clock.add(2 * time.Minute)
		r := b.request("GET") // one request in all goroutines: Resolve must not write to it
		post := b.request("POST")
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 100 {
			wg.Go(func() {
				<-start
				q := r
				if i%5 == 0 {
					q = post
				}
				f, err := w.m.Resolve(q)
				if err != nil && !errors.Is(err, session.ErrNone) {
					t.Error(err)
				}
				if err == nil {
					w.m.Touch(httptest.NewRecorder(), q, f)
				}
			})
		}
		wg.Go(func() {
			<-start
			if err := w.m.End(httptest.NewRecorder(), post); err != nil {
				t.Error(err)
			}
			if _, err := w.m.Resolve(r); !errors.Is(err, session.ErrNone) {
				t.Errorf("right after the logout: got %v", err)
			}
		})
		close(start)
		wg.Wait()
		w.wantNone(b, w.m)
		if _, err := w.store.Store.Session(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("the session is back: %v", err)
		}
	}
}
