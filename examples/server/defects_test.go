package main

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// The tutorial that this example follows has eight defects. Each test below is
// named for one, and shows that it is not here.

// D1: people were found by username, so that alice at one service became alice
// of another.
func TestDefectD1UsernameNeverMatches(t *testing.T) {
	w := newWorld(t)
	w.github.Profile = onGitHub(1, "alice", "Alice of GitHub")
	w.x.Profile = onX("7", "alice", "Alice of X")
	one, two := w.visitor(), w.visitor()
	one.login("github")
	two.login("x")
	one.get("/").sees("Welcome, Alice of GitHub!")
	two.get("/").sees("Welcome, Alice of X!").seesNot("Alice of GitHub")
	if n := w.count("gatepass_users", "true"); n != 2 {
		t.Errorf("got %d users, want 2", n)
	}

	// Nor does a new name make a new person.
	w.github.Profile = onGitHub(1, "alice2", "Alice of GitHub")
	again := w.visitor()
	again.login("github")
	if n := w.count("gatepass_users", "true"); n != 2 {
		t.Errorf("after a change of name: got %d users, want 2", n)
	}
}

// D2: when the service did not say who somebody is, everybody's token was
// deleted, and one without an owner was left.
func TestDefectD2FailedProfileTouchesNobody(t *testing.T) {
	w := newWorld(t)
	alice := w.visitor()
	alice.login("github")

	w.github.Profile = onGitHub(2, "bob", "Bob")
	w.github.Fail("userinfo", http.StatusInternalServerError)
	bob := w.visitor()
	if page := bob.get("/auth/login/github"); page.status != http.StatusBadGateway {
		t.Errorf("got status %d, want 502", page.status)
	}
	w.github.Fail("userinfo", 0)

	bob.get("/").sees("Log in with GitHub")
	alice.get("/github").is(http.StatusOK, "/github").sees("You are @mjhea0 on GitHub")
	if users, tokens, orphans := w.count("gatepass_users", "true"), w.count("gatepass_accounts", "sealed IS NOT NULL"),
		w.count("gatepass_accounts", "user_id IS NULL OR user_id NOT IN (SELECT id FROM gatepass_users)"); users != 1 || tokens != 1 || orphans != 0 {
		t.Errorf("got %d users, %d tokens, %d without an owner; want 1, 1, 0", users, tokens, orphans)
	}
}

// D3: bob, who was logged in and began to log in as carol, became carol without
// a word.
func TestDefectD3NobodyIsSwitchedSilently(t *testing.T) {
	w := newWorld(t)
	w.github.Profile = onGitHub(2, "bob", "Bob")
	w.x.Profile = onX("3", "carol", "Carol")
	w.visitor().login("x") // carol is a user
	bob := w.visitor()
	bob.login("github")
	before := bob.copied()

	// He is asked first, by name.
	bob.types("/auth/login/x").is(http.StatusOK, "/auth/login/x").sees("You are logged in as Bob")
	bob.get("/").sees("Welcome, Bob!")

	// Only his own click makes carol log in, in a session of her own; his is
	// over, and nothing of hers was given to him.
	bob.post("/auth/login/x", nil).is(http.StatusOK, "/").sees("Welcome, Carol!")
	before.get("/").sees("Log in with GitHub")
	if n := w.count("gatepass_accounts", "provider = 'x' AND user_id IN (SELECT user_id FROM gatepass_accounts WHERE provider = 'github')"); n != 0 {
		t.Error("the login added carol's account to bob")
	}
}

// D4: settings were read before the file that holds them, so that providers
// were made without keys.
func TestDefectD4SettingsComeFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".env", "GITHUB_ID=from-the-file\nGITHUB_SECRET=also-from-the-file\n")
	out := runUntilOpen(t)
	if !strings.Contains(out, "/auth/callback/github") || strings.Contains(out, "test service") {
		t.Errorf("GitHub is not offered:\n%s", out)
	}

	// Half of the keys is a mistake that is told, not a provider that fails.
	write(t, ".env", "GITHUB_ID=from-the-file\n")
	if err := run(t.Context(), flags(t), os.Stdout); err == nil || !strings.Contains(err.Error(), "GITHUB_SECRET") {
		t.Errorf("got %v, want an error that names GITHUB_SECRET", err)
	}
}

