package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

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
	kept     bool      // in one step with its session
	begun    bool      // and that has begun
	began    time.Time // when its code left
}

// afresh forgets what a try has made that came to nothing.
func (v *arrival) afresh() { v.user, v.account, v.signedUp, v.linked = nil, nil, false, false }

// runHooks calls OnSignUp, OnLink and OnLogin, as far as they apply. If one
// fails, what this login made is removed again, so that the next try begins
// where this one did.
func (a *Auth) runHooks(ctx context.Context, v *arrival, s *store.Session, login bool) error {
	if !(v.signedUp && a.cfg.OnSignUp != nil || v.linked && a.cfg.OnLink != nil || login && a.cfg.OnLogin != nil) {
		return nil
	}
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

const undoTime = 5 * time.Second

// undo removes the user or the account that the login made. A hook may have
// taken all the time that ctx had.
func (a *Auth) undo(ctx context.Context, v *arrival) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
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
		return a.removeOwn(ctx, v.user.ID, v.account.Key, all)
	}
	return nil
}

// removeOwn removes an account of the user's. One that is not there any more,
// or has become another user's, is no error: somebody else was first.
func (a *Auth) removeOwn(ctx context.Context, userID string, k store.Key, usable []string) error {
	err := store.Transact(ctx, a.cfg.Store, func(tx store.Store) error {
		acct, err := tx.Account(ctx, k)
		if err != nil {
			return err
		}
		if acct.UserID != userID {
			return store.ErrNotFound
		}
		return tx.RemoveAccount(ctx, k, usable)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case errors.Is(err, store.ErrLastAccount):
		return because("last_method", err)
	}
	return storeFailed(err)
}
