package middleware

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// A finisher begins the session of a login in the step of the store in which keep
// keeps the rest of it, all or nothing: free says that no hook of the app's comes
// between the two. Kept is what keep returned, or an error that wraps
// errors.ErrUnsupported if it was not called or cannot do that; then the login is
// to be kept by itself. Err is what has become of the login.
//
// Keep is given the session when its user and account are known. It returns how
// many the user has then, and -1 if it has not come so far as to store it.
type finisher func(free bool, keep func(*store.Session) (n int, err error)) (kept, err error)

// finisher returns the one of v's login. It leaves alone a session that is to be
// remembered, that takes the place of another, or that nobody would learn of, since
// the browser is gone.
func (a *Auth) finisher(w http.ResponseWriter, r *http.Request, v *arrival, who *session.Found) finisher {
	return func(free bool, keep func(*store.Session) (int, error)) (kept, err error) {
		if !free || wantsRemembered(r.Context()) || r.Context().Err() != nil {
			return errors.ErrUnsupported, nil
		}
		kept = errors.ErrUnsupported
		s := a.sessionFor(v)
		begin := func(w http.ResponseWriter, r *http.Request, s *store.Session) error {
			return a.sessions.BeginKept(w, r, s, func(_ context.Context, s *store.Session) (n int, err error) {
				// It does not end with the request: the service's new token must be kept
				// even if the browser leaves. Then nobody would learn of the session.
				n, kept = keep(s)
				switch {
				case n < 0:
					return 0, errors.ErrUnsupported
				case kept != nil:
					return 0, kept
				}
				return n, r.Context().Err()
			})
		}
		err = a.startLogin(w, r, v, s, who, begin)
		if errors.Is(kept, store.ErrBadText) || kept != nil && errors.Is(err, errors.ErrUnsupported) {
			err = kept // the login's, and not that of a store which failed to begin a session
		}
		v.kept, v.begun = kept == nil, err == nil
		return kept, err
	}
}

// keepNew is one try of welcome for whom comeBack knows nothing of.
func (a *Auth) keepNew(ctx context.Context, v *arrival, who *session.Found, began string, finish finisher) (kept, err error) {
	free := a.oneStore && a.cfg.OnSignUp == nil && a.cfg.OnLink == nil && a.cfg.OnLogin == nil
	kept, err = finish(free, func(s *store.Session) (n int, err error) {
		err = store.Transact(ctx, a.cfg.Store, func(tx store.Store) error {
			n = -1
			if err := a.enter(ctx, tx, v, who, began); err != nil {
				return err
			}
			v.owns(s)
			n, err = store.CreateCounted(ctx, tx, s)
			return err
		})
		return n, err
	})
	if !errors.Is(kept, errors.ErrUnsupported) {
		return kept, err
	}
	err = store.Transact(ctx, a.cfg.Store, func(tx store.Store) error { return a.enter(ctx, tx, v, who, began) })
	return err, err
}
