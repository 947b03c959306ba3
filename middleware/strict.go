package middleware

import (
	"net/http"
	"net/url"
	"strings"
)

// strict reports whether browsers send the session's cookie along with nothing
// that another site brought about: neither with a link from there nor with a
// redirect. A callback is both.
func (a *Auth) strict() bool { return a.cfg.Session.SameSite == http.SameSiteStrictMode }

// onlyState reports whether the request has a state and nothing else, as one has
// to which goOn leads.
func onlyState(r *http.Request) bool {
	return strings.HasPrefix(r.URL.RawQuery, "state=") && !strings.ContainsAny(r.URL.RawQuery, "&;")
}

// keepCallback seals what came by GET, and sends the browser on to where it can
// be judged: without the session's cookie, nobody would know in whose session
// the login, the link or the proof began.
func (a *Auth) keepCallback(w http.ResponseWriter, r *http.Request, e *entry) {
	query, err := callbackQuery(r)
	if err == nil {
		err = onlyAsked(query)
	}
	if err == nil {
		err = a.sessions.KeepCallback(w, r, query)
	}
	if err != nil {
		a.fail(w, r, "callback", e.info.ID, err)
		return
	}
	a.goOn(w, r, e, query.Get("state"))
}

// keepAgain keeps what a login that cannot be finished now came with, for
// another try.
func (a *Auth) keepAgain(w http.ResponseWriter, r *http.Request, e *entry, params url.Values) error {
	if e.info.PostsBack {
		return a.sessions.KeepPost(w, r, params)
	}
	return a.sessions.KeepCallback(w, r, params)
}

// goOn leads the browser to the callback once more, where what was kept is
// found. A redirect goes on being the other site's request, which is no matter
// to cookies that are Lax. For those that are Strict, a page of ours asks.
func (a *Auth) goOn(w http.ResponseWriter, r *http.Request, e *entry, state string) {
	to := a.prefix + "/callback/" + url.PathEscape(e.info.ID) + "?state=" + url.QueryEscape(state)
	if !a.strict() {
		redirect(w, to)
		return
	}
	a.page(w, r, http.StatusOK, "onward", pageData{Title: "One moment", Onward: to})
}
