package middleware_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
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
