package browser_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/gatepass/gatepass/middleware"
)

func strictly(cfg *middleware.Config) { cfg.Session.SameSite = http.SameSiteStrictMode }

// With a cookie that browsers send to no request that another site brought
// about, people come back from the service logged in, and their session is there
// when they add a way in or prove who they are.
func TestStrictCookie(t *testing.T) {
	app := newApp(t, strictly)
	b, p := newBrowser(t)
	p.throughLogin(app)
	for _, c := range b.cookies() {
		if c.Name == "session" && c.SameSite != network.CookieSameSiteStrict {
			t.Errorf("got SameSite=%s, want Strict", c.SameSite)
		}
	}

	p.open(app.url + "/auth/account")
	p.click(`form[action="/auth/link/test-oauth2"] button`)
	p.click(bashir)
	p.arrives(app.url + "/auth/account")
	if got := count(p, `form[action^="/auth/unlink/"]`); got != 2 {
		p.fail("got %d ways in, want 2", got)
	}

	// A link on another site leads to the login page, since no cookie goes along.
	p.open(app.service + "/")
	p.do("follow a link", chromedp.Evaluate[chromedp.Void](`void (location.href = "`+app.url+`/notes")`))
	p.arrives(app.url + "/auth/login?return_to=%2Fnotes")
	p.open(app.url + "/notes")
	p.sees("notes: Tove Almgren")
}

// The page that leads on needs no script.
func TestStrictCookieWithoutScript(t *testing.T) {
	app := newApp(t, strictly)
	_, p := newBrowser(t)
	ctx, cancel := limit(p.ctx)
	defer cancel()
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	p.throughLogin(app)
}

// throughLogin asks for a page that wants a login, and has it in the end.
func (p *tab) throughLogin(app *app) {
	p.t.Helper()
	p.open(app.url + "/notes?page=2")
	p.click(button)
	if !strings.HasPrefix(p.location(), app.service+"/") {
		p.fail("got %s, want a page of the service", p.location())
	}
	p.click(tove)
	p.arrives(app.url + "/notes?page=2")
	p.sees("notes: Tove Almgren")
}

// arrives waits until a page that goes on by itself has led to that address.
func (p *tab) arrives(address string) {
	p.t.Helper()
	ctx, cancel := limit(p.ctx)
	defer cancel()
	for p.location() != address {
		select {
		case <-ctx.Done():
			p.fail("got %s, want %s", p.location(), address)
		case <-time.After(50 * time.Millisecond):
		}
	}
	p.do("wait for the page", chromedp.WaitReady(chromedp.CSS("body")))
}
