package middleware_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store/memstore"
)

func strictly(c *middleware.Config) { c.Session.SameSite = http.SameSiteStrictMode }

// fromAway marks a request that another site brought about, along with which
// browsers send no cookie that is Strict.
func fromAway(b *browser) step {
	return func(r *http.Request) {
		crossSite(r)
		r.Header.Del("Cookie")
		for _, c := range b.cookies {
			if c.SameSite != http.SameSiteStrictMode {
				r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
			}
		}
	}
}

var (
	refresh = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]+)">`)
	goOn    = regexp.MustCompile(`<a class="button" href="([^"]+)">Go on</a>`)
)

// back comes back from the provider with those parameters, and does what the
// page says that the app answers.
func (b *browser) back(path string, params url.Values, steps ...step) *http.Response {
	b.t.Helper()
	return b.follow(b.get(path+"?"+params.Encode(), append(steps, fromAway(b))...), params)
}

// follow checks the page that leads on, and goes there.
func (b *browser) follow(resp *http.Response, params url.Values) *http.Response {
	b.t.Helper()
	page := body(b.t, resp)
	m, n := refresh.FindStringSubmatch(page), goOn.FindStringSubmatch(page)
	if resp.StatusCode != http.StatusOK || m == nil || n == nil || m[1] != n[1] {
		b.t.Fatalf("got %d, want a page that leads on: %s\n%s", resp.StatusCode, page, b.app.log)
	}
	if h := resp.Header; h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" {
		b.t.Errorf("got header %v", h)
	}
	for name, values := range params {
		if name != "state" && len(values[0]) > 3 && strings.Contains(page, values[0]) {
			b.t.Errorf("the page holds the %s", name)
		}
	}
	return b.get(html.UnescapeString(m[1]))
}

func (b *browser) backAs(providerID, state, code string) *http.Response {
	b.t.Helper()
	return b.back("/auth/callback/"+providerID, url.Values{"state": {state}, "code": {code}, "session_state": {"dropped by nobody"}})
}

// Whatever a callback is for works as it does with cookies that are Lax, since
// the session is there when it is judged.
func TestStrictCookie(t *testing.T) {
	a := newApp(t, strictly)
	a.github.person("code-of-ada", ada)
	a.github.person("code-of-bob", bob)
	a.other.person("code-of-ada", provider.Identity{Subject: "o-1"})
	b := a.browser()
	done := func(step string, resp *http.Response, to string) {
		t.Helper()
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != to {
			t.Fatalf("%s: got %d to %q, want 303 to %s: %s", step, resp.StatusCode, resp.Header.Get("Location"), to, a.log)
		}
	}
	done("login", b.backAs("github", b.begin("github"), "code-of-ada"), "/private")
	id := b.whoami()
	if c := b.cookies["__Host-session"]; id == "" || c.SameSite != http.SameSiteStrictMode {
		t.Fatalf("the browser is %q, with the cookie %v", id, c)
	}
	if got := body(t, b.get("/", fromAway(b))); got != "visitor" {
		t.Errorf("by a link from another site: got %q, want a visitor", got)
	}
	if got := body(t, b.get("/private")); !strings.HasPrefix(got, "hello") {
		t.Errorf("the first page after the login: got %q", got)
	}
	done("login again", b.backAs("github", b.begin("github"), "code-of-ada"), "/private")
	if ids := sessionIDs(t, a, id); len(ids) != 1 {
		t.Errorf("got %d sessions, want the one before ended", len(ids))
	}
	done("link", b.backAs("other", b.stateOf(b.post("/auth/link/other", nil)), "code-of-ada"), "/auth/account")
	done("proof of who they are", b.backAs("github", b.stateOf(b.post("/auth/reauth/github", nil)), "code-of-ada"), "/")
	if b.whoami() != id {
		t.Errorf("the browser is %q, want %q", b.whoami(), id)
	}
	resp := b.backAs("github", b.stateOf(b.post("/auth/reauth/github", nil)), "code-of-bob")
	requireRejected(t, a, b, resp, http.StatusBadRequest, "tx_user")

	// Somebody else has logged in to the browser in another tab.
	state := b.begin("github")
	b.post("/auth/logout", nil)
	other := b.begin("github")
	b.backAs("github", other, "code-of-bob")
	bobs := b.whoami()
	if resp := b.backAs("github", state, "code-of-ada"); resp.StatusCode == http.StatusSeeOther || b.whoami() != bobs || bobs == id {
		t.Errorf("got %d, and the browser is %q, want %q", resp.StatusCode, b.whoami(), bobs)
	}
	resp = b.back("/auth/callback/github", url.Values{"state": {b.begin("github")}, "error": {"access_denied"}})
	requireRejected(t, a, b, resp, http.StatusForbidden, "denied")
}

