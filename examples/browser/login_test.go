package browser_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// What the test service's page has: people to choose from, and a way to say no.
const (
	tove   = `button[name=person][value="0"]`
	bashir = `button[name=person][value="1"]`
	cancel = `button[name=cancel]`
)

// TestWholeWay is what somebody does who has just started the example.
func TestWholeWay(t *testing.T) {
	app := newProgram(t)
	b, p := newBrowser(t)

	p.open(app.url + "/")
	p.sees("Log in with")
	p.shot("home-visitor")
	p.click(button)
	if !strings.HasPrefix(p.location(), "http://"+app.service+"/") {
		t.Fatalf("got %s, want a page of the service", p.location())
	}
	p.sees("Tove Almgren", "Bashir Oyelaran")
	p.shot("service")
	checkFlowCookie(b)

	p.click(tove)
	p.isAt(app.url + "/")
	p.sees("Welcome, Tove Almgren", "@tove", "tove@example.test")
	p.shot("home")
	checkSessionCookie(b)
	checkNothingSecret(p)

	app.stop()
	app.start()
	p.open(app.url + "/")
	p.sees("Welcome, Tove Almgren")

	// The service was started again as well, and has forgotten what it allowed.
	if got := p.open(app.url + "/test"); got != 403 {
		t.Errorf("got status %d, want 403", got)
	}
	p.sees("wants to see you again")
	p.shot("again")
	p.click(`main a.button`)
	p.click(tove)
	p.isAt(app.url + "/test")
	p.sees("You are @tove")

	p.click(`header form button`)
	p.isAt(app.url + "/")
	p.sees("Log in with")
	p.seesNot("Tove")
	for _, c := range b.cookies() {
		if c.Domain == "localhost" {
			t.Errorf("after logout the browser still has the cookie %s", c.Name)
		}
	}

	// The same person again, known as the same user.
	p.click(button)
	p.click(tove)
	p.sees("Welcome, Tove Almgren")
	p.sees("Times logged in\n3")

	b.askedOnly(app.host, app.service)
}

func checkFlowCookie(b *browser) {
	b.t.Helper()
	var flows int
	for _, c := range b.cookies() {
		if !strings.HasPrefix(c.Name, "session-flow-") {
			b.t.Errorf("while a login is under way the browser has the cookie %s", c.Name)
			continue
		}
		flows++
		checkAttributes(b, c)
	}
	if flows != 1 {
		b.t.Errorf("got %d cookies for the login under way, want 1", flows)
	}
}

func checkSessionCookie(b *browser) {
	b.t.Helper()
	all := b.cookies()
	if len(all) != 1 || all[0].Name != "session" {
		b.t.Fatalf("got cookies %v, want session alone", names(all))
	}
	checkAttributes(b, all[0])
}

// checkAttributes checks a cookie on plain http: there is no Secure, and so no
// name that begins with __Host-.
func checkAttributes(b *browser, c *network.Cookie) {
	b.t.Helper()
	switch {
	case !c.HTTPOnly:
		b.t.Errorf("scripts can read the cookie %s", c.Name)
	case c.SameSite != network.CookieSameSiteLax:
		b.t.Errorf("cookie %s: got SameSite=%s, want Lax", c.Name, c.SameSite)
	case c.Path != "/" || c.Domain != "localhost":
		b.t.Errorf("cookie %s: got %s%s, want localhost/", c.Name, c.Domain, c.Path)
	case c.Session:
		b.t.Errorf("cookie %s ends with the browser, want a time", c.Name)
	case secret.MatchString(c.Value):
		b.t.Errorf("cookie %s holds a token", c.Name)
	}
}

func names(cookies []*network.Cookie) []string {
	var list []string
	for _, c := range cookies {
		list = append(list, c.Name)
	}
	return list
}

// secret is what each token and code of the test service looks like.
var secret = regexp.MustCompile(`(access|refresh|code|at|rt)-[A-Z2-7]{26}|eyJ[A-Za-z0-9_-]{10,}\.`)

// checkNothingSecret looks at all that a page, or a script on it, could read.
func checkNothingSecret(p *tab) {
	p.t.Helper()
	all := run(p, chromedp.Evaluate[string](`[document.documentElement.outerHTML, location.href, document.referrer,
		document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)].join("\n")`))
	if found := secret.FindString(all); found != "" {
		p.t.Errorf("the page can read %q", found)
	}
	if cookies := run(p, chromedp.Evaluate[string](`document.cookie`)); cookies != "" {
		p.t.Errorf("a script can read cookies: %q", cookies)
	}
}

func TestCancelAtTheService(t *testing.T) {
	app := newProgram(t)
	b, p := newBrowser(t)
	p.open(app.url + "/")
	p.click(button)
	if got := p.click(cancel); got != 403 {
		t.Errorf("got status %d, want 403", got)
	}
	p.sees("cancelled")
	p.shot("error")
	if got := b.cookies(); len(got) > 0 {
		t.Errorf("after a login that was cancelled the browser has cookies: %v", names(got))
	}

	// The page leads to another try, which works.
	p.click(`main a.button`)
	p.shot("login")
	p.click(`button[formaction="/auth/login/test"]`)
	p.click(tove)
	p.sees("Welcome, Tove Almgren")
}

