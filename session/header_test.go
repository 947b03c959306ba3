package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gorilla/sessions"
)

const headerName = "X-Session"

func inHeader(c *session.Config) { c.Header = "x-session" }

// A client keeps its key itself and sends it in a header. What it may have of
// cookies comes along.
type client struct {
	t      testing.TB
	key    string
	jar    *browser
	header http.Header // of the last answer
}

func newClient(t testing.TB) *client { return &client{t: t, jar: newBrowser(t)} }

func (c *client) request(method string) *http.Request {
	r := c.jar.request(method)
	r.Header[headerName] = []string{c.key}
	return r
}

// do sends a request, and wants no cookie back.
func (c *client) do(method string, f func(http.ResponseWriter, *http.Request) error) error {
	c.t.Helper()
	rec := httptest.NewRecorder()
	err := f(rec, c.request(method))
	c.header = rec.Header()
	if lines := c.header["Set-Cookie"]; len(lines) > 0 {
		c.t.Errorf("the answer sets %q", lines)
	}
	if lines, ok := c.header[headerName]; ok {
		if len(lines) != 1 || !strings.Contains(c.header.Get("Cache-Control"), "no-store") {
			c.t.Errorf("got keys %q with Cache-Control %q", lines, c.header.Get("Cache-Control"))
		}
		c.key = lines[0]
	}
	return err
}

func (w *world) begin(c *client, m *session.Manager) *store.Session {
	w.t.Helper()
	s := &store.Session{UserID: w.user.ID, Key: store.Key{Provider: "test", Subject: "ada"}, AuthTime: w.clock.now()}
	if err := c.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return m.Begin(rw, r, s) }); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func wantBoth(t *testing.T, m *session.Manager, r *http.Request, id string) {
	t.Helper()
	for _, resolve := range []func(*http.Request) (session.Found, error){m.Resolve, m.ResolveNow} {
		f, err := resolve(r)
		if id == "" && !errors.Is(err, session.ErrNone) {
			t.Errorf("got %v, %v, want ErrNone", f.Session, err)
		}
		if id != "" && (err != nil || f.Session.ID != id) {
			t.Errorf("got %v, %v, want session %s", f.Session, err, id)
		}
	}
}

func eachHeaderWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("cookie", func(t *testing.T) { f(t, newWorld(t, inHeader)) })
	t.Run("gorilla", func(t *testing.T) {
		f(t, newWorld(t, inHeader, func(c *session.Config) { c.Cookies = sessions.NewCookieStore(gorillaKey) }))
	})
}

func TestSessionInHeader(t *testing.T) {
	eachHeaderWorld(t, func(t *testing.T, w *world) {
		c := newClient(t)
		s := w.begin(c, w.m)
		if len(c.key) != 64 || c.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got header %v", c.header)
		}
		wantBoth(t, w.m, c.request("GET"), s.ID)
		first := *c
		again := w.begin(c, w.m)
		wantBoth(t, w.m, first.request("GET"), "") // a login ends the one before
		wantBoth(t, w.m, c.request("GET"), again.ID)
		second := *c
		if err := c.do("POST", w.m.Renew); err != nil {
			t.Fatal(err)
		}
		if c.key == second.key || len(c.key) != 64 {
			t.Errorf("renewed: got key %q", c.key)
		}
		wantBoth(t, w.m, second.request("GET"), "")
		f, err := w.m.Resolve(c.request("GET"))
		if err != nil {
			t.Fatal(err)
		}
		last := *c
		if err := c.do("POST", w.m.End); err != nil {
			t.Fatal(err)
		}
		if lines, ok := c.header[headerName]; !ok || lines[0] != "" {
			t.Errorf("logout: got header %v, want an empty one", c.header)
		}
		wantBoth(t, w.m, last.request("GET"), "")
		if _, err := w.store.Store.Session(t.Context(), f.Session.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the store still has it: %v", err)
		}
		// Who was not logged in drops what is of no use as well.
		c.key = "of another deployment"
		if err := c.do("POST", w.m.End); err != nil || c.key != "" {
			t.Errorf("got %v, key %q", err, c.key)
		}
	})
}

