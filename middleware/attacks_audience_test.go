package middleware_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gatepass/gatepass/middleware"
)

// Two Auths on one host with one secret, whose cookies have one name.
func TestTwoAuthsWithOneSecret(t *testing.T) {
	for _, paths := range [][2]string{{"/auth", "/admin/auth"}, {"/admin/auth", "/auth"}} {
		a := newApp(t, func(c *middleware.Config) { c.Path = paths[0] })
		a.github.person("ada", ada)
		here := a.auth
		there, err := middleware.New(middleware.Config{
			BaseURL: baseURL, Path: paths[1], Secret: secret, Store: a.store, Session: sessionAt(a.clock), Logger: logTo(a.log),
		}, a.github, a.other)
		if err != nil {
			t.Fatal(err)
		}
		a.mux = http.NewServeMux()
		a.mux.Handle(paths[0]+"/", here.Handler())
		a.mux.Handle(paths[1]+"/", there.Handler())
		b := a.browser()
		state := b.stateOf(b.get(paths[0] + "/login/github"))
		requireRejected(t, a, b, b.get(paths[1]+"/callback/github?code=ada&state="+state, crossSite), 400, "tx_invalid")
		if a.github.completions() != 0 {
			t.Fatal("the other Auth sent the code")
		}
		if resp := b.get(paths[0]+"/callback/github?code=ada&state="+state, crossSite); resp.StatusCode != 303 {
			t.Fatalf("the login was harmed: got %d", resp.StatusCode)
		}
		cookie := &http.Cookie{Name: "__Host-session", Value: b.sessionCookie()}
		for auth, want := range map[*middleware.Auth]error{here: nil, there: middleware.ErrNoUser} {
			r := httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
			r.AddCookie(cookie)
			if _, err := auth.User(r); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		// The other one's form token, from an old browser.
		r := httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
		r.AddCookie(cookie)
		s, err := here.Sessions().Find(r)
		if err != nil {
			t.Fatal(err)
		}
		silent := func(r *http.Request) {
			for _, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin"} {
				r.Header.Del(name)
			}
		}
		for auth, want := range map[*middleware.Auth]int{here: 303, there: 403} {
			token := auth.Sessions().CSRF(s.ID, "link")
			if resp := b.post(paths[0]+"/link/other", url.Values{"csrf": {token}}, silent); resp.StatusCode != want {
				t.Errorf("link: got %d, want %d", resp.StatusCode, want)
			}
		}
		// The other one leaves the cookie alone.
		if resp := b.post(paths[1]+"/logout", nil); resp.StatusCode != 303 || b.sessionCookie() != cookie.Value {
			t.Errorf("logout there: got %d, and the cookie here is gone", resp.StatusCode)
		}
	}
}
