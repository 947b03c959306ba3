package middleware

import (
	"context"
	"errors"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// comeBack is enter for someone whose account is there, on a store that needs no
// transaction for that. It reports false, with nothing done, if enter has to look
// at it.
func (a *Auth) comeBack(ctx context.Context, v *arrival, who *session.Found, began string, finish finisher) (done bool, err error) {
	for range maxTries {
		acct, u, old, err := store.AccountUser(ctx, a.cfg.Store, store.Key{Provider: v.e.info.ID, Subject: v.id.Subject})
		switch {
		case errors.Is(err, errors.ErrUnsupported), errors.Is(err, store.ErrNotFound), err == nil && acct.Issuer != v.id.Issuer:
			return false, nil
		case err != nil:
			return true, err
		}
		if err := mayReplace(who, began, acct.UserID); err != nil {
			return true, err
		}
		if u.Disabled {
			return true, because("user_disabled", ErrNotAdmitted)
		}
		v.user, v.account = u, acct
		a.describe(v)
		sealed := a.tokenToKeep(ctx, v, func() (*store.Token, error) { return old, nil })
		kept, err := finish(a.cfg.OnLogin == nil, func(s *store.Session) (int, error) {
			return store.FinishLogin(ctx, a.cfg.Session.Store, a.cfg.Store, acct, old, sealed, s)
		})
		if errors.Is(kept, errors.ErrUnsupported) {
			kept = store.UpdateAccountToken(ctx, a.cfg.Store, acct, old, sealed)
			err = kept
		}
		switch {
		case errors.Is(kept, store.ErrNotFound):
			return false, nil // it was removed meanwhile, or is another user's
		case !errors.Is(kept, store.ErrExists):
			return true, err
		}
	}
	return false, nil // others log in as the same person all the time, and in a transaction they wait
}
