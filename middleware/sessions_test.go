package middleware_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

var revokeForm = regexp.MustCompile(`name="session" value="([^"]+)"`)

func TestRevokeSessions(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	b, second, third, bobs := a.browser(), a.browser(), a.browser(), a.browser()
	for _, c := range []*browser{second, third, b} {
		c.login("github", "ada")
		a.clock.advance(time.Second)
	}
	bobs.login("github", "bob")
	page := body(t, b.get("/auth/account"))
	handles := revokeForm.FindAllStringSubmatch(page, -1)
	if len(handles) != 2 || !strings.Contains(page, "this browser") {
		t.Fatalf("account page: got %d other sessions, want 2: %s", len(handles), page)
	}
	if resp := bobs.post("/auth/sessions/revoke", url.Values{"session": {handles[0][1]}}); resp.StatusCode != 303 || second.whoami() == "" || third.whoami() == "" {
		t.Error("somebody else ended a session")
	}
	b.post("/auth/sessions/revoke", url.Values{"session": {handles[0][1]}})
	open := 0
	for _, c := range []*browser{second, third} {
		if c.whoami() != "" {
			open++
		}
	}
	if open != 1 {
		t.Errorf("after one was ended, %d others are open, want 1", open)
	}
	b.post("/auth/sessions/revoke", url.Values{"others": {"1"}})
	if second.whoami() != "" || third.whoami() != "" || b.whoami() == "" || bobs.whoami() == "" {
		t.Error("ending all others: want this browser's and other users' alone to go on")
	}
}

var revokeButton = regexp.MustCompile(`<button class="plain" aria-label="([^"]+)">(End|Forget)</button>`)

// What a user needs to tell their browsers apart.
func TestSessionsOnThePage(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	id, now := b.whoami(), a.clock.Now()
	const firefox, curl = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "curl/8.16.0"
	for _, s := range []store.Session{
		{ID: "s-1", UserAgent: firefox, IP: "203.0.113.0/24", Key: githubAda, SeenAt: now.Add(time.Minute), CreatedAt: now.Add(-time.Hour)},
		{ID: "s-2", UserAgent: curl, SeenAt: now.Add(-time.Minute), CreatedAt: now.Add(-2 * time.Hour)},
		{ID: "s-3", Family: "s-3", UserAgent: firefox, Key: githubAda, SeenAt: now.Add(-2 * time.Minute), CreatedAt: now.Add(-3 * time.Hour)},
	} {
		s.UserID, s.ExpiresAt = id, now.Add(time.Hour)
		if err := a.store.CreateSession(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
	}
	page := body(t, b.get("/auth/account"))
	_, list, _ := strings.Cut(page, `<h2 id="open">`)
	rows := strings.Split(list, "<li>")[1:]
	if len(rows) != 4 {
		t.Fatalf("got %d sessions, want 4: %s", len(rows), page)
	}
	at := func(t time.Time) string { return t.Format("2 January 2006, 15:04") + " UTC</time>" }
	for i, want := range [][]string{
		{"Unknown browser", "this browser", "with GITHUB", "from 192.0.2.1"},
		{"Firefox on Windows", "with GITHUB", "from 203.0.113.0/24", "since <time", at(now.Add(-time.Hour)), "last seen <time", at(now.Add(time.Minute))},
		{"curl", "here", at(now.Add(-2 * time.Hour)), at(now.Add(-time.Minute))},
		{"Firefox on Windows", "remembered, not open now", "with GITHUB"},
	} {
		for _, w := range want {
			if !strings.Contains(rows[i], w) {
				t.Errorf("session %d: no %q in %s", i, w, rows[i])
			}
		}
		if other := i > 0; strings.Contains(rows[i], "this browser") == other || strings.Contains(rows[i], `name="session"`) != other {
			t.Errorf("session %d: want a button for all but this browser's: %s", i, rows[i])
		}
		if i != 3 && strings.Contains(rows[i], "remembered") || i == 2 && strings.Contains(rows[i], "from") {
			t.Errorf("session %d: too much is said: %s", i, rows[i])
		}
	}
	// Whoever hears the page and does not see it knows which button is whose.
	seen := make(map[string]bool)
	for _, m := range revokeButton.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], m[2]+" ") || seen[m[1]] {
			t.Errorf("got a button named %q", m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) != 3 || !strings.Contains(page, `<ul role="list" aria-labelledby="open">`) {
		t.Errorf("got buttons %v in %s", seen, page)
	}
	for _, secret := range []string{"s-1", "s-2", "s-3", "Firefox/144"} {
		if strings.Contains(page, secret) {
			t.Errorf("the page holds %s", secret)
		}
	}
	b.post("/auth/sessions/revoke", url.Values{"others": {"1"}})
	if page := body(t, b.get("/auth/account")); b.whoami() != id || strings.Contains(page, "End all others") || revokeButton.MatchString(page) {
		t.Errorf("all others were ended: %s", page)
	}
}

