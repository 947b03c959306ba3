package middleware

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// serveCallback ends a login. Until the flow is found, compared and marked as
// used, no request leaves for the provider.
func (a *Auth) serveCallback(w http.ResponseWriter, r *http.Request, e *entry) {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		a.fail(w, r, "callback", e.info.ID, because("not_a_page", errBadRequest))
		return
	}
	// What is only sent on has been no attempt yet.
	switch {
	case r.Method == http.MethodPost:
		a.keepPost(w, r, e)
		return
	case a.strict() && !onlyState(r):
		a.keepCallback(w, r, e)
		return
	}
	if err := a.limited(r, "callback"); err != nil {
		a.fail(w, r, "callback", e.info.ID, err)
		return
	}
	if op, err := a.finish(w, r, e); err != nil {
		a.fail(w, r, op, e.info.ID, err)
	}
}

// keepPost answers a form_post. It comes from another site, so that the
// person's cookies are not there to judge it by: what it brought is sealed and
// sent on to the same path by GET, where they are.
func (a *Auth) keepPost(w http.ResponseWriter, r *http.Request, e *entry) {
	err := form(r)
	if err == nil && r.URL.RawQuery != "" {
		err = because("unexpected_response", errBadRequest)
	}
	if err == nil {
		err = onlyAsked(r.PostForm)
	}
	if err == nil {
		err = a.sessions.KeepPost(w, r, r.PostForm)
	}
	if err != nil {
		a.fail(w, r, "callback", e.info.ID, err)
		return
	}
	a.goOn(w, r, e, r.PostForm.Get("state"))
}

// onlyAsked refuses tokens, which nobody asked for in a callback.
func onlyAsked(params url.Values) error {
	for _, name := range []string{"access_token", "id_token", "response"} {
		if params.Has(name) {
			return because("unexpected_response", errBadRequest)
		}
	}
	return nil
}

// params returns what the provider sent, by query or as it was kept.
func (a *Auth) params(w http.ResponseWriter, r *http.Request, e *entry) (params url.Values, kept bool, err error) {
	query, err := callbackQuery(r)
	if err != nil {
		return nil, false, err
	}
	if (e.info.PostsBack || a.strict()) && len(query) == 1 {
		params, err := a.sessions.TakePost(w, r, query.Get("state"))
		return params, true, err
	}
	return query, false, nil
}

// callbackQuery returns the query of a callback. It has a state, and nothing
// that matters twice.
func callbackQuery(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, because("bad_request", errBadRequest)
	}
	for _, name := range []string{"state", "code", "iss", "error", "error_description", "oauth_token", "oauth_verifier", "denied", "user"} {
		if len(query[name]) > 1 {
			return nil, because("duplicate_param", errBadRequest)
		}
	}
	if query.Get("state") == "" {
		return nil, because("state_missing", provider.ErrState)
	}
	return query, nil
}

// finish finds the flow of a callback and ends it. It returns what the flow was
// for, as far as that is known, for an error to tell.
func (a *Auth) finish(w http.ResponseWriter, r *http.Request, e *entry) (op string, err error) {
	op = "callback"
	params, kept, err := a.params(w, r, e)
	if err != nil {
		return op, err
	}
	// Whoever is logged in is asked for first, since a store that does not
	// answer must leave the flow, and what was posted, as it is. Nobody is
	// restored: a login takes the place of who was remembered, and what else a
	// flow is for belongs to the session in which it began.
	who, err := a.visitor(r)
	var f session.Flow
	if err == nil {
		if f, err = a.sessions.EndFlow(w, r, params.Get("state")); err != nil && !errors.Is(err, session.ErrFlow) {
			err = storeFailed(err)
		}
	}
	switch {
	case errors.Is(err, session.ErrUsed) && a.isDone(who, f, e):
		redirect(w, a.returnTo(f.ReturnTo)) // a double click
		return op, nil
	case errors.Is(err, session.ErrFlow):
		return op, err
	case err != nil:
		if kept {
			err = errors.Join(err, a.keepAgain(w, r, e, params))
		}
		return op, err
	case f.Provider != e.info.ID:
		return op, because("tx_provider", session.ErrFlow)
	case f.Purpose != session.Login:
		op = opOf(f.Purpose)
	}
	if err := a.sameVisitor(f, who); err != nil {
		return op, err
	}
	return op, a.exchange(w, r, e, f, who, params)
}

// exchange asks the provider who came back, and does what the flow was for.
func (a *Auth) exchange(w http.ResponseWriter, r *http.Request, e *entry, f session.Flow, who *session.Found, params url.Values) error {
	if err := onlyAsked(params); err != nil {
		return err
	}
	cb, err := provider.NewCallback(provider.Request{State: f.State, CallbackURL: f.CallbackURL}, f.Memo, params)
	if err != nil {
		return because("state_mismatch", err)
	}
	ctx, cancel := detached(r)
	defer cancel()
	v := &arrival{e: e, began: a.now()}
	err = hooked(func() (err error) {
		v.id, v.tok, err = e.Complete(ctx, cb)
		return err
	})
	if err != nil {
		return asProviderError(e, "exchange", err)
	}
	if err := checkIdentity(e, &v.id); err != nil {
		return err
	}
	switch f.Purpose {
	case session.Login:
		return a.finishLogin(ctx, w, r, v, f, who)
	case session.Link:
		return a.finishLink(ctx, w, r, v, f, who)
	case session.Reauth:
		return a.finishReauth(ctx, w, r, v, f, who)
	}
	return because("tx_purpose", session.ErrFlow)
}

