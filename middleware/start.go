package middleware

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// maxMemo is what a provider may want remembered, since it travels in a cookie.
const maxMemo = 1024

// visitor returns who the browser is logged in as, asked of the store, or nil.
// An error is the store's.
func (a *Auth) visitor(r *http.Request) (*session.Found, error) {
	f, err := a.sessions.ResolveNow(r)
	switch {
	case err == nil:
		found := f // or f would be on the heap for a visitor, too
		return &found, nil
	case nobody(err):
		return nil, nil
	}
	return nil, storeFailed(err)
}

// serveLogin answers /login, the page of all ways in, and /login/{provider},
// where a login begins.
func (a *Auth) serveLogin(w http.ResponseWriter, r *http.Request, e *entry) {
	who, r, err := a.restored(w, r)
	if err != nil {
		a.fail(w, r, "login", "", err)
		return
	}
	if e == nil {
		a.loginPage(w, r, a.entries, who)
		return
	}
	if r.Method == http.MethodPost {
		if err := form(r); err != nil {
			a.fail(w, r, "login", e.info.ID, err)
			return
		}
	}
	switch a.guardStart(r, who != nil) {
	case ask:
		a.loginPage(w, r, []*entry{e}, who)
		return
	case refuse:
		a.fail(w, r, "login", e.info.ID, errRefused)
		return
	}
	hint := cut(formValue(r, "login_hint"), 200)
	if e.info.Asks != "" && hint == "" {
		a.loginPage(w, r, []*entry{e}, who)
		return
	}
	req := provider.Request{LoginHint: hint}
	if r.Method == http.MethodPost {
		req.Scopes = r.PostForm["scope"]
	}
	f := session.Flow{Purpose: session.Login, ReturnTo: a.ReturnTo(r), Remember: a.askedToRemember(r)}
	if who != nil {
		f.UserID, f.SessionID = who.User.ID, who.Session.ID
	}
	if err := a.limited(r, "login"); err != nil {
		a.fail(w, r, "login", e.info.ID, err)
		return
	}
	a.begin(w, r, e, f, req)
}

// loginPage shows a button for each of the entries. It begins nothing: each
// button is a POST.
func (a *Auth) loginPage(w http.ResponseWriter, r *http.Request, entries []*entry, who *session.Found) {
	data := pageData{
		Title: "Log in", ReturnTo: a.ReturnTo(r),
		CanRemember: a.cfg.Session.Remember > 0, Remember: a.askedToRemember(r),
	}
	if who != nil {
		data.User = who.User.Name
		data.Home = data.ReturnTo
	}
	for _, e := range entries {
		data.Buttons = append(data.Buttons, button{
			Action: a.prefix + "/login/" + url.PathEscape(e.info.ID),
			Label:  "Continue with " + e.info.Name,
			Asks:   e.info.Asks,
		})
	}
	if a.cfg.LoginURL != "" && len(a.cfg.LocalAccounts) > 0 {
		data.LoginURL = a.loginURL(data.ReturnTo)
	}
	a.page(w, r, http.StatusOK, "login", data)
}

// begin sends the browser to the provider and remembers why. State and callback
// URL are the library's own, whatever OnBegin does to the request.
func (a *Auth) begin(w http.ResponseWriter, r *http.Request, e *entry, f session.Flow, req provider.Request) {
	if err := a.beginFlow(w, r, e, f, req); err != nil {
		a.fail(w, r, opOf(f.Purpose), e.info.ID, err)
	}
}

func opOf(p session.Purpose) string {
	switch p {
	case session.Link:
		return "link"
	case session.Reauth:
		return "reauth"
	}
	return "login"
}

func (a *Auth) beginFlow(w http.ResponseWriter, r *http.Request, e *entry, f session.Flow, req provider.Request) error {
	ctx := &deadline{Context: r.Context(), limit: 10 * time.Second}
	defer ctx.end()
	req.State, req.CallbackURL, req.Reauth = session.NewState(), e.callback, f.Reauth
	if a.cfg.OnBegin != nil {
		var err error
		if req, err = a.onBegin(ctx, e, req); err != nil {
			return err
		}
	}
	var to provider.Redirect
	err := hooked(func() (err error) {
		to, err = e.Begin(ctx, req)
		return err
	})
	if err != nil {
		return asProviderError(e, "begin", err)
	}
	if err := e.checkRedirect(to); err != nil {
		return &provider.Error{Provider: e.info.ID, Op: "begin", Reason: "redirect_invalid", Err: err}
	}
	f.Provider, f.State, f.CallbackURL, f.Memo = e.info.ID, req.State, req.CallbackURL, to.Memo
	if err := a.sessions.BeginFlow(w, r, f); err != nil {
		return because("tx_too_big", err)
	}
	seeOther(w, to.URL)
	return nil
}

