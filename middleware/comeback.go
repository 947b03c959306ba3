package middleware

import (
	"context"
	"errors"
	"net/http"

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
		kept, err := finish(old, sealed)
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

// A finisher keeps the account of someone who comes back with their token, and
// begins their session, in one step of the store. Kept is what the store said, or
// an error that wraps errors.ErrUnsupported if it was not asked or cannot, and err
// is what has become of the login.
type finisher func(old, sealed *store.Token) (kept, err error)

// finisher returns the one of v's login. It begins no session that a hook may still
// refuse, that takes the place of another, that is to be remembered or that nobody
// would learn of, since the browser is gone.
func (a *Auth) finisher(ctx context.Context, w http.ResponseWriter, r *http.Request, v *arrival, who *session.Found) finisher {
	return func(old, sealed *store.Token) (kept, err error) {
		if a.cfg.OnLogin != nil || wantsRemembered(r.Context()) || r.Context().Err() != nil {
			return errors.ErrUnsupported, nil
		}
		kept = errors.ErrUnsupported
		begin := func(w http.ResponseWriter, r *http.Request, s *store.Session) error {
			return a.sessions.BeginKept(w, r, s, func(_ context.Context, s *store.Session) (n int, err error) {
				// The token must be kept even if the browser leaves, and then nobody would
				// learn of the session.
				n, kept = store.FinishLogin(ctx, a.cfg.Session.Store, a.cfg.Store, v.account, old, sealed, s)
				if kept == nil {
					err = r.Context().Err()
				}
				return n, errors.Join(kept, err)
			})
		}
		err = a.startLogin(w, r, v, a.sessionFor(v), who, begin)
		v.begun = err == nil
		return kept, err
	}
}