// isDone reports whether the browser sent a callback twice, so that it may go
// on: a login's, if the visitor's session came of it; any other's, if they are
// the user who began it.
func (a *Auth) isDone(who *session.Found, f session.Flow, e *entry) bool {
	switch {
	case who == nil || f.Provider != e.info.ID:
		return false
	case f.Purpose == session.Login:
		return !who.Session.CreatedAt.Before(f.Began) && a.entryOf(who.Session.Provider) == e
	}
	return f.UserID == who.User.ID
}

// sameVisitor makes sure that nobody but the user who began to link or to
// prove who they are finishes it, and only in the same session.
func (a *Auth) sameVisitor(f session.Flow, who *session.Found) error {
	if f.Purpose == session.Login {
		return nil
	}
	if who == nil || f.UserID == "" || who.User.ID != f.UserID || who.Session.ID != f.SessionID {
		return because("tx_user", session.ErrFlow)
	}
	if f.Purpose == session.Link && !a.fresh(who.Session, callbackFresh) {
		return ErrNotFresh
	}
	return nil
}

// finishLogin makes whoever came back the user of this browser.
func (a *Auth) finishLogin(ctx context.Context, w http.ResponseWriter, r *http.Request, v *arrival, f session.Flow, who *session.Found) error {
	if f.Remember {
		r = r.WithContext(WithRemember(r.Context()))
	}
	err := a.welcome(ctx, v, who, f.SessionID, a.finisher(w, r, v, who))
	if v.kept && errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return nil // the browser is gone, and its session as well
	}
	if err != nil {
		return err
	}
	if v.begun {
		redirect(w, a.returnTo(f.ReturnTo))
		return nil
	}
	s := a.sessionFor(v)
	if err := a.runHooks(ctx, v, s, true); err != nil {
		return err
	}
	if r.Context().Err() != nil {
		return nil // the browser is gone: it would not learn of its session
	}
	if err := a.startLogin(w, r, v, s, who, a.beginner(r)); err != nil {
		return err
	}
	redirect(w, a.returnTo(f.ReturnTo))
	return nil
}

// sessionFor returns the session that v's login begins, as far as it is known
// whose it is.
func (a *Auth) sessionFor(v *arrival) *store.Session {
	s := &store.Session{SID: cut(v.id.SID, 255), AuthTime: a.now().UTC()}
	if v.user != nil {
		v.owns(s)
	}
	return s
}

// owns makes s one of v's user and account.
func (v *arrival) owns(s *store.Session) {
	s.UserID, s.Key, s.Issuer = v.user.ID, v.account.Key, v.account.Issuer
}

// A beginner begins a session.
type beginner func(http.ResponseWriter, *http.Request, *store.Session) error

// beginner returns the one that r asks for.
func (a *Auth) beginner(r *http.Request) beginner {
	if wantsRemembered(r.Context()) {
		return a.sessions.BeginRemembered
	}
	return a.sessions.Begin
}

// startSession begins s under a new key, in place of the browser's session.
func (a *Auth) startSession(w http.ResponseWriter, r *http.Request, s *store.Session, who *session.Found, begin beginner) error {
	if err := begin(w, r, s); err != nil {
		return storeFailed(err)
	}
	if who != nil && who.User.ID != s.UserID {
		a.event(r.Context(), "user_switched", s.Provider, nil)
	}
	return nil
}

// finishLink gives the user who began it one more way in.
func (a *Auth) finishLink(ctx context.Context, w http.ResponseWriter, r *http.Request, v *arrival, f session.Flow, who *session.Found) error {
	if err := a.admit(ctx, v.id); err != nil {
		return err
	}
	if err := a.link(ctx, v, who.User.ID); err != nil {
		return err
	}
	if v.linked {
		if err := a.runHooks(ctx, v, who.Session, false); err != nil {
			return err
		}
	}
	if err := a.sessions.Renew(w, r); err != nil {
		return a.renewFailed(err)
	}
	redirect(w, a.returnTo(f.ReturnTo))
	return nil
}

// renewFailed tells a session that ended meanwhile from a store that failed.
func (a *Auth) renewFailed(err error) error {
	if errors.Is(err, session.ErrNone) {
		return because("tx_user", session.ErrFlow)
	}
	return storeFailed(err)
}

// finishReauth takes the way round by the provider as proof that the person is
// who they were. It never logs in, links or creates anybody.
func (a *Auth) finishReauth(ctx context.Context, w http.ResponseWriter, r *http.Request, v *arrival, f session.Flow, who *session.Found) error {
	at, vouched := a.now(), false
	if f.Reauth && v.e.info.Reauth {
		at, vouched = v.id.AuthTime, true
		if at.IsZero() || at.Before(f.Began.Truncate(time.Second).Add(-time.Minute)) {
			return because("auth_time", provider.ErrDenied)
		}
	}
	if err := a.refreshAccount(ctx, v, who.User.ID); err != nil {
		return err
	}
	if !f.Reauth {
		// A page needed a token; nobody asked for a proof, and there is none.
		redirect(w, a.returnTo(f.ReturnTo))
		return nil
	}
	if err := a.sessions.Reauthenticated(w, r, at, vouched); err != nil {
		return a.renewFailed(err)
	}
	redirect(w, a.returnTo(f.ReturnTo))
	return nil
}
