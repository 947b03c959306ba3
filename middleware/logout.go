package middleware

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// serveLogout answers GET with a page of one button, so that a link to it
// works, and POST by logging out.
func (a *Auth) serveLogout(w http.ResponseWriter, r *http.Request, _ *entry) {
	who, err := a.visitor(r)
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
// every login under way. It is no error if nobody was logged in. It writes
// headers and no body.
func (a *Auth) Logout(w http.ResponseWriter, r *http.Request) error {
	who, err := a.visitor(r)
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

// serveBackchannel takes a logout token (OpenID Connect Back-Channel Logout
// 1.0) and ends the sessions that it names. It reads no cookie.
func (a *Auth) serveBackchannel(w http.ResponseWriter, r *http.Request, e *entry) {
	err := a.limited(r, "backchannel")
	if err == nil {
		err = a.backchannel(r, e)
	}
	var sf *storeFailure
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
		return
	case errors.As(err, &sf), errors.Is(err, errLimited), errors.Is(err, errTooLarge):
	case errors.Is(err, provider.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		// Nobody could tell whether it is good: the provider may send it again.
	case errors.Is(err, errors.ErrUnsupported):
		err = because("backchannel_unsupported", errBadRequest)
	default:
		// The specification has one status for every token that is no good.
		err = because(firstOf(Reason(err), "logout_token"), errors.Join(errBadRequest, err))
	}
	a.fail(w, r, "backchannel", e.info.ID, err)
}

func (a *Auth) backchannel(r *http.Request, e *entry) error {
	if err := form(r); err != nil {
		return err
	}
	if r.URL.RawQuery != "" || len(r.PostForm["logout_token"]) != 1 {
		return because("bad_request", errBadRequest)
	}
	ctx := r.Context()
	out, err := provider.VerifyLogout(ctx, e.Provider, r.PostForm.Get("logout_token"))
	if err != nil {
		return err
	}
	if out.Subject == "" {
		// Sessions are found by account; the store has no way from a SID to one.
		return because("logout_subject", errBadRequest)
	}
	sum := sha256.Sum256([]byte("gatepass logout mark v1\x00" + e.info.ID + "\x00" + out.Issuer + "\x00" + out.JTI))
	err = a.cfg.Store.Mark(ctx, "l:"+base64.RawURLEncoding.EncodeToString(sum[:]), a.now().Add(time.Hour))
	switch {
	case errors.Is(err, store.ErrExists):
		return because("logout_replay", errBadRequest)
	case err != nil:
		return storeFailed(err)
	}
	for _, id := range e.ids() {
		acct, err := a.cfg.Store.Account(ctx, store.Key{Provider: id, Subject: out.Subject})
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return storeFailed(err)
		case acct.Issuer != out.Issuer:
			continue
		}
		open, err := a.sessions.List(ctx, acct.UserID)
		if err != nil {
			return storeFailed(err)
		}
		for _, s := range open {
			if s.Key == acct.Key && (out.SID == "" || s.SID == out.SID) {
				if err := a.sessions.Revoke(ctx, s.ID); err != nil {
					return storeFailed(err)
				}
			}
		}
	}
	return nil
}