// The user_switched check needs the session that a callback alone does not show.
func TestStrictCookieAndTwoPeople(t *testing.T) {
	a := newApp(t, strictly)
	a.github.person("code-of-ada", ada)
	a.github.person("code-of-bob", bob)
	b := a.browser()
	one, two := b.begin("github"), b.begin("github")
	b.backAs("github", one, "code-of-ada")
	id := b.whoami()
	resp := b.backAs("github", two, "code-of-bob")
	requireRejected(t, a, b, resp, http.StatusConflict, "user_switched")
	if b.whoami() != id {
		t.Errorf("the browser is %q, want %q", b.whoami(), id)
	}
}

// A provider that posts, and one whose callbacks have names of its own.
func TestStrictCookieWithOtherCallbacks(t *testing.T) {
	a := newApp(t, strictly)
	posting := newFake("posting")
	posting.info.PostsBack = true
	a.remount(strictly, posting)
	posting.person("code-of-ada", ada)
	b := a.browser()
	state := b.begin("posting")
	form := url.Values{"state": {state}, "code": {"code-of-ada"}}
	resp := b.follow(b.post("/auth/callback/posting", form, header("Origin", "https://posting.example"), fromAway(b)), form)
	if resp.Header.Get("Location") != "/private" || b.whoami() == "" {
		t.Errorf("form_post: got %d: %s", resp.StatusCode, a.log)
	}

	params := url.Values{"state": {b.begin("github")}, "code": {"code-of-bob"}, "sso": {"bm9uY2U9YWJj+/=="}, "sig": {"0123456789abcdef"}, "oauth_verifier": {"verifier"}, "empty": {""}}
	a.github.person("code-of-bob", bob)
	a.github.complete = func(_ context.Context, cb provider.Callback) error {
		for name, values := range params {
			if got := cb.Param(name); got != values[0] {
				t.Errorf("%s: got %q, want %q", name, got, values[0])
			}
		}
		return nil
	}
	if resp := b.back("/auth/callback/github", params); resp.Header.Get("Location") != "/private" || a.github.completions() != 1 {
		t.Errorf("names of its own: got %d: %s", resp.StatusCode, a.log)
	}
}

// The page is made for whoever holds the cookie, and once: what is kept is of one
// login, in one browser.
func TestStrictCallbackThatIsMadeUp(t *testing.T) {
	a := newApp(t, strictly)
	a.github.person("code-of-ada", ada)
	for name, tt := range map[string]struct {
		query  string
		status int
		reason string
	}{
		"no state":           {"code=c", 400, "state_missing"},
		"two codes":          {"state=" + strings.Repeat("A", 43) + "&code=a&code=b", 400, "duplicate_param"},
		"two of anything":    {"state=" + strings.Repeat("A", 43) + "&x=a&x=b", 400, "duplicate_param"},
		"a state of no kind": {"state=x&code=c", 400, "state_malformed"},
		"a token":            {"state=" + strings.Repeat("A", 43) + "&access_token=t", 400, "unexpected_response"},
		"too much":           {"state=" + strings.Repeat("A", 43) + "&code=" + strings.Repeat("c", 4000), 400, "too_long"},
		"only a state":       {"state=" + strings.Repeat("A", 43), 400, "post_missing"},
	} {
		a := newApp(t, strictly)
		b := a.browser()
		resp := b.get("/auth/callback/github?"+tt.query, fromAway(b))
		t.Run(name, func(t *testing.T) {
			requireRejected(t, a, b, resp, tt.status, tt.reason)
			if len(resp.Cookies()) > 0 || a.github.completions() > 0 {
				t.Errorf("got cookies %v and %d exchanges", resp.Cookies(), a.github.completions())
			}
		})
	}
	// Another browser has the URL, and not the cookie.
	b, thief := a.browser(), a.browser()
	state := b.begin("github")
	if resp := thief.backAs("github", state, "code-of-ada"); resp.StatusCode != http.StatusBadRequest || a.github.completions() > 0 {
		t.Errorf("in another browser: got %d", resp.StatusCode)
	}
	if resp := b.backAs("github", state, "code-of-ada"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("in its own: got %d: %s", resp.StatusCode, a.log)
	}
	if resp := b.get("/auth/callback/github?state=" + state); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("once more: got %d, want 400", resp.StatusCode)
	}
}