// onBegin asks the app what else to ask the provider for. State and callback URL
// stay as they are.
func (a *Auth) onBegin(ctx context.Context, e *entry, req provider.Request) (provider.Request, error) {
	asked := req
	if err := hooked(func() error { return a.cfg.OnBegin(ctx, e.info.ID, &asked) }); err != nil {
		return req, because("hook", err)
	}
	if asked.State != req.State || asked.CallbackURL != req.CallbackURL {
		a.event(ctx, "on_begin_overruled", e.info.ID, nil)
		asked.State, asked.CallbackURL = req.State, req.CallbackURL
	}
	return asked, nil
}

// checkRedirect refuses what a provider made if it cannot be kept, or if no person
// may be sent there. A service has one page for all logins. Of the page that the
// last one was sent to, which is good, only the query must be looked at.
func (e *entry) checkRedirect(to provider.Redirect) error {
	if len(to.Memo) > maxMemo {
		return errors.New("memo: want at most 1,024 bytes")
	}
	if strings.Contains(to.URL, "#") {
		return checkAuthURL(to.URL) // a fragment can be bad, too
	}
	page, query, _ := strings.Cut(to.URL, "?")
	if good := e.page.Load(); good != nil && *good == page && !hasControl(query) {
		return nil
	}
	if err := checkAuthURL(to.URL); err != nil {
		return err
	}
	kept := strings.Clone(page) // without what follows it, which is secret
	e.page.Store(&kept)
	return nil
}

// hasControl reports whether s has an ASCII control character. It looks at eight
// bytes at a time, since what it is asked about is long.
func hasControl(s string) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		del := x ^ each*0x7f // a byte of it is zero where there is a DEL
		if (x-each*0x20)&^x&top != 0 || (del-each)&^del&top != 0 {
			return true
		}
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// checkAuthURL refuses a URL to which no person may be sent with a state in it.
func checkAuthURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("authorization URL: want an absolute one")
	case u.User != nil:
		return errors.New("authorization URL: want no user")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return errors.New("authorization URL: want https")
	}
	return nil
}

// asProviderError makes sure that err tells which provider failed at what, and
// not the URL of the request that did: a provider written by hand may have put
// a code or a token there.
func asProviderError(e *entry, op string, err error) error {
	var pe *provider.Error
	var ue *url.Error
	known := errors.As(err, &pe)
	switch {
	case errors.Is(err, errPanic), known && !errors.As(err, &ue):
		return err
	case !errors.As(err, &ue):
		return &provider.Error{Provider: e.info.ID, Op: op, Err: err}
	case !known || errors.As(ue.Err, &pe):
		return asProviderError(e, op, ue.Err)
	}
	clean := *pe
	clean.Err = ue.Err
	return asProviderError(e, op, &clean)
}

// serveLink begins to add one more way in for whoever is logged in.
func (a *Auth) serveLink(w http.ResponseWriter, r *http.Request, e *entry) {
	who, r := a.mayChange(w, r, "link", e)
	if who == nil {
		return
	}
	returnTo := a.prefix + "/account"
	if s := r.PostForm.Get("return_to"); s != "" {
		returnTo = a.returnTo(s)
	}
	if !a.fresh(who.Session, changeFresh) {
		redirect(w, withReturnTo(a.prefix+"/reauth", a.prefix+"/account"))
		return
	}
	a.begin(w, r, e, session.Flow{
		Purpose: session.Link, ReturnTo: returnTo, UserID: who.User.ID, SessionID: who.Session.ID,
	}, provider.Request{Scopes: r.PostForm["scope"], LoginHint: cut(r.PostForm.Get("login_hint"), 200)})
}

