package middleware

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// Header values that every answer to a user gets. Append copies them, since
// they have no room.
var (
	noStore    = []string{"no-store"}[:1:1]
	varyCookie = []string{"Cookie"}[:1:1]
	noReferrer = []string{"no-referrer"}[:1:1]
	noSniff    = []string{"nosniff"}[:1:1]
)

// LoadUser lets every request through, with its user, if any, for
// [CurrentUser]. If the store fails, the answer is 503: nobody knows whether
// the request is a visitor's.
func (a *Auth) LoadUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _, err := a.load(w, r, false)
		if err != nil {
			a.fail(w, r, "load", "", err)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// RequireUser lets requests with a user through. A visitor's page load is
// redirected to log in and come back; anything else is answered 401.
// It loads the user itself, so that LoadUser need not stand before it. It lets
// requests for the routes of [Auth.Handler] through, so that it may wrap a
// whole mux.
func (a *Auth) RequireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, v, err := a.load(w, r, false)
		switch {
		case err != nil:
			a.fail(w, r, "load", "", err)
		case v != nil || a.own(r):
			next.ServeHTTP(w, req)
		default:
			a.turnAway(w, r, a.loginURL(a.here(r)))
		}
	})
}

// RequireFresh is like RequireUser for what must not be done from a laptop
// left open: it also wants a login at most maxAge ago. A page load without one
// is sent to prove who they are; anything else is answered 403.
//
// With services that cannot ask again, such a proof says only that this
// browser is still logged in there, and that its user pressed a button. An app
// that needs more checks Reauthed of [CurrentSession].
func (a *Auth) RequireFresh(maxAge time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, v, err := a.load(w, r, true)
			switch {
			case err != nil:
				a.fail(w, r, "load", "", err)
			case v == nil:
				a.turnAway(w, r, a.loginURL(a.here(r)))
			case a.fresh(v.session, maxAge):
				next.ServeHTTP(w, req)
			case wantsPage(r):
				redirect(w, withReturnTo(a.prefix+"/reauth", a.here(r)))
			default:
				a.fail(w, r, "load", "", ErrNotFresh)
			}
		})
	}
}

// fresh reports whether the session's user proved who they are at most d ago.
// A proof from the future counts only as far as clocks differ.
func (a *Auth) fresh(s *store.Session, d time.Duration) bool {
	now := a.now()
	return s != nil && !s.AuthTime.Before(now.Add(-d)) && !s.AuthTime.After(now.Add(time.Minute))
}

// User returns who is asking, without a context, for a handler that no
// middleware wraps and that must be quick. It returns [ErrNoUser] for a
// visitor; any other error means that the store failed, which says nothing
// about who is asking. The User may be shared with other requests: do not
// change it.
//
// Since it cannot set cookies, it begins no session for a browser that is
// remembered, whose user it takes for a visitor until LoadUser or RequireUser
// has seen the browser.
func (a *Auth) User(r *http.Request) (*store.User, error) {
	f, err := a.sessions.Resolve(r)
	if err != nil {
		if nobody(err) {
			return nil, ErrNoUser
		}
		return nil, &Error{Op: "load", Reason: Reason(err), Err: storeFailed(err)}
	}
	return f.User, nil
}

// load finds the request's user and returns the request that carries them. The
// visit is nil for a visitor. With now, the store is asked, however lately it
// was asked before.
//
// A panic of the store or of OnLoad is an error here; one of the handler behind
// is not ours to catch.
func (a *Auth) load(w http.ResponseWriter, r *http.Request, now bool) (req *http.Request, v *visit, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			req, v, err = r, nil, panicked(p)
		}
	}()
	if v := visitOf(r.Context()); v != nil && v.auth == a && !now {
		return r, v, nil
	}
	a.addVary(w.Header())
	resolve := a.sessions.Resolve
	if now {
		resolve = a.sessions.ResolveNow
	}
	f, err := resolve(r)
	if a.cfg.Session.Remember > 0 && nobody(err) {
		f, r, err = a.restore(w, r)
	}
	switch {
	case nobody(err):
		return r, nil, nil
	case err != nil:
		return r, nil, storeFailed(err)
	}
	w.Header()["Cache-Control"] = noStore
	a.sessions.Touch(w, r, f)
	v = &visit{
		Context: r.Context(), auth: a, user: *f.User, session: f.Session,
		cached: !now && (r.Method == http.MethodGet || r.Method == http.MethodHead),
	}
	var ctx context.Context = v
	if a.cfg.OnLoad != nil {
		if ctx, err = a.cfg.OnLoad(v, &v.user); err != nil {
			return r, nil, because("hook", err)
		}
		if visitOf(orBackground(ctx)) != v {
			return r, nil, because("hook", errors.New("OnLoad returned a context that was not made from its own"))
		}
	}
	return r.WithContext(ctx), v, nil
}

// nobody reports whether err is a visitor's. Nearly always it is ErrNone itself,
// and a comparison takes a tenth of what errors.Is does.
func nobody(err error) bool { return err == session.ErrNone || errors.Is(err, session.ErrNone) }

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// addVary says that the answer depends on what sessions travel in.
func (a *Auth) addVary(h http.Header) {
	if v, ok := h["Vary"]; ok {
		h["Vary"] = append(v, a.vary...)
		return
	}
	h["Vary"] = a.vary
}

// varyOn returns what answers depend on, if sessions travel in a header as well.
func varyOn(header string) []string {
	if header == "" {
		return varyCookie
	}
	return []string{"Cookie, " + http.CanonicalHeaderKey(header)}[:1:1]
}

// turnAway answers a visitor's request that needs a user. A page load is sent
// to log in there.
func (a *Auth) turnAway(w http.ResponseWriter, r *http.Request, there string) {
	if a.cfg.Session.Remember > 0 && prefetched(r) {
		// The person may be remembered, and is not to get the login page that was
		// fetched before they asked.
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if wantsPage(r) {
		redirect(w, there)
		return
	}
	a.fail(w, r, "load", "", ErrNoUser)
}

// loginURL returns where a visitor logs in, to come back to returnTo.
func (a *Auth) loginURL(returnTo string) string {
	switch {
	case a.cfg.LoginURL != "":
		sep := "?"
		if strings.Contains(a.cfg.LoginURL, "?") {
			sep = "&"
		}
		return a.cfg.LoginURL + sep + strings.TrimPrefix(withReturnTo("", returnTo), "?")
	case len(a.entries) == 1 && len(a.cfg.LocalAccounts) == 0 && a.entries[0].info.Asks == "" && a.cfg.Session.Remember == 0:
		return a.LoginPath(a.entries[0].info.ID, returnTo)
	}
	return withReturnTo(a.prefix+"/login", returnTo)
}

// wantsPage reports whether a person waits for a page, so that a redirect to
// another one helps. Scripts get a status that they can read.
func wantsPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !pageLoad(r) {
		return false
	}
	if r.Header.Get("X-Requested-With") != "" || r.Header.Get("HX-Request") != "" {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// redirect sends the browser on by GET, whatever the request's method was.
func redirect(w http.ResponseWriter, to string) {
	h := w.Header()
	h["Cache-Control"] = noStore
	h["Referrer-Policy"] = noReferrer
	seeOther(w, to)
}

// seeOther is redirect for an answer that has its headers already.
func seeOther(w http.ResponseWriter, to string) {
	w.Header()["Location"] = []string{to}
	w.WriteHeader(http.StatusSeeOther)
}
