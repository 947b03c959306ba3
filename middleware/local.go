package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// Login logs in a user whom the app has recognised by its own means, such as a
// password, in a new session. It returns ErrNotAdmitted for one who is disabled
// and ErrNoUser for one who is not there. Guard your own form against CSRF, for
// instance with http.CrossOriginProtection. It writes headers and no body.
func (a *Auth) Login(w http.ResponseWriter, r *http.Request, userID string) error {
	return a.localError("", a.loginUser(w, r, userID))
}

func (a *Auth) localError(providerID string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: "login", Provider: providerID, Reason: Reason(err), Err: err}
}

func (a *Auth) loginUser(w http.ResponseWriter, r *http.Request, userID string) error {
	who, err := a.visitor(r)
	if err != nil {
		return err
	}
	u, err := a.enabled(r.Context(), a.cfg.Store, userID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNoUser
	case err != nil:
		return a.judged(err)
	}
	return a.startSession(w, r, &store.Session{UserID: u.ID, AuthTime: a.now().UTC()}, who, a.beginner(r))
}

// LoginIdentity does what a callback does with an Identity that the app has
// verified itself: Admit, sign-up or login, hooks, token, session. Its Provider
// is that of a provider of this Auth or one of [Config.LocalAccounts]. It
// replaces the browser's session, whoever's it is, so that the app must know
// that the person means it. It writes headers and no body.
func (a *Auth) LoginIdentity(w http.ResponseWriter, r *http.Request, id provider.Identity, tok provider.Token) error {
	return a.localError(id.Provider, a.loginIdentity(w, r, id, tok))
}

func (a *Auth) loginIdentity(w http.ResponseWriter, r *http.Request, id provider.Identity, tok provider.Token) error {
	e := a.byID[id.Provider]
	if e == nil {
		if !slices.Contains(a.cfg.LocalAccounts, id.Provider) {
			return errUnknownProvider
		}
		e = &entry{info: provider.Info{ID: id.Provider, Name: id.Provider}}
	}
	if err := checkIdentity(e, &id); err != nil {
		return err
	}
	who, err := a.visitor(r)
	if err != nil {
		return err
	}
	began := ""
	if who != nil {
		began = who.Session.ID
	}
	ctx, cancel := detached(r)
	defer cancel()
	v := &arrival{e: e, id: id, tok: tok, began: a.now()}
	if err := a.welcome(ctx, v, who, began, a.finisher(w, r, v, who)); err != nil || v.begun {
		return err
	}
	s := a.sessionFor(v)
	if err := a.runHooks(ctx, v, s, true); err != nil {
		return err
	}
	return a.startLogin(w, r, v, s, who, a.beginner(r))
}

// DeleteUser ends the user's sessions everywhere, deletes them with their
// accounts and tokens, and then withdraws the tokens at their providers, as far
// as these answer within a few seconds. Deleting one who is not there is no
// error.
func (a *Auth) DeleteUser(ctx context.Context, userID string) error {
	if err := a.deleteUser(ctx, userID); err != nil {
		return &Error{Op: "delete", Reason: Reason(err), Err: err}
	}
	return nil
}

func (a *Auth) deleteUser(ctx context.Context, userID string) error {
	accounts, err := a.cfg.Store.UserAccounts(ctx, userID)
	if err != nil {
		return storeFailed(err)
	}
	type grant struct {
		e   *entry
		tok provider.Token
	}
	var grants []grant
	for i := range accounts {
		e := a.entryOf(accounts[i].Provider)
		if e == nil {
			continue
		}
		tok, err := a.openToken(ctx, &accounts[i])
		switch {
		case err == nil:
			grants = append(grants, grant{e, tok.Token})
		case !errors.Is(err, ErrNoToken):
			return err
		}
	}
	if err := a.sessions.EndAll(ctx, userID, ""); err != nil {
		return storeFailed(err)
	}
	if err := a.cfg.Store.DeleteUser(ctx, userID); err != nil {
		return storeFailed(err)
	}
	a.sessions.Forget(userID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	// At once, so that a provider that hangs takes no other's time.
	var all sync.WaitGroup
	for _, g := range grants {
		all.Go(func() { a.revoke(ctx, g.e, g.tok) })
	}
	all.Wait()
	return nil
}