// changeFresh is how lately a user must have proved who they are to change how
// they log in, and callbackFresh how lately once they come back from the
// service.
const (
	changeFresh   = 5 * time.Minute
	callbackFresh = 15 * time.Minute
)

// mayChange returns who is logged in, if the request is a POST by which they
// mean to change what is theirs, and the request with their session and its form
// read. Otherwise it answers the request itself.
func (a *Auth) mayChange(w http.ResponseWriter, r *http.Request, op string, e *entry) (*session.Found, *http.Request) {
	id := ""
	if e != nil {
		id = e.info.ID
	}
	if err := a.limited(r, op); err != nil {
		a.fail(w, r, op, id, err)
		return nil, r
	}
	who, r, err := a.restored(w, r)
	if err == nil {
		err = form(r)
	}
	switch {
	case err != nil:
		a.fail(w, r, op, id, err)
	case who == nil:
		// A forged request must not learn whether anybody is logged in.
		if a.guardChange(r, false) == refuse {
			a.fail(w, r, op, id, errRefused)
			return nil, r
		}
		a.fail(w, r, op, id, ErrNoUser)
	case a.guardChange(r, a.sessions.ValidCSRF(who.Session.ID, op, r.PostForm.Get("csrf"))) != allow:
		a.fail(w, r, op, id, errRefused)
	default:
		return who, r
	}
	return nil, r
}

// serveReauth answers /reauth, a page with a button for each account that can
// prove who its user is, and POST /reauth/{provider}, where such a proof begins.
func (a *Auth) serveReauth(w http.ResponseWriter, r *http.Request, e *entry) {
	if e != nil {
		who, r := a.mayChange(w, r, "reauth", e)
		if who == nil {
			return
		}
		a.begin(w, r, e, session.Flow{
			Purpose: session.Reauth, Reauth: true, ReturnTo: a.ReturnTo(r),
			UserID: who.User.ID, SessionID: who.Session.ID,
		}, provider.Request{Scopes: r.PostForm["scope"], LoginHint: cut(r.PostForm.Get("login_hint"), 200)})
		return
	}
	who, r, err := a.restored(w, r)
	switch {
	case err != nil:
		a.fail(w, r, "reauth", "", err)
		return
	case who == nil:
		redirect(w, a.loginURL(a.ReturnTo(r)))
		return
	}
	accounts, err := a.cfg.Store.UserAccounts(r.Context(), who.User.ID)
	if err != nil {
		a.fail(w, r, "reauth", "", storeFailed(err))
		return
	}
	data := pageData{
		Title: "Is it still you?", Text: "To go on, prove once more who you are.",
		User: who.User.Name, ReturnTo: a.ReturnTo(r), Home: a.cfg.AfterLogin,
	}
	data.Buttons = a.reauthButtons(accounts, who.Session, nil)
	for _, acct := range accounts {
		if a.entryOf(acct.Provider) == nil && a.cfg.LoginURL != "" {
			data.LoginURL = a.loginURL(data.ReturnTo)
		}
	}
	a.page(w, r, http.StatusOK, "login", data)
}

// reauthButtons lists the providers of accounts, those that can ask the person
// again first. With only, it lists that provider alone.
func (a *Auth) reauthButtons(accounts []store.Account, s *store.Session, only *entry) []button {
	var can, others []button
	seen := make(map[*entry]bool)
	for _, acct := range accounts {
		e := a.entryOf(acct.Provider)
		if e == nil || seen[e] || only != nil && e != only {
			continue
		}
		seen[e] = true
		b := button{
			Action: a.prefix + "/reauth/" + url.PathEscape(e.info.ID),
			Label:  "Continue with " + e.info.Name, Asks: e.info.Asks,
			CSRF: a.sessions.CSRF(s.ID, "reauth"),
		}
		if e.info.Reauth {
			can = append(can, b)
		} else {
			others = append(others, b)
		}
	}
	return append(can, others...)
}

// entryOf returns the provider whose account has that ID, also a former one,
// or nil.
func (a *Auth) entryOf(id string) *entry {
	if e := a.byID[id]; e != nil {
		return e
	}
	for _, e := range a.entries {
		for _, former := range e.info.FormerIDs {
			if former == id {
				return e
			}
		}
	}
	return nil
}