// Two browsers of one kind, seen in the same minute, have buttons of which a
// person who hears the page knows which is which.
func TestButtonsOfBrowsersOfOneKind(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	id, now := b.whoami(), a.clock.Now()
	minute := now.Truncate(time.Minute)
	for i, ip := range []string{"203.0.113.7", "198.51.100.7", "203.0.113.7", ""} {
		if err := a.store.CreateSession(t.Context(), &store.Session{
			ID: fmt.Sprint("s-", i), UserID: id, UserAgent: "curl/8.16.0", IP: ip, Key: githubAda,
			SeenAt: minute.Add(time.Duration(9-i) * time.Second), CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour),
		}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, m := range revokeButton.FindAllStringSubmatch(body(t, b.get("/auth/account")), -1) {
		got = append(got, m[1])
	}
	each := "End curl, last seen " + minute.Format("2 January 2006, 15:04") + " UTC"
	want := []string{each + ", from 203.0.113.7", each + ", from 198.51.100.7", each + ", from 203.0.113.7, number 2", each}
	if !slices.Equal(got, want) {
		t.Errorf("got buttons %q, want %q", got, want)
	}
}

// So have the buttons of two accounts at one provider.
func TestButtonsOfAccountsAtOneProvider(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	second := &store.Account{UserID: b.whoami(), Key: store.Key{Provider: "github", Subject: "work"}, Email: "ada@work.example"}
	if err := a.store.AddAccount(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	page := body(t, b.get("/auth/account"))
	buttons := regexp.MustCompile(`aria-label="(Remove [^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(buttons) != 2 || buttons[0][1] == buttons[1][1] || buttons[1][1] != "Remove GITHUB, ada@work.example" {
		t.Errorf("got buttons %q", buttons)
	}
}

// The page shows of an address what is kept of it.
func TestAddressesOnThePage(t *testing.T) {
	for _, tt := range []struct {
		policy        session.AddressPolicy
		address, want string
	}{
		{session.KeepAddress, "203.0.113.9", ", from 203.0.113.9<"},
		{session.KeepAddress, "203.0.113.0", ", from 203.0.113.0<"},
		{session.TruncateAddress, "203.0.113.9", ", from 203.0.113.0/24<"},
		{session.TruncateAddress, "2001:db8:1:2::3", ", from 2001:db8:1::/48<"},
		{session.DropAddress, "203.0.113.9", "UTC</time></small>"},
	} {
		a := newApp(t, func(c *middleware.Config) {
			c.TrustedProxies, c.Session.Addresses = networks("10.0.0.0/8"), tt.policy
		})
		a.github.person("ada", ada)
		b := a.browser()
		b.callback("github", b.begin("github"), "ada", from("10.0.0.1:80", tt.address))
		if page := body(t, b.get("/auth/account")); !strings.Contains(page, tt.want) {
			t.Errorf("policy %d, %s: no %q on the page: %s", tt.policy, tt.address, tt.want, page)
		}
	}
	// One that was kept whole, before.
	a := newApp(t, func(c *middleware.Config) { c.Session.Addresses = session.TruncateAddress })
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	now := a.clock.Now()
	for id, ip := range map[string]string{"s-1": "203.0.113.9", "s-2": "not an address"} {
		err := a.store.CreateSession(t.Context(), &store.Session{ID: id, UserID: b.whoami(), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour), IP: ip})
		if err != nil {
			t.Fatal(err)
		}
	}
	page := body(t, b.get("/auth/account"))
	for _, want := range []string{"from 192.0.2.0/24<", "from 203.0.113.9<", "from not an address<"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page: %s", want, page)
		}
	}
}

// The button of a page that was open for long, or a form that somebody made,
// does not log out the browser that it is in, which would keep its cookie.
func TestRevokeTheSessionAtHand(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b, other := a.browser(), a.browser()
	other.login("github", "ada")
	handle := func() string {
		return revokeForm.FindStringSubmatch(body(t, other.get("/auth/account")))[1]
	}
	b.login("github", "ada")
	own := handle()
	if resp := b.post("/auth/sessions/revoke", url.Values{"session": {own}}); resp.StatusCode != http.StatusSeeOther || b.whoami() == "" {
		t.Errorf("got %d, and the session at hand has ended", resp.StatusCode)
	}
	for name, form := range map[string]url.Values{
		"nothing": {}, "an empty name": {"session": {""}}, "a made-up name": {"session": {"AAAAAAAAAAAAAAAAAAAAAA"}},
		"its ID": {"session": {sessionIDs(t, a, b.whoami())[0]}}, "no others": {"others": {""}},
	} {
		if resp := b.post("/auth/sessions/revoke", form); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: got %d", name, resp.StatusCode)
		}
		if b.whoami() == "" || other.whoami() == "" {
			t.Fatalf("%s: a session has ended", name)
		}
	}
	// Its old key's name is nobody's once it has a new key.
	b.login("github", "ada")
	b.post("/auth/sessions/revoke", url.Values{"session": {own}})
	other.post("/auth/sessions/revoke", url.Values{"session": {own}})
	if b.whoami() == "" || other.whoami() == "" {
		t.Error("a name of a session that is over ended another")
	}
	other.post("/auth/sessions/revoke", url.Values{"session": {handle()}})
	if b.whoami() != "" || other.whoami() == "" {
		t.Error("from the other browser: want the session ended, and that one's not")
	}
}

func sessionIDs(t testing.TB, a *app, userID string) []string {
	t.Helper()
	list, err := a.store.UserSessions(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}
