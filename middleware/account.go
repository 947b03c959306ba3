package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// serveAccount shows ways to log in and open sessions to whoever they are.
func (a *Auth) serveAccount(w http.ResponseWriter, r *http.Request, _ *entry) {
	who, r, err := a.restored(w, r)
	switch {
	case err != nil:
		a.fail(w, r, "account", "", err)
		return
	case who == nil:
		a.turnAway(w, r, a.loginURL(a.here(r)))
		return
	}
	accounts, err := a.cfg.Store.UserAccounts(r.Context(), who.User.ID)
	if err != nil {
		a.fail(w, r, "account", "", storeFailed(err))
		return
	}
	open, err := a.sessions.List(r.Context(), who.User.ID)
	if err != nil {
		a.fail(w, r, "account", "", storeFailed(err))
		return
	}
	csrf := func(op string) string { return a.sessions.CSRF(who.Session.ID, op) }
	data := pageData{
		Title: "Your account", User: who.User.Name, Home: a.cfg.AfterLogin, ReturnTo: a.prefix + "/account",
		Revoke: a.prefix + "/sessions/revoke", CSRF: csrf("revoke"), CanEnd: slices.ContainsFunc(open, func(s store.Session) bool { return s.ID != who.Session.ID }),
		Logout: a.prefix + "/logout", LogoutCSRF: csrf("logout"),
	}
	linked := make(map[*entry]bool)
	for _, acct := range accounts {
		row := accountRow{Name: acct.Provider, Detail: firstOf(acct.Email, acct.Username, acct.Name), Added: acct.CreatedAt.UTC()}
		row.Only = !slices.ContainsFunc(accounts, func(other store.Account) bool {
			return other.Key != acct.Key && slices.Contains(a.usable, other.Provider)
		})
		if e := a.entryOf(acct.Provider); e != nil {
			linked[e] = true
			row.Name = e.info.Name
			row.Unlink, row.Subject, row.CSRF = a.prefix+"/unlink/"+url.PathEscape(e.info.ID), acct.Subject, csrf("unlink")
		}
		data.Accounts = append(data.Accounts, row)
	}
	for _, e := range a.entries {
		if !linked[e] {
			data.Buttons = append(data.Buttons, button{
				Action: a.prefix + "/link/" + url.PathEscape(e.info.ID), Label: "Add " + e.info.Name,
				Asks: e.info.Asks, CSRF: csrf("link"),
			})
		}
	}
	data.Sessions = a.sessionRows(open, who.Session.ID)
	a.page(w, r, http.StatusOK, "account", data)
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// serveUnlink takes one way to log in from whoever is logged in.
func (a *Auth) serveUnlink(w http.ResponseWriter, r *http.Request, e *entry) {
	who, r := a.mayChange(w, r, "unlink", e)
	if who == nil {
		return
	}
	if !a.fresh(who.Session, changeFresh) {
		redirect(w, withReturnTo(a.prefix+"/reauth", a.prefix+"/account"))
		return
	}
	if err := a.unlink(w, r, e, who); err != nil {
		a.fail(w, r, "unlink", e.info.ID, err)
		return
	}
	redirect(w, a.prefix+"/account")
}

func (a *Auth) unlink(w http.ResponseWriter, r *http.Request, e *entry, who *session.Found) error {
	ctx, cancel := detached(r)
	defer cancel()
	acct, err := a.ownAccount(ctx, who.User.ID, e, r.PostForm.Get("subject"))
	if err != nil {
		return err
	}
	tok, tokErr := a.openToken(ctx, acct)
	if err := a.removeOwn(ctx, who.User.ID, acct.Key, a.usable); err != nil {
		return err
	}
	// The way in is gone. What follows must not bring it back if it fails.
	endErr := a.sessions.EndProvider(ctx, who.User.ID, acct.Provider, who.Session.ID)
	renewErr := a.sessions.Renew(w, r)
	if tokErr == nil {
		a.revoke(ctx, e, tok.Token)
	}
	if a.cfg.OnUnlink != nil {
		u := *who.User
		a.after(ctx, "on_unlink_failed", e.info.ID, func() error { return a.cfg.OnUnlink(ctx, &u, *acct) })
	}
	if endErr != nil {
		return storeFailed(endErr)
	}
	if renewErr != nil {
		return a.renewFailed(renewErr)
	}
	return nil
}

// ownAccount returns the user's account at the provider with that subject, or
// the only one if subject is empty.
func (a *Auth) ownAccount(ctx context.Context, userID string, e *entry, subject string) (*store.Account, error) {
	accounts, err := a.cfg.Store.UserAccounts(ctx, userID)
	if err != nil {
		return nil, storeFailed(err)
	}
	var found *store.Account
	for i, acct := range accounts {
		if a.entryOf(acct.Provider) != e || subject != "" && acct.Subject != subject {
			continue
		}
		if found != nil {
			return nil, because("bad_request", errBadRequest)
		}
		found = &accounts[i]
	}
	if found == nil {
		return nil, because("unknown_account", errUnknownProvider)
	}
	return found, nil
}

// revoke tells the provider that a token is no longer wanted. The local effect
// has come first, so that a failure is an event and no more.
func (a *Auth) revoke(ctx context.Context, e *entry, tok provider.Token) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := hooked(func() error { return provider.Revoke(ctx, e.Provider, tok) })
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		a.event(ctx, "revoke_failed", e.info.ID, asProviderError(e, "revoke", err))
	}
}

