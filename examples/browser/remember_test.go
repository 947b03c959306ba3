package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const (
	box    = `input[type=checkbox][name=remember]`
	button = `button[formaction="/auth/login/test"]`
)

// Who ticks the box has a page again when the session is over, and proves who
// they are for what wants that.
func TestRememberedBrowser(t *testing.T) {
	app := newProgram(t)
	b, p := newBrowser(t)
	p.open(app.url + "/profile?from=mail")
	p.sees("Keep me logged in on this device")
	// Whoever clicks the words ticks the box as well.
	p.do("tick the box", chromedp.Click(chromedp.CSS("label.check")))
	if !run(p, chromedp.Evaluate[bool](`document.querySelector("input[name=remember]").checked`)) {
		t.Fatal("the words do not tick the box")
	}
	p.fits("remember")
	dark(p)
	p.contrasts("remember-dark")
	p.click(button)
	p.click(tove)
	p.isAt(app.url + "/profile?from=mail")
	for _, c := range b.cookies() {
		if c.Name != "session" && c.Name != "session-remember" {
			t.Errorf("the browser has the cookie %s", c.Name)
		}
		checkAttributes(b, c)
	}
	checkNothingSecret(p)

	p.forgets("session", app.url)
	p.open(app.url + "/profile")
	p.isAt(app.url + "/profile")
	p.sees("sv-SE")
	p.open(app.url + "/auth/account")
	p.sees("this browser")

	// Nobody has proved anything: another way in is not added yet.
	p.click(`form[action="/auth/link/test-oauth2"] button`)
	if !strings.HasPrefix(p.location(), app.url+"/auth/reauth") {
		p.fail("got %s, want the page that asks who somebody is", p.location())
	}
	p.shot("reauth")

	p.open(app.url + "/")
	p.click(`header form button`)
	p.sees("Log in with")
	if got := b.cookies(); len(got) > 0 {
		t.Errorf("after logout the browser has cookies: %v", names(got))
	}
}

func TestBrowserThatIsNotRemembered(t *testing.T) {
	app := newProgram(t)
	b, p := newBrowser(t)
	p.open(app.url + "/profile")
	p.click(button)
	p.click(tove)
	p.isAt(app.url + "/profile")
	checkSessionCookie(b)

	p.forgets("session", app.url)
	p.open(app.url + "/profile")
	p.sees("Log in")
	p.seesNot("sv-SE")
	if run(p, chromedp.Evaluate[bool](`document.querySelector("input[name=remember]").checked`)) {
		t.Error("the box is ticked by itself")
	}
}

// The page for what is dangerous asks whoever is remembered, once.
func TestRememberedBrowserIsAsked(t *testing.T) {
	app := newApp(t, nil)
	_, p := newBrowser(t)
	p.open(app.url + "/auth/login")
	p.do("tick the box", chromedp.Click(chromedp.CSS(box)))
	p.click(button)
	p.click(tove)
	p.open(app.url + "/danger")
	p.sees("danger: Tove Almgren")

	p.forgets("session", app.url)
	p.open(app.url + "/notes")
	p.sees("notes: Tove Almgren")
	p.open(app.url + "/danger")
	p.seesNot("danger")
	p.click(`form[action="/auth/reauth/test"] button`)
	p.click(tove)
	p.isAt(app.url + "/danger")
	p.sees("danger: Tove Almgren")
}

// forgets makes the browser lose a cookie, as it does when its time is over.
func (p *tab) forgets(cookie, address string) {
	p.t.Helper()
	ctx, cancel := limit(p.ctx)
	defer cancel()
	if _, err := chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: cookie, URL: address}); err != nil {
		p.t.Fatal(err)
	}
	for _, c := range p.cookies() {
		if c.Name == cookie {
			p.t.Fatalf("the browser still has the cookie %s", cookie)
		}
	}
}

// The home page asks whether to be remembered as well, and its form leads to the
// service.
func TestRememberedFromTheHomePage(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.open(app.url + "/")
	p.fits("home-box")
	p.do("tick the box", chromedp.Click(chromedp.CSS("label.check")))
	p.click(button)
	p.click(tove)
	p.isAt(app.url + "/")
	p.sees("Welcome, Tove Almgren")
	p.forgets("session", app.url)
	p.open(app.url + "/profile")
	p.isAt(app.url + "/profile")
	p.sees("sv-SE")
}

// A visitor's choice goes along when they log in, and to no other browser.
func TestChoiceGoesAlongAtLogin(t *testing.T) {
	app := newProgram(t)
	b, p := newBrowser(t)
	p.open(app.url + "/")
	p.click(`button[value="Ahoy"]`)
	p.sees("Ahoy!", "Log in with")
	p.shot("greeting-visitor")
	checkSessionCookie(b)
	p.click(button)
	p.click(tove)
	p.isAt(app.url + "/")
	p.sees("Ahoy, Tove Almgren")
	p.shot("greeting")
	_, q := newBrowser(t)
	q.open(app.url + "/")
	q.seesNot("Ahoy!")
}