// A key that is marked with an old secret is sent again in the header.
func TestSecretChangeInHeader(t *testing.T) {
	eachHeaderWorld(t, func(t *testing.T, w *world) {
		c := newClient(t)
		s := w.begin(c, w.m)
		w.clock.add(time.Hour)
		next := w.manager(func(c *session.Config) { c.Secret, c.OldSecrets = secretB, []string{secretA} })
		f, err := next.Resolve(c.request("GET"))
		if err != nil {
			t.Fatal(err)
		}
		before := c.key
		_ = c.do("GET", func(rw http.ResponseWriter, r *http.Request) error { next.Touch(rw, r, f); return nil })
		if c.key == before || !sameRandom(c.key, before) || c.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("got header %v", c.header)
		}
		wantBoth(t, w.manager(func(c *session.Config) { c.Secret = secretB }), c.request("GET"), s.ID)
	})
}

// Beside a header no cookie counts: other sites can make a browser send that.
func TestCookieBesideHeader(t *testing.T) {
	eachHeaderWorld(t, func(t *testing.T, w *world) {
		b := newBrowser(t)
		s := w.login(b)
		wantBoth(t, w.m, b.request("GET"), s.ID)
		c := newClient(t)
		c.jar = b.clone()
		for _, key := range []string{"", "junk", b.value(cookieName) + " "} {
			c.key = key
			wantBoth(t, w.m, c.request("GET"), "")
			if err := c.do("POST", w.m.Renew); !errors.Is(err, session.ErrNone) {
				t.Errorf("renewal: got %v, want ErrNone", err)
			}
			if err := c.do("POST", w.m.End); err != nil {
				t.Fatal(err)
			}
			wantBoth(t, w.m, b.request("GET"), s.ID) // and no logout reaches it
		}
		other := w.begin(c, w.m)
		wantBoth(t, w.m, c.request("GET"), other.ID)
		wantBoth(t, w.m, b.request("GET"), s.ID)
		// The header of an app without the setting means nothing.
		plain := w.manager(func(c *session.Config) { c.Header = "" })
		wantBoth(t, plain, c.request("GET"), s.ID)
	})
}

func TestTwoHeaders(t *testing.T) {
	w := newWorld(t, inHeader)
	c, mallory := newClient(t), newClient(t)
	s := w.begin(c, w.m)
	w.begin(mallory, w.m)
	for _, lines := range [][]string{
		{}, {"", c.key}, {c.key, ""}, {c.key, c.key}, {c.key, mallory.key},
		{c.key + ", " + c.key}, {c.key + ","}, {" " + c.key}, {c.key + "\t"}, {"Bearer " + c.key}, {`"` + c.key + `"`},
	} {
		r := c.request("GET")
		r.Header[headerName] = lines
		wantBoth(t, w.m, r, "")
	}
	wantBoth(t, w.m, c.request("GET"), s.ID)
	// To log out ends both.
	r := c.request("POST")
	r.Header[headerName] = []string{c.key, mallory.key}
	if err := w.m.End(httptest.NewRecorder(), r); err != nil {
		t.Fatal(err)
	}
	wantBoth(t, w.m, c.request("GET"), "")
	wantBoth(t, w.m, mallory.request("GET"), "")
}

func TestForgeriesInHeaderCostNoQuery(t *testing.T) {
	w := newWorld(t, inHeader)
	c := newClient(t)
	w.begin(c, w.m)
	before := w.store.count()
	for _, key := range []string{"", "x", c.key[:63], c.key + "A", newSchedule(secretB, audience).token(make([]byte, 32)), strings.Repeat("A", 5000)} {
		c.key = key
		wantBoth(t, w.m, c.request("GET"), "")
	}
	if n := w.store.count() - before; n != 0 {
		t.Errorf("%d queries", n)
	}
}

