package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// A visitor's choice goes along when they log in, and ends when they log out.
func TestGreetingGoesAlongAtLogin(t *testing.T) {
	w := newWorldIn(t, file(t))
	v, other := w.visitor(), w.visitor()
	v.get("/").sees("Welcome!", `value="Welcome" aria-pressed="true"`)
	if n := w.count("gatepass_sessions", "true"); n != 0 || len(v.cookies()) > 0 {
		t.Errorf("a visitor who has chosen nothing: got %d sessions and %v, want none", n, v.cookies())
	}

	v.post("/greeting", url.Values{"greeting": {"Ahoy"}}).is(http.StatusOK, "/").
		sees("Ahoy!", `value="Ahoy" aria-pressed="true"`, "Log in with GitHub")
	other.get("/").sees("Welcome!")

	v.login("github")
	v.get("/").sees("Ahoy, Michael!")
	v.post("/greeting", url.Values{"greeting": {"Hello"}}).is(http.StatusOK, "/").sees("Hello, Michael!")
	w.restart()
	v.get("/").sees("Hello, Michael!")
	v.post("/auth/logout", nil).sees("Welcome!", "Log in with GitHub")
}

func TestGreetingIsOneOfThoseOffered(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	for _, greeting := range []string{"", "Boo", "<b>"} {
		if page := v.post("/greeting", url.Values{"greeting": {greeting}}); page.status != http.StatusBadRequest {
			t.Errorf("%q: got status %d, want 400", greeting, page.status)
		}
	}
	v.login("github")
	if page := v.send(http.MethodPost, "/greeting", url.Values{"greeting": {"Ahoy"}}, "cross-site"); page.status != http.StatusForbidden {
		t.Errorf("a choice sent by another site: got status %d, want 403", page.status)
	}
	v.get("/").sees("Welcome, Michael!")
}

func TestGreetingWithoutADatabase(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.login("github")
	w.app.Close()
	for _, page := range []view{v.get("/"), v.post("/greeting", url.Values{"greeting": {"Ahoy"}})} {
		if page.status != http.StatusServiceUnavailable {
			t.Errorf("%s: got status %d, want 503", page.path, page.status)
		}
	}
}

// Who ticks the box stays logged in when the session is over; who does not, does
// not.
func TestStayLoggedIn(t *testing.T) {
	w := newWorldIn(t, file(t))
	own, cafe := w.visitor(), w.visitor()
	own.get("/auth/login").sees(`type="checkbox" name="remember"`)
	own.post(own.button("Log in with GitHub"), url.Values{"return_to": {"/"}, "remember": {"1"}}).is(http.StatusOK, "/").sees("Welcome, Michael!")
	cafe.post(cafe.button("Log in with GitHub"), url.Values{"return_to": {"/"}}).is(http.StatusOK, "/").sees("Welcome, Michael!")

	if err := w.app.db.Exec("DELETE FROM gatepass_sessions").Error; err != nil {
		t.Fatal(err)
	}
	w.restart() // with it goes what the process remembers for a second
	own.get("/profile").is(http.StatusOK, "/profile").sees("GitHub")
	own.get("/auth/account").sees("this browser")
	cafe.get("/").sees("Log in with GitHub")

	own.post("/auth/logout", nil)
	if n := w.count("gatepass_remembered", "true"); n != 0 {
		t.Errorf("after logout: got %d browsers that are remembered, want none", n)
	}
	own.get("/").sees("Log in with GitHub")
}

// button returns where a button of the home page's form leads that asks whether
// to stay logged in.
func (v *visitor) button(label string) string {
	v.w.t.Helper()
	page := v.get("/")
	_, form, _ := strings.Cut(page.html, `<form method="post">`)
	form, _, _ = strings.Cut(form, "</form>")
	m := regexp.MustCompile(`<button formaction="([^"]+)">` + label + `</button>`).FindStringSubmatch(form)
	if m == nil || !strings.Contains(form, `type="checkbox" name="remember" value="1"> `) || !strings.Contains(form, `name="return_to" value="/"`) {
		v.w.t.Fatalf("no button %q with a box beside it in %s", label, page.main())
	}
	// A policy of the page's would hold back what the form leads on to.
	if policy := page.header.Get("Content-Security-Policy"); strings.Contains(policy, "form-action") {
		v.w.t.Errorf("got policy %q, by which no service is reached", policy)
	}
	return m[1]
}
