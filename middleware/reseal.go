package middleware

import (
	"context"
	"errors"
	"time"

	"github.com/gatepass/gatepass/store"
)

// resealPage is how many accounts are read at a time.
const resealPage = 500

// ResealTokens seals anew, with [Config.Secret], each token that one of
// [Config.OldSecrets] has sealed, and returns how many those were. Once every
// process has the new Secret and a run has returned no error, the old one is
// no longer needed. It may run while people log in, in several processes at
// once, and again after it was interrupted.
//
// A token that none of the secrets opens stays as it is. One that is being
// renewed is waited for. The Store must be a [store.AccountLister]; otherwise
// the error wraps [errors.ErrUnsupported].
func (a *Auth) ResealTokens(ctx context.Context) (n int, err error) {
	var after store.Key
	for {
		page, err := store.ListAccounts(ctx, a.cfg.Store, after, resealPage)
		if err == nil && len(page) == 0 {
			return n, nil
		}
		for i := range page {
			var done bool
			if done, err = a.reseal(ctx, &page[i]); err != nil {
				break
			}
			if done {
				n++
			}
		}
		if err != nil {
			err = storeFailed(err)
			return n, &Error{Op: "reseal", Reason: Reason(err), Err: err}
		}
		after = page[len(page)-1].Key
	}
}

// reseal seals the account's token with the first secret, if another one did.
func (a *Auth) reseal(ctx context.Context, acct *store.Account) (done bool, err error) {
	a.saveUnsaved(ctx, acct) // it is compared with what the store has now
	t, err := a.cfg.Store.Token(ctx, acct.Key)
	for pause := 50 * time.Millisecond; err == nil && a.tokens.stale(acct, t); pause = min(2*pause, time.Second) {
		if done, err = a.resealLeased(ctx, acct); !errors.Is(err, store.ErrLeased) {
			break
		}
		if !wait(ctx, pause) {
			return false, ctx.Err()
		}
		t, err = a.cfg.Store.Token(ctx, acct.Key)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil // it has gone meanwhile, or never was there
	}
	return done, err
}

// stale reports whether t opens with an old secret only.
func (s sealer) stale(acct *store.Account, t *store.Token) bool {
	if _, err := s[:1].open(acct, t); err == nil {
		return false
	}
	_, err := s[1:].open(acct, t)
	return err == nil
}

// resealLeased takes the token's lease first. To change the row under a renewal
// would make the renewed token lose against it, and with it the only refresh
// token that still works.
func (a *Auth) resealLeased(ctx context.Context, acct *store.Account) (done bool, err error) {
	t, err := a.cfg.Store.LeaseToken(ctx, acct.Key, renewLease)
	if err != nil {
		return false, err
	}
	// What has the lease gives it back, also if nobody waits any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	fresh := t
	if a.tokens.stale(acct, t) {
		tok, err := a.tokens.open(acct, t)
		if err != nil {
			return false, err
		}
		if fresh, err = a.tokens.seal(acct, tok); err != nil {
			return false, errors.Join(err, a.cfg.Store.SwapToken(ctx, acct.Key, t.Sealed, t))
		}
	}
	err = a.cfg.Store.SwapToken(ctx, acct.Key, t.Sealed, fresh)
	if errors.Is(err, store.ErrExists) {
		return false, nil // a login has brought another token
	}
	return err == nil && fresh != t, err
}
