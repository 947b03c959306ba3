// Package authtest helps to test apps that log people in.
package authtest

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gatepass/gatepass/middleware"
)

// Client returns a client that is logged in to a as the user with that ID, for
// the host of a's BaseURL. The user must be in a's store. Each call begins a
// session of its own; the test fails if it cannot.
//
// The client sends what a browser does when the person clicks on a page of the
// app, so that requests which change something pass the guard.
func Client(t testing.TB, a *middleware.Auth, userID string) *http.Client {
	t.Helper()
	base, err := url.Parse(a.CallbackURL(""))
	if err != nil {
		t.Fatalf("authtest: base URL: %v", err)
	}
	w := httptest.NewRecorder()
	if err := a.Login(w, httptest.NewRequest(http.MethodPost, base.String(), nil), userID); err != nil {
		t.Fatalf("authtest: log in as %q: %v", userID, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("authtest: cookie jar: %v", err)
	}
	base.Path = "/"
	jar.SetCookies(base, w.Result().Cookies())
	return &http.Client{Jar: jar, Transport: sameOrigin{base.Host}}
}

// sameOrigin says of requests to the app that a page of the app sent them.
type sameOrigin struct{ host string }

func (s sameOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == s.host && r.Header.Get("Sec-Fetch-Site") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return http.DefaultTransport.RoundTrip(r)
}