// serveSession says who is logged in, as JSON, to pages of this origin.
func (a *Auth) serveSession(w http.ResponseWriter, r *http.Request, _ *entry) {
	if a.site(r) == siteCross {
		a.fail(w, r, "session", "", errRefused)
		return
	}
	who, _, err := a.restored(w, r)
	if err != nil {
		a.fail(w, r, "session", "", err)
		return
	}
	type user struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		Username  string `json:"username,omitempty"`
		AvatarURL string `json:"avatar_url,omitempty"`
	}
	var answer struct {
		User      *user      `json:"user"`
		Provider  string     `json:"provider,omitempty"`
		AuthTime  *time.Time `json:"auth_time,omitempty"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}
	if who != nil {
		u, s := who.User, who.Session
		answer.User = &user{u.ID, u.Name, u.Username, u.AvatarURL}
		answer.Provider, answer.ExpiresAt = s.Provider, &s.ExpiresAt
		if !s.AuthTime.IsZero() {
			answer.AuthTime = &s.AuthTime
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_ = json.NewEncoder(w).Encode(answer)
}

// RequireAccount is like RequireUser for pages that need a usable token of that
// provider, with those scopes. Visitors log in with it, unless the app has a
// [Config.LoginURL]. It sends a person there once; someone who has no such
// account yet is asked to link it, by a button. Someone who came back without
// what was asked for gets a page that says so, with a button to try again. It
// panics if New was given no provider with that ID.
func (a *Auth) RequireAccount(providerID string, scopes ...string) func(http.Handler) http.Handler {
	e := a.byID[providerID]
	if e == nil {
		panic("middleware: RequireAccount: no provider is called " + providerID)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, v, err := a.load(w, r, true)
			var accounts []store.Account
			usable := false
			if err == nil && v != nil {
				err = hooked(func() (err error) {
					accounts, usable, err = a.usableAccounts(req.Context(), v, e, scopes)
					return err
				})
			}
			switch {
			case err != nil:
				a.fail(w, r, "load", providerID, err)
			case v == nil && a.cfg.LoginURL == "":
				a.turnAway(w, r, a.LoginPath(providerID, a.here(r)))
			case v == nil:
				a.turnAway(w, r, a.loginURL(a.here(r)))
			case usable:
				next.ServeHTTP(w, req)
			default:
				a.obtain(w, r, e, v, accounts, scopes)
			}
		})
	}
}

// usableAccounts returns the user's accounts at the provider, and whether one
// of them has a token with those scopes.
func (a *Auth) usableAccounts(ctx context.Context, v *visit, e *entry, scopes []string) ([]store.Account, bool, error) {
	accounts, err := a.accountsOf(ctx, v, e)
	if err != nil {
		return nil, false, err
	}
	for i := range accounts {
		tok, err := a.liveToken(ctx, e, &accounts[i])
		switch {
		case err == nil && hasScopes(tok.Scopes, scopes):
			return accounts, true, nil
		case err != nil && !errors.Is(err, ErrNoToken):
			return nil, false, err
		}
	}
	return accounts, false, nil
}

func hasScopes(granted, wanted []string) bool {
	for _, s := range wanted {
		if !slices.Contains(granted, s) {
			return false
		}
	}
	return true
}

// obtain gets a person what a page needs: a token of the provider.
func (a *Auth) obtain(w http.ResponseWriter, r *http.Request, e *entry, v *visit, accounts []store.Account, scopes []string) {
	if !wantsPage(r) || r.Method != http.MethodGet {
		a.fail(w, r, "load", e.info.ID, ErrNoToken)
		return
	}
	if prefetched(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	returnTo := a.here(r)
	data := pageData{
		Title: "Continue with " + e.info.Name, Text: "This page needs your account at " + e.info.Name + ".",
		User: v.user.Name, ReturnTo: returnTo, Scopes: scopes, Home: a.cfg.AfterLogin,
	}
	if len(accounts) == 0 {
		data.Buttons = []button{{
			Action: a.prefix + "/link/" + url.PathEscape(e.info.ID), Label: "Add " + e.info.Name,
			Asks: e.info.Asks, CSRF: a.sessions.CSRF(v.session.ID, "link"),
		}}
		a.page(w, r, http.StatusForbidden, "login", data)
		return
	}
	justBack := slices.ContainsFunc(accounts, func(acct store.Account) bool {
		return a.now().Sub(acct.UpdatedAt) < time.Minute
	})
	if s := a.site(r); justBack || e.info.Asks != "" || s != siteOwn && s != siteNone && s != siteLikely {
		if justBack {
			data.Text = "This page needs more than " + e.info.Name + " has allowed so far"
			if len(scopes) > 0 {
				data.Text += " (" + strings.Join(scopes, ", ") + ")"
			}
			data.Text += ". You can allow it there."
		}
		data.Buttons = a.reauthButtons(accounts, v.session, e)
		a.page(w, r, http.StatusForbidden, "login", data)
		return
	}
	if err := a.limited(r, "reauth"); err != nil {
		a.fail(w, r, "reauth", e.info.ID, err)
		return
	}
	a.begin(w, r, e, session.Flow{
		Purpose: session.Reauth, ReturnTo: returnTo, UserID: v.user.ID, SessionID: v.session.ID,
	}, provider.Request{Scopes: scopes})
}
