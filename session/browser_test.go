package session_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/session"
)

// A browser keeps cookies, in the order in which it got them.
type browser struct {
	t       testing.TB
	cookies []*http.Cookie
	header  http.Header // of the last answer
	got     map[string]*http.Cookie
}

func newBrowser(t testing.TB) *browser { return &browser{t: t} }

func (b *browser) request(method string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example.com/", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (test)")
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// do sends a request to f and keeps the cookies that it sets.
func (b *browser) do(method string, f func(http.ResponseWriter, *http.Request) error) error {
	b.t.Helper()
	rec := httptest.NewRecorder()
	err := f(rec, b.request(method))
	b.keep(rec.Header())
	return err
}

func (b *browser) keep(h http.Header) {
	b.t.Helper()
	b.header, b.got = h, map[string]*http.Cookie{}
	for _, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			b.t.Fatalf("the browser cannot read %q: %v", line, err)
		}
		if b.got[c.Name] != nil {
			b.t.Errorf("the answer sets %s twice", c.Name)
		}
		b.got[c.Name] = c
		b.forget(c.Name)
		if c.MaxAge >= 0 {
			b.cookies = append(b.cookies, c)
		}
	}
}

func (b *browser) forget(name string) {
	b.cookies = slices.DeleteFunc(b.cookies, func(c *http.Cookie) bool { return c.Name == name })
}

func (b *browser) value(name string) string {
	for _, c := range b.cookies {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) set(name, value string) {
	b.forget(name)
	b.cookies = append(b.cookies, &http.Cookie{Name: name, Value: value})
}

func (b *browser) names(prefix string) []string {
	var names []string
	for _, c := range b.cookies {
		if strings.HasPrefix(c.Name, prefix) {
			names = append(names, c.Name)
		}
	}
	return names
}

func (b *browser) clone() *browser {
	return &browser{t: b.t, cookies: slices.Clone(b.cookies)}
}

// begin begins a flow in b.
func (b *browser) begin(m *session.Manager, f session.Flow) error {
	b.t.Helper()
	return b.do("POST", func(w http.ResponseWriter, r *http.Request) error { return m.BeginFlow(w, r, f) })
}

func (b *browser) callback(m *session.Manager, state string) (f session.Flow, err error) {
	b.t.Helper()
	err = b.do("GET", func(w http.ResponseWriter, r *http.Request) error {
		f, err = m.EndFlow(w, r, state)
		return err
	})
	return f, err
}

func (b *browser) keepPost(m *session.Manager, params url.Values) error {
	b.t.Helper()
	return b.do("POST", func(w http.ResponseWriter, r *http.Request) error { return m.KeepPost(w, r, params) })
}

func (b *browser) takePost(m *session.Manager, state string) (params url.Values, err error) {
	b.t.Helper()
	err = b.do("GET", func(w http.ResponseWriter, r *http.Request) error {
		params, err = m.TakePost(w, r, state)
		return err
	})
	return params, err
}

func (b *browser) doKeepAfterTake(m *session.Manager, state string) error {
	b.t.Helper()
	return b.do("GET", func(w http.ResponseWriter, r *http.Request) error {
		params, err := m.TakePost(w, r, state)
		if err != nil {
			return err
		}
		return m.KeepPost(w, r, params)
	})
}
