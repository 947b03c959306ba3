package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store/memstore"
)

// renewed gives the browser's session another key.
func (b *browser) renewed() {
	b.t.Helper()
	w := httptest.NewRecorder()
	_ = b.app.auth.Sessions().Renew(w, b.request(b.t))
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c
	}
}

// A session that gets another key, or that its browser begins anew because it is
// remembered, between any two steps of a logout at the service, has ended as well.
func TestRenewalDuringALogout(t *testing.T) {
	for kind, out := range logouts {
		for name, meanwhile := range map[string]func(b *browser){
			"renewed":  (*browser).renewed,
			"restored": func(b *browser) { delete(b.cookies, "__Host-session"); b.whoami() },
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				for n := 1; ; n++ {
					db := memstore.New()
					s := &racedStore{wholeStore: db}
					op := newOP("github")
					a := newApp(t, func(c *middleware.Config) {
						remembering(c)
						c.Store, c.Session.Remembers = s, db
					}, op)
					op.person("ada-1", provider.Identity{Subject: "ada", Name: "Ada", SID: "s-1"})
					b := a.browser()
					b.remember("ada-1")
					userID, steps := b.whoami(), 0
					s.on(func(string) error {
						if steps++; steps == n {
							s.on(nil)
							meanwhile(b)
						}
						return nil
					})
					if got := a.backchannel("github", op.token(out)); got != http.StatusOK {
						t.Fatalf("step %d: got %d: %s", n, got, a.log)
					}
					s.on(nil)
					if steps < n {
						if n < 5 {
							t.Errorf("a logout has only %d steps", steps)
						}
						break
					}
					if me := b.whoami(); me != "" {
						t.Errorf("step %d: the browser is logged in as %s", n, me)
					}
					if ids := sessionIDs(t, a, userID); len(ids) != 0 {
						t.Errorf("step %d: got %d sessions, want none", n, len(ids))
					}
				}
			})
		}
	}
}
