package middleware

import (
	"net/http"

	"github.com/gatepass/gatepass/session"
)

// serveLogout answers GET with a page of one button, so that a link to it
// works, and POST by logging out.
func (a *Auth) serveLogout(w http.ResponseWriter, r *http.Request, _ *entry) {
	who, r, err := a.restored(w, r)
	if err != nil {
		a.fail(w, r, "logout", "", err)
		return
	}
	verdict := ask
	if r.Method == http.MethodPost {
		if err := form(r); err != nil {
			a.fail(w, r, "logout", "", err)
			return
		}
		token := who != nil && a.sessions.ValidCSRF(who.Session.ID, "logout", r.PostForm.Get("csrf"))
		verdict = a.guardLogout(r, token)
	}
	switch verdict {
	case refuse:
		a.fail(w, r, "logout", "", errRefused)
		return
	case ask:
		data := pageData{Title: "Log out", Logout: a.prefix + "/logout", Home: a.cfg.AfterLogout}
		if who != nil {
			data.User, data.LogoutCSRF = who.User.Name, a.sessions.CSRF(who.Session.ID, "logout")
		}
		a.page(w, r, http.StatusOK, "logout", data)
		return
	}
	if err := a.limited(r, "logout"); err != nil {
		a.fail(w, r, "logout", "", err)
		return
	}
	if err := a.logout(w, r, who); err != nil {
		a.fail(w, r, "logout", "", err)
		return
	}
	redirect(w, a.cfg.AfterLogout)
}

// Logout ends the browser's session, here and wherever else its key may be, and
// every login under way, and no longer remembers the browser. It is no error if nobody was logged in. It writes
// headers and no body.
func (a *Auth) Logout(w http.ResponseWriter, r *http.Request) error {
	who, r, err := a.restored(w, r)
	if err == nil {
		err = a.logout(w, r, who)
	}
	if err != nil {
		return &Error{Op: "logout", Reason: Reason(err), Err: err}
	}
	return nil
}

func (a *Auth) logout(w http.ResponseWriter, r *http.Request, who *session.Found) error {
	if err := a.sessions.End(w, r); err != nil {
		return storeFailed(err)
	}
	a.sessions.EndFlows(w, r)
	if who != nil && a.cfg.OnLogout != nil {
		u := *who.User
		a.after(r.Context(), "on_logout_failed", who.Session.Provider, func() error { return a.cfg.OnLogout(r.Context(), &u) })
	}
	return nil
}
