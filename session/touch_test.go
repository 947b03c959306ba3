package session_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

func (w *world) touch(b *browser, m *session.Manager) {
	w.t.Helper()
	f := w.wantUser(b, m)
	_ = b.do("GET", func(rw http.ResponseWriter, r *http.Request) error { m.Touch(rw, r, f); return nil })
}

func TestTouchAtMostOnceAMinute(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	for range 59 {
		w.clock.add(time.Second)
		w.touch(b, w.m)
	}
	if n := w.store.count("TouchSession"); n != 0 {
		t.Errorf("%d writes in the first minute", n)
	}
	for range 10 * 60 {
		w.clock.add(time.Second)
		w.touch(b, w.m)
		if len(b.header) != 0 {
			t.Fatalf("the answer got %v", b.header)
		}
	}
	if n := w.store.count("TouchSession"); n < 9 || n > 11 {
		t.Errorf("%d writes in ten minutes, want 10", n)
	}
	s, err := w.m.Find(b.request("GET"))
	if err != nil || s.SeenAt.Before(w.clock.now().Add(-2*time.Minute)) || !s.ExpiresAt.Equal(s.SeenAt.Add(7*24*time.Hour)) {
		t.Errorf("got %+v, %v at %v", s, err, w.clock.now())
	}
}

// Requests at once, each with a record of its own from the store, touch once.
func TestTouchOnceForAll(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.Cache = -1 }), newBrowser(t)
	w.login(b)
	w.clock.add(time.Hour)
	var wg sync.WaitGroup
	for range 50 {
		r := b.request("GET")
		wg.Go(func() {
			f, err := w.m.Resolve(r)
			if err != nil {
				t.Error(err)
				return
			}
			w.m.Touch(httptest.NewRecorder(), r, f)
		})
	}
	wg.Wait()
	if n := w.store.count("TouchSession"); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

func TestTouchNeverBeyondTheLifetime(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.Lifetime, c.Idle = time.Hour, 30*time.Minute }), newBrowser(t)
	w.login(b)
	for range 2 {
		w.clock.add(25 * time.Minute)
		w.touch(b, w.m)
	}
	if s, err := w.m.Find(b.request("GET")); err != nil || !s.ExpiresAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %v, %v", s, err)
	}
}

// A store that fails to note that a session was used fails no request, and is
// asked again.
func TestTouchFailure(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	w.clock.add(time.Hour)
	w.store.failAt("TouchSession", errDown)
	w.touch(b, w.m)
	w.store.failAt("TouchSession", nil)
	w.clock.add(time.Second)
	w.touch(b, w.m)
	if s, _ := w.m.Find(b.request("GET")); !s.SeenAt.Equal(w.clock.now()) {
		t.Errorf("SeenAt: got %v", s.SeenAt)
	}
}

func TestTouchOfNothing(t *testing.T) {
	w := newWorld(t)
	w.m.Touch(httptest.NewRecorder(), newBrowser(t).request("GET"), session.Found{})
	w.m.Touch(httptest.NewRecorder(), newBrowser(t).request("GET"), session.Found{Session: &store.Session{}})
	if n := w.store.count(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// The three steps of the package comment, with two instances.
func TestSecretChange(t *testing.T) {
	with := func(secret string, old ...string) func(*session.Config) {
		return func(c *session.Config) { c.Secret, c.OldSecrets = secret, old }
	}
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	first := b.value(cookieName)
	flow := session.Flow{Purpose: session.Login, Provider: "test", State: session.NewState()}
	if err := b.begin(w.m, flow); err != nil {
		t.Fatal(err)
	}
	token := w.m.CSRF(s.ID, "/x")

	// One: everybody reads B, and still writes A.
	one := w.manager(with(secretA, secretB))
	w.clock.add(5 * time.Minute)
	w.touch(b, one)
	if b.value(cookieName) != first {
		t.Error("the key changed before the new secret is known everywhere")
	}
	// Two: B writes. Instances of step one can read it.
	two := w.manager(with(secretB, secretA))
	if f, err := b.clone().callback(two, flow.State); err != nil || f.State != flow.State {
		t.Errorf("a login under way: got %v, %v", f, err)
	}
	if !two.ValidCSRF(s.ID, "/x", token) || two.CSRF(s.ID, "/x") == token {
		t.Error("a form from before must be good, and new ones be made with the new secret")
	}
	w.wantUser(b, two)
	w.clock.add(5 * time.Minute)
	f := w.wantUser(b, two)
	_ = b.do("GET", func(rw http.ResponseWriter, r *http.Request) error {
		rw.Header().Set("Cache-Control", "no-store")
		two.Touch(rw, r, f)
		return nil
	})
	if got := b.header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control: got %q", got)
	}
	second := b.value(cookieName)
	if second == first || !sameRandom(first, second) {
		t.Errorf("got %s, want the key of %s, marked with the new secret", second, first)
	}
	if got := b.got[cookieName].MaxAge; got != 30*24*3600-600 {
		t.Errorf("Max-Age: got %d", got)
	}
	if got := w.wantUser(b, two).Session.ID; got != s.ID {
		t.Errorf("ID: got %s, want %s", got, s.ID)
	}
	w.wantUser(b, one)
	w.clock.add(5 * time.Minute)
	w.touch(b, two)
	if len(b.header) != 0 {
		t.Errorf("sent again, although it is new: %v", b.header)
	}
	// Three: A is gone. Who never came back has to log in again.
	three := w.manager(with(secretB))
	w.wantUser(b, three)
	old := newBrowser(t)
	old.set(cookieName, first)
	before := w.store.count()
	w.wantNone(old, three)
	if n := w.store.count() - before; n != 0 {
		t.Errorf("a key of a dropped secret cost %d queries", n)
	}
	// Ending it ends both spellings.
	old2 := newBrowser(t)
	old2.set(cookieName, first)
	w.wantUser(old2, two)
	w.wantUser(b, two)
	if err := b.do("POST", two.End); err != nil {
		t.Fatal(err)
	}
	w.wantNone(old2, two)
}

func sameRandom(a, b string) bool {
	x, _ := b64.DecodeString(a)
	y, _ := b64.DecodeString(b)
	return string(x[1:33]) == string(y[1:33])
}

// The ID of a secret is one byte: of enough secrets two have the same.
func TestSecretsWithTheSameID(t *testing.T) {
	ids := map[byte]string{}
	var a, b string
	for i := 0; a == ""; i++ {
		secret := b64.EncodeToString(hmacSum([]byte{byte(i), byte(i >> 8)}))
		s := newSchedule(secret, audience)
		both := s.key("session kid", 1)[0]
		if other, ok := ids[both]; ok {
			a, b = other, secret
		}
		ids[both] = secret
	}
	w := newWorld(t, func(c *session.Config) { c.Secret, c.OldSecrets = a, []string{b} })
	before := w.manager(func(c *session.Config) { c.Secret, c.OldSecrets = b, nil })
	br := newBrowser(t)
	w.loginAs(br, before, w.user)
	w.wantUser(br, w.m)
	w.clock.add(time.Hour)
	first := br.value(cookieName)
	w.touch(br, w.m)
	if second := br.value(cookieName); second == first || !sameRandom(first, second) {
		t.Errorf("not marked anew: %s", second)
	}
	w.wantUser(br, w.m)
	w.wantNone(br, before)
}
