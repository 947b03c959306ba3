package middleware

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// hooked runs a function of the app's and turns a panic into an error, so that
// what has begun can be undone.
func hooked(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			err = panicked(v)
		}
	}()
	return f()
}

// after runs a hook for what has already happened. Its error is logged.
func (a *Auth) after(ctx context.Context, name, providerID string, f func() error) {
	if err := hooked(f); err != nil {
		a.event(ctx, name, providerID, err)
	}
}

// An arrival is a person who has come back from a provider, with what their
// login has made so far.
type arrival struct {
	e        *entry
	id       provider.Identity
	tok      provider.Token
	user     *store.User
	account  *store.Account
	signedUp bool
	linked   bool
}

// runHooks calls OnSignUp, OnLink and OnLogin, as far as they apply. If one
// fails, what this login made is removed again, so that the next try begins
// where this one did.
func (a *Auth) runHooks(ctx context.Context, v *arrival, s *store.Session, login bool) error {
	visit := &visit{Context: ctx, auth: a, user: *v.user, session: s, token: &v.tok, account: v.account}
	hook := func(run bool, f func(context.Context, *store.User, provider.Identity) error) error {
		if !run || f == nil {
			return nil
		}
		return hooked(func() error { return f(visit, &visit.user, v.id) })
	}
	err := hook(v.signedUp, a.cfg.OnSignUp)
	if err == nil {
		err = hook(v.linked, a.cfg.OnLink)
	}
	if err == nil {
		err = hook(login, a.cfg.OnLogin)
	}
	if err == nil {
		return nil
	}
	return errors.Join(because("hook", err), a.undo(ctx, v))
}

// undo removes the user or the account that the login made.
func (a *Auth) undo(ctx context.Context, v *arrival) error {
	switch {
	case v.signedUp:
		a.sessions.Forget(v.user.ID)
		return storeFailed(a.cfg.Store.DeleteUser(ctx, v.user.ID))
	case v.linked:
		accounts, err := a.cfg.Store.UserAccounts(ctx, v.user.ID)
		if err != nil {
			return storeFailed(err)
		}
		// The user had another way in, of whatever kind, before this one came.
		var all []string
		for _, acct := range accounts {
			all = append(all, acct.Provider)
		}
		err = a.cfg.Store.RemoveAccount(ctx, v.account.Key, all)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return storeFailed(err)
	}
	return nil
}