// D5: a link logged people out, and a copy of the cookie still logged in
// afterwards.
func TestDefectD5LogoutIsAnActAndFinal(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.login("github")
	thief := v.copied()
	thief.get("/").sees("Welcome, Michael!")

	v.get("/logout")
	v.get("/auth/logout")
	v.get("/").sees("Welcome, Michael!")
	if page := v.send(http.MethodPost, "/auth/logout", nil, "cross-site"); page.status != http.StatusForbidden {
		t.Errorf("logout sent by another site: got status %d, want 403", page.status)
	}
	v.get("/").sees("Welcome, Michael!")

	v.post("/auth/logout", nil).sees("Log in with GitHub")
	calls := w.github.Requests("userinfo")
	thief.get("/").sees("Log in with GitHub")
	if page := thief.send(http.MethodGet, "/github", nil, "cross-site"); strings.Contains(page.html, "You are @") {
		t.Error("a copy of the cookie still asks GitHub")
	}
	if got := w.github.Requests("userinfo"); got != calls {
		t.Error("GitHub was asked in the name of somebody who is logged out")
	}
	if n := w.count("gatepass_sessions", "true"); n != 0 {
		t.Errorf("got %d sessions, want none", n)
	}
}

// D6: the secret stood in the program, which ran in debug mode.
func TestDefectD6NoSecretInTheProgram(t *testing.T) {
	one, err := findSecret("", file(t))
	if err != nil {
		t.Fatal(err)
	}
	two, err := findSecret("", file(t))
	if err != nil {
		t.Fatal(err)
	}
	if one.value == two.value {
		t.Error("two databases have one secret")
	}

	w := newWorld(t)
	cfg := w.cfg
	cfg.Secret = ""
	if _, err := newApp(cfg); err == nil || !strings.Contains(err.Error(), "Secret") {
		t.Errorf("without a secret: got %v, want an error that names it", err)
	}

	// What breaks shows a sentence, and nothing of the inside.
	v := w.visitor()
	v.login("github")
	w.app.Close()
	page := v.get("/profile")
	if page.status != http.StatusServiceUnavailable {
		t.Errorf("without a database: got status %d, want 503", page.status)
	}
	page.seesNot("sql", ".go:", "goroutine", w.cfg.Secret)
}

// D7: every login ended on the home page.
func TestDefectD7LoginComesBack(t *testing.T) {
	w := newWorld(t)
	w.cfg.Providers = w.cfg.Providers[:1] // with one service the page has one button, and the box to tick
	w.restart()
	v := w.visitor()
	v.get("/profile?from=mail&page=2").sees(`formaction="/auth/login/github"`, `name="return_to" value="/profile?from=mail&amp;page=2"`)
	v.post("/auth/login/github", url.Values{"return_to": {"/profile?from=mail&page=2"}}).is(http.StatusOK, "/profile?from=mail&page=2")
	w.visitor().get("/auth/login/github?return_to="+url.QueryEscape("/profile?x=1")).is(http.StatusOK, "/profile?x=1")
	for _, evil := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "/%2f/evil.example"} {
		w.visitor().get("/auth/login/github?return_to="+url.QueryEscape(evil)).is(http.StatusOK, "/")
	}
}

// D8: a database in memory was another one, and empty, for each connection.
func TestDefectD8MemoryIsOneDatabase(t *testing.T) {
	w := newWorldIn(t, memory)
	v := w.visitor()
	v.login("github")
	thief := v.copied() // the same person, in many windows at once
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				if page := thief.get("/"); !strings.Contains(page.html, "Welcome, Michael!") {
					t.Errorf("got %d, want the person's page", page.status)
				}
			}
		})
	}
	wg.Wait()
	if n := w.count("gatepass_users", "true"); n != 1 {
		t.Errorf("got %d users, want 1", n)
	}
}