func TestCallbackThatIsOver(t *testing.T) {
	app := newProgram(t)
	b, p := newBrowser(t)
	p.open(app.url + "/")
	if got := p.open(app.url + "/auth/callback/test?code=made-up&state=" + strings.Repeat("a", 43)); got != 400 {
		t.Errorf("got status %d, want 400", got)
	}
	p.sees("This login")
	p.shot("error-over")
	if got := b.cookies(); len(got) > 0 {
		t.Errorf("got cookies %v, want none", names(got))
	}
	b.askedOnly(app.host)
}

func TestDeepLink(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.open(app.url + "/profile?from=mail")
	p.click(`button[formaction="/auth/login/test"]`)
	p.click(tove)
	p.isAt(app.url + "/profile?from=mail")
	p.sees("sv-SE")
	p.shot("profile")

	// The page that asks the service in the person's name.
	p.open(app.url + "/test")
	p.sees("You are @tove")
	p.shot("who")
}

func TestTwoTabsAtOnce(t *testing.T) {
	app := newProgram(t)
	b, one := newBrowser(t)
	two := b.another()
	one.open(app.url + "/test?tab=one")
	two.open(app.url + "/test")
	one.click(tove)
	one.isAt(app.url + "/test?tab=one")
	two.click(tove)
	two.isAt(app.url + "/test")
	two.sees("You are @tove")
	one.open(app.url + "/")
	one.sees("Welcome, Tove Almgren")
}

// Somebody who began to log in as a second person in another tab must not find
// themselves to be that person in the first.
func TestTwoTabsTwoPeople(t *testing.T) {
	app := newProgram(t)
	b, one := newBrowser(t)
	two := b.another()
	one.open(app.url + "/test")
	two.open(app.url + "/test")
	one.click(tove)
	if got := two.click(bashir); got != 409 {
		t.Errorf("got status %d, want 409", got)
	}
	two.sees("Somebody else is logged in")
	one.open(app.url + "/")
	one.sees("Welcome, Tove Almgren")
}

// TestLinkAndUnlink gives one person two ways in, and takes one away again.
func TestLinkAndUnlink(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.open(app.url + "/test")
	p.click(tove)
	p.open(app.url + "/auth/account")
	p.sees("your only way in")
	p.shot("account")

	p.click(`form[action="/auth/link/test-oauth2"] button`)
	p.click(bashir)
	p.isAt(app.url + "/auth/account")
	p.shot("account-two")
	if got := count(p, `form[action^="/auth/unlink/"]`); got != 2 {
		t.Errorf("got %d ways in that can be removed, want 2", got)
	}

	// Either way leads to the same user.
	p.click(`form[action="/auth/logout"] button`)
	p.open(app.url + "/")
	p.click(`button[formaction="/auth/login/test-oauth2"]`)
	p.click(bashir)
	p.isAt(app.url + "/")
	p.sees("Welcome, Tove Almgren")

	p.open(app.url + "/auth/account")
	p.click(`form[action="/auth/unlink/test"] button`)
	p.sees("your only way in")
	if got := count(p, `form[action^="/auth/unlink/"]`); got != 0 {
		t.Errorf("got %d ways in that can be removed, want none", got)
	}
}

// TestAddressOfAnother sees that an address does not make two people one.
func TestAddressOfAnother(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.open(app.url + "/test")
	p.click(tove)
	_, q := newBrowser(t)
	q.open(app.url + "/auth/login/test-oauth2")
	if got := q.click(tove); got != 409 {
		t.Errorf("got status %d, want 409", got)
	}
	q.sees("You have been here before")
}

func count(p *tab, selector string) int {
	p.t.Helper()
	return run(p, chromedp.Evaluate[int]("document.querySelectorAll("+strconv.Quote(selector)+").length"))
}

// The tutorial's page has a link to /logout. It leads to a button, so that no
// other site can log people out.
func TestLogoutLink(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.open(app.url + "/test")
	p.click(tove)
	p.open(app.url + "/logout")
	p.sees("Log out")
	p.shot("logout")
	p.open(app.url + "/")
	p.sees("Welcome, Tove Almgren")
	p.open(app.url + "/logout")
	p.click(`main button`)
	p.open(app.url + "/")
	p.sees("Log in with")
}

// Whoever types 127.0.0.1 ends where the app says that it is.
func TestOtherLoopbackName(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.open(strings.Replace(app.url, "localhost", "127.0.0.1", 1) + "/auth/login/test")
	p.click(tove)
	p.isAt(app.url + "/")
	p.sees("Welcome, Tove Almgren")
}