// What came is kept for another try.
func TestStrictCallbackWithAStoreThatFails(t *testing.T) {
	s := &racedStore{wholeStore: memstore.New()}
	a := newApp(t, func(c *middleware.Config) { strictly(c); c.Store = s })
	a.github.person("code-of-ada", ada)
	b := a.browser()
	state := b.begin("github")
	s.failAt("before Mark", errDisk)
	if resp := b.backAs("github", state, "code-of-ada"); resp.StatusCode != http.StatusServiceUnavailable || a.github.completions() > 0 {
		t.Fatalf("got %d", resp.StatusCode)
	}
	s.on(nil)
	a.github.complete = func(_ context.Context, cb provider.Callback) error {
		if cb.Param("session_state") == "" {
			t.Error("a part of what came is gone")
		}
		return nil
	}
	if resp := b.get("/auth/callback/github?state=" + state); resp.StatusCode != http.StatusSeeOther || b.whoami() == "" {
		t.Errorf("again: got %d: %s", resp.StatusCode, a.log)
	}
}

// Two tabs that come back at the same moment each go on with what they came with.
func TestStrictCallbacksInTwoTabs(t *testing.T) {
	a := newApp(t, strictly)
	a.github.person("code-of-ada", ada)
	b := a.browser()
	var pages []*http.Response
	for _, state := range []string{b.begin("github"), b.begin("github")} {
		query := url.Values{"state": {state}, "code": {"code-of-ada"}}
		pages = append(pages, b.get("/auth/callback/github?"+query.Encode(), fromAway(b)))
	}
	for i, page := range pages {
		if resp := b.follow(page, nil); resp.StatusCode != http.StatusSeeOther || b.whoami() == "" {
			t.Errorf("tab %d: got %d: %s", i, resp.StatusCode, a.log)
		}
	}
	for name := range b.cookies {
		if strings.Contains(name, "-post") {
			t.Errorf("the browser still has %s", name)
		}
	}
}

// Without Strict, there is no page in between.
func TestLaxCookieNeedsNoPage(t *testing.T) {
	for _, mode := range []http.SameSite{0, http.SameSiteLaxMode} {
		a := newApp(t, func(c *middleware.Config) { c.Session.SameSite = mode })
		a.github.person("ada", ada)
		b := a.browser()
		if resp := b.callback("github", b.begin("github"), "ada"); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("SameSite %d: got %d", mode, resp.StatusCode)
		}
	}
}

// One attempt counts once, by however many requests it comes.
func TestLimitOfCallbacksThatAreSentOn(t *testing.T) {
	posting := newFake("posting")
	posting.info.PostsBack = true
	posting.person("ada", ada)
	for _, mode := range []http.SameSite{http.SameSiteLaxMode, http.SameSiteStrictMode} {
		var asked []string
		full := true
		a := newApp(t, func(c *middleware.Config) {
			c.Session.SameSite = mode
			c.Limit = func(_ *http.Request, op string) error {
				asked = append(asked, op)
				if full && op == "callback" {
					return errDisk
				}
				return nil
			}
		}, posting)
		b := a.browser()
		form := url.Values{"state": {b.begin("posting")}, "code": {"ada"}}
		asked = nil
		resp := b.post("/auth/callback/posting", form, header("Origin", "https://posting.example"), fromAway(b))
		if mode == http.SameSiteStrictMode {
			resp = b.follow(resp, form)
		} else {
			resp = b.get(resp.Header.Get("Location"), crossSite)
		}
		if resp.StatusCode != http.StatusTooManyRequests || len(asked) != 1 {
			t.Errorf("SameSite %d: got %d, asked %q; want 429, asked once", mode, resp.StatusCode, asked)
		}
		full = false
		if resp := b.get("/auth/callback/posting?state=" + form.Get("state")); resp.StatusCode != http.StatusSeeOther || len(asked) != 2 {
			t.Errorf("SameSite %d, a minute later: got %d, asked %q", mode, resp.StatusCode, asked)
		}
	}
}