// Nobody is remembered who keeps no cookies, and what a browser has of that does
// not count beside a header.
func TestHeaderIsNotRemembered(t *testing.T) {
	w := newWorld(t, inHeader, func(c *session.Config) { c.Remember = 90 * 24 * time.Hour })
	begin := func(rw http.ResponseWriter, r *http.Request) error {
		return w.m.BeginRemembered(rw, r, &store.Session{UserID: w.user.ID, AuthTime: w.clock.now()})
	}
	b, c := newBrowser(t), newClient(t)
	if err := b.do("POST", begin); err != nil {
		t.Fatal(err)
	}
	if err := c.do("POST", begin); err != nil {
		t.Fatal(err)
	}
	if list, err := w.store.Store.UserRemembered(t.Context(), w.user.ID); err != nil || len(list) != 1 {
		t.Errorf("got %d browsers, %v, want one", len(list), err)
	}
	c.jar, c.key = b.clone(), ""
	if err := c.do("GET", func(rw http.ResponseWriter, r *http.Request) error {
		_, _, err := w.m.Restore(rw, r)
		return err
	}); !errors.Is(err, session.ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
	if err := c.do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	b.forget(cookieName)
	if err := b.do("GET", func(rw http.ResponseWriter, r *http.Request) error {
		_, _, err := w.m.Restore(rw, r)
		return err
	}); err != nil {
		t.Errorf("the browser is forgotten: %v", err)
	}
}

// What a visitor keeps follows the header too.
func TestVisitorInHeader(t *testing.T) {
	w := newWorld(t, inHeader, func(c *session.Config) { c.CarryOver = []string{"shop"} })
	c := newClient(t)
	save := func(between func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
		return func(rw http.ResponseWriter, r *http.Request) error {
			s, err := w.m.Get(r, "shop")
			if err != nil {
				return err
			}
			if err := between(rw, r); err != nil {
				return err
			}
			n, _ := s.Values["n"].(int)
			s.Values["n"] = n + 1
			return w.m.Save(r, rw, s)
		}
	}
	nothing := func(http.ResponseWriter, *http.Request) error { return nil }
	for range 2 {
		if err := c.do("POST", save(nothing)); err != nil {
			t.Fatal(err)
		}
	}
	w.begin(c, w.m)
	// The key that this very answer gives counts for what is saved in it.
	if err := c.do("POST", save(w.m.Renew)); err != nil {
		t.Fatal(err)
	}
	s, err := w.m.Get(c.request("GET"), "shop")
	if err != nil || s.Values["n"] != 3 {
		t.Errorf("got %v, %v, want 3", s.Values, err)
	}
}

func TestHeaderConfig(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "X-Session": "", "x-session": "", "App_Session.1": "", "Session": "", "Api-Key": "",
		"Authorization": "in Authorization stands a scheme", "authorization": "in Authorization stands a scheme",
		"Proxy-Authorization": "Proxy-Authorization has a meaning", "Cookie": "Cookie has a meaning", "SET-COOKIE": "Set-Cookie has a meaning",
		"Host": "Host has a meaning", "Origin": "a meaning", "Content-Type": "a meaning", "Accept-Language": "a meaning", "Range": "a meaning",
		"Sec-Fetch-Site": "a meaning", "X-Forwarded-For": "a meaning", "Connection": "a meaning", "Vary": "a meaning", "Location": "a meaning",
		"X Session": "as in a header's name", "X-Session:": "as in a header's name", "X-Sitzüng": "as in a header's name", "X\r\nY": "as in a header's name",
		strings.Repeat("x", 65): "as in a header's name",
	} {
		_, err := session.New(session.Config{Store: memstore.New(), Secret: secretA, Header: name})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), "Header: want ") || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}
