package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestTutorial goes through the tutorial, page by page.
func TestTutorial(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()

	pong := v.get("/ping").is(http.StatusOK, "/ping")
	var answer map[string]string
	if err := json.Unmarshal([]byte(pong.html), &answer); err != nil || len(answer) != 1 || answer["ping"] != "pong" {
		t.Errorf("got %q, want ping and pong", pong.html)
	}

	v.get("/").is(http.StatusOK, "/").sees("Log in with GitHub", "Log in with X", "Log in with Google").seesNot("Log out")

	// A visitor is sent to log in, comes back, and the page has asked GitHub.
	v.get("/github").is(http.StatusOK, "/github").sees("You are @mjhea0 on GitHub")
	v.get("/").sees("Welcome, Michael!", "You are logged in as <strong>@mjhea0</strong>", "Log out").
		seesNot("Log in with GitHub")

	// The page with the one button comes first; the button logs out.
	v.get("/logout").is(http.StatusOK, "/auth/logout").sees("Log out")
	v.get("/").sees("Welcome, Michael!")
	v.post("/auth/logout", nil).is(http.StatusOK, "/").sees("Log in with GitHub").seesNot("Michael")

	for _, table := range []string{"gatepass_users", "gatepass_accounts"} {
		if n := w.count(table, "true"); n != 1 {
			t.Errorf("%s: got %d rows, want 1", table, n)
		}
	}
}

func TestTwitterAndGoogle(t *testing.T) {
	w := newWorld(t)
	w.visitor().get("/auth/login/x?return_to=/twitter").is(http.StatusOK, "/twitter").sees("You are @mjhea0 on X")
	w.visitor().get("/auth/login/google?return_to=/google").is(http.StatusOK, "/google").
		sees("You are @michael@example.test on Google")
	w.visitor().get("/auth/login/test?return_to=/test").is(http.StatusOK, "/test").sees("You are @tove on")
}

// A page that asks a service wants an account there: someone who has none is
// asked to add it, and is not logged in as somebody else.
func TestPageOfAServiceWithoutAnAccount(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.login("github")
	v.get("/twitter").sees("Michael").seesNot("You are @")
	if n := w.count("gatepass_accounts", "true"); n != 1 {
		t.Errorf("got %d accounts, want 1", n)
	}
}

// Without keys of a service its page says what to set.
func TestPageOfAServiceThatIsNotSetUp(t *testing.T) {
	w := newWorld(t)
	w.cfg.Providers = w.cfg.Providers[3:]
	w.app.Close()
	w.app = w.open()
	v := w.visitor()
	v.get("/github").is(http.StatusNotFound, "/github").sees("GITHUB_ID", "GITHUB_SECRET")
	v.get("/twitter").is(http.StatusNotFound, "/twitter").sees("X_ID", "X_SECRET")
	v.get("/google").is(http.StatusNotFound, "/google").sees("GOOGLE_ID")
}

func TestMoreFromTheService(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.get("/auth/login/google?return_to=/profile").is(http.StatusOK, "/profile").
		sees("<dt>Language</dt><dd>de</dd>", "<dt>Country</dt><dd>Switzerland</dd>", "<dt>Address</dt><dd>Zug</dd>")
}

// TestLinkTwoServices is the tutorial's first challenge.
func TestLinkTwoServices(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.login("github")
	v.post("/auth/link/x", nil).is(http.StatusOK, "/auth/account").sees("GitHub", "X")
	if users, accounts := w.count("gatepass_users", "true"), w.count("gatepass_accounts", "true"); users != 1 || accounts != 2 {
		t.Errorf("got %d users and %d accounts, want 1 and 2", users, accounts)
	}

	// Another browser, and the other way in: the same person.
	other := w.visitor()
	other.login("x")
	other.get("/").sees("Welcome, Michael!", "Logs in with</dt><dd>GitHub", "Logs in with</dt><dd>X")
	other.get("/github").is(http.StatusOK, "/github").sees("You are @mjhea0 on GitHub")

	// What belongs to somebody else cannot be added.
	w.google.Profile = map[string]any{"sub": "2002", "name": "Carol"}
	carol := w.visitor()
	carol.login("google")
	if page := carol.post("/auth/link/x", nil); page.status != http.StatusConflict {
		t.Errorf("got status %d, want 409", page.status)
	} else {
		page.sees("belongs to another user").seesNot("Michael")
	}
}

func TestServiceThatFails(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.login("test")
	w.test.Fail("userinfo", http.StatusInternalServerError)
	v.get("/test").is(http.StatusBadGateway, "/test").sees("did not answer", "still logged in", "Log out")
	w.test.Fail("userinfo", 0)
	v.get("/test").is(http.StatusOK, "/test").sees("You are @tove")

	// A token that no longer works leads to another login, not to an error.
	w.test.RevokeTokens()
	v.get("/test").is(http.StatusForbidden, "/test").sees("wants to see you again", "/auth/login/test?return_to=%2Ftest")
	v.get("/auth/login/test?return_to=/test").is(http.StatusOK, "/test").sees("You are @tove")
}

func TestCancelledLogin(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	w.github.Deny = true
	page := v.get("/auth/login/github")
	if page.status != http.StatusForbidden {
		t.Errorf("got status %d, want 403", page.status)
	}
	page.sees("cancelled", "/auth/login")
	if cookies := v.cookies(); len(cookies) > 0 {
		t.Errorf("got cookies %v, want none", cookies)
	}
}

func TestPagesAreSelfContained(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.login("github")
	for _, path := range []string{"/", "/profile", "/github", "/nowhere"} {
		p := v.get(path)
		p.sees(`<html lang="en">`, `name="viewport"`, `<main id="main"`, `<nav aria-label`, "</h1>")
		p.seesNot("<script", "http://", "https://avatars", ` src="`, "style=")
		policy := p.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			!strings.Contains(policy, "form-action 'self'") {
			t.Errorf("%s: got policy %q", path, policy)
		}
	}
	if css := v.get("/style.css"); css.status != http.StatusOK || !strings.Contains(css.header.Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: got %d, %s", css.status, css.header.Get("Content-Type"))
	}
	v.get("/nowhere").is(http.StatusNotFound, "/nowhere").sees("No such page")
}

func TestNameIsNotMarkup(t *testing.T) {
	w := newWorld(t)
	w.github.Profile = onGitHub(1, `<b>x`, `<script>alert(1)</script>`)
	v := w.visitor()
	v.login("github")
	for _, path := range []string{"/", "/github", "/profile", "/auth/account"} {
		v.get(path).sees("&lt;").seesNot("<script>", "<b>")
	}
}
