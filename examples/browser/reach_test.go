package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestKeyboardAlone logs in and out without a mouse.
func TestKeyboardAlone(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.open(app.url + "/")
	p.tabTo("Skip to the content")
	p.tabTo("Log in with")
	p.enter()
	p.tabTo("Tove Almgren")
	p.enter()
	p.isAt(app.url + "/")
	p.sees("Welcome, Tove Almgren")
	p.tabTo("Log out")
	p.enter()
	p.sees("Log in with")
}

// tabTo presses Tab until something with that text has the focus, and fails the
// test if it cannot be seen that it has.
func (p *tab) tabTo(text string) {
	p.t.Helper()
	for range 30 {
		p.do("press Tab", chromedp.KeyEvent(kb.Tab))
		focus := run(p, chromedp.Evaluate[struct {
			Text, Outline string
			Width         float64
		}](`(() => {
			const e = document.activeElement, s = getComputedStyle(e);
			return {Text: e.innerText, Outline: s.outlineStyle, Width: parseFloat(s.outlineWidth)};
		})()`))
		if !strings.HasPrefix(focus.Text, text) {
			continue
		}
		if focus.Outline == "none" || focus.Width < 2 {
			p.t.Errorf("nobody can see that %q has the focus: outline %s, %g px", text, focus.Outline, focus.Width)
		}
		return
	}
	p.fail("the Tab key does not lead to %q", text)
}

func (p *tab) enter() {
	p.t.Helper()
	p.lands("press Enter", chromedp.KeyEvent(kb.Enter))
}

// TestOnAPhone sees that no page of ours is wider than a small screen, and that
// what is to be touched is large enough.
func TestOnAPhone(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	p.do("make the screen small", chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile, chromedp.EmulateTouch))
	p.open(app.url + "/")
	p.fits("phone-visitor")
	p.open(app.url + "/auth/login")
	p.fits("phone-login")
	p.click(`main button`)
	p.fits("phone-service")
	p.click(tove)
	for _, page := range []string{"/", "/profile", "/test", "/auth/account", "/github", "/nowhere"} {
		p.open(app.url + page)
		p.fits("phone" + strings.ReplaceAll(page, "/", "-"))
	}
}

func (p *tab) fits(name string) {
	p.t.Helper()
	p.shot(name)
	if wide := run(p, chromedp.Evaluate[int](`document.documentElement.scrollWidth - window.innerWidth`)); wide > 0 {
		p.t.Errorf("%s is %d px wider than the screen", name, wide)
	}
	small := run(p, chromedp.Evaluate[[]string](`[...document.querySelectorAll("button, a.button, label:has([type=checkbox]), input:not([type=hidden]):not([type=checkbox])")]
		.filter(e => e.getBoundingClientRect().height < 36).map(e => e.innerText || e.name)`))
	if len(small) > 0 {
		p.t.Errorf("%s: too small to touch: %q", name, small)
	}
	// Two controls that do different things must not sound the same.
	if unclear := run(p, chromedp.Evaluate[[]string](unclearNames)); len(unclear) > 0 {
		p.t.Errorf("%s: cannot be told apart by their names: %q", name, unclear)
	}
	if lang := run(p, chromedp.Evaluate[string](`document.documentElement.lang`)); lang != "en" {
		p.t.Errorf("%s: got language %q, want en", name, lang)
	}
	if n := run(p, chromedp.Evaluate[int](`document.querySelectorAll("main h1").length`)); n != 1 {
		p.t.Errorf("%s: got %d headings of the first rank, want 1", name, n)
	}
}

// unclearNames lists controls without a name, and those of a name that another has.
const unclearNames = `(() => {
	const seen = new Map(), bad = [];
	for (const e of document.querySelectorAll("main button, main a.button, main input:not([type=hidden])")) {
		const name = (e.ariaLabel || e.innerText || [...e.labels || []].map(l => l.innerText).join(" ")).trim();
		if (!name || seen.has(name)) bad.push(name || e.outerHTML);
		seen.set(name, e);
	}
	return bad;
})()`

// TestInTheDark keeps pictures of the pages as people see them who like the
// dark, and sees that the text still stands out.
func TestInTheDark(t *testing.T) {
	app := newProgram(t)
	_, p := newBrowser(t)
	dark(p)
	p.open(app.url + "/")
	p.contrasts("dark-visitor")
	p.open(app.url + "/auth/login")
	p.contrasts("dark-login")
	p.click(`main button`)
	p.click(tove)
	for _, page := range []string{"/", "/profile", "/auth/account", "/nowhere"} {
		p.open(app.url + page)
		p.contrasts("dark" + strings.ReplaceAll(page, "/", "-"))
	}
}
