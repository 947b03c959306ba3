package browser_test

import "testing"

// TestEndAnotherBrowser logs one person in with two browsers, of which one ends
// the other's session.
func TestEndAnotherBrowser(t *testing.T) {
	app := newProgram(t)
	_, one := newBrowser(t)
	_, two := newBrowser(t)
	for _, p := range []*tab{one, two} {
		p.open(app.url + "/test")
		p.click(tove)
		p.isAt(app.url + "/test")
	}

	one.open(app.url + "/")
	one.click(`nav a[href="/auth/account"]`)
	one.sees("Where you are logged in", "on Linux · this browser", "with Test service, since", "last seen", "End all others")
	one.seesNot("Mozilla")
	one.fits("account-sessions")
	one.contrasts("account-sessions")
	rows := `ul[aria-labelledby=open] > li`
	if got := count(one, rows); got != 2 {
		one.fail("got %d browsers, want 2", got)
	}
	if got := count(one, rows+` form`); got != 1 {
		one.fail("got %d buttons that end a session, want that of the other browser", got)
	}
	if got := count(one, rows+`:first-child form`); got != 0 {
		one.fail("the browser that asks does not come first")
	}

	one.click(rows + ` button`)
	one.isAt(app.url + "/auth/account")
	one.seesNot("End all others")
	if got := count(one, rows); got != 1 {
		one.fail("got %d browsers, want 1", got)
	}
	two.open(app.url + "/profile")
	two.sees("Log in", "Continue with")
	one.open(app.url + "/profile")
	one.sees("sv-SE")
}
