package middleware

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// Times of a renewal. The call and the writing of its answer together take less
// than half the lease, so that nobody else begins while they go on.
const (
	renewLease = 30 * time.Second
	renewAll   = 15 * time.Second
	renewCall  = 10 * time.Second
	renewWait  = 12 * time.Second // for another process that renews
	renewAgain = 30 * time.Second // after a failure that says nothing of the grant
	renewEarly = 5 * time.Minute
)

var errBusy = errors.New("another process is renewing the token")

// due reports whether it is time to renew tok: a while before it expires, but
// not while most of its life is ahead.
func (a *Auth) due(tok keptToken) bool {
	if tok.Expiry.IsZero() {
		return false
	}
	early := renewEarly
	if life := tok.Expiry.Sub(tok.KeptAt); !tok.KeptAt.IsZero() && life/5 < early {
		early = max(life/5, 0)
	}
	return !a.now().Before(tok.Expiry.Add(-early))
}

// expired reports whether the service would refuse tok.
func (a *Auth) expired(tok keptToken) bool {
	return tok.AccessToken == "" || !tok.Expiry.IsZero() && !a.now().Before(tok.Expiry)
}

// liveToken returns the account's token, renewed if it is time. The error wraps
// ErrNoToken if the person has to log in again.
func (a *Auth) liveToken(ctx context.Context, e *entry, acct *store.Account) (provider.Token, error) {
	tok, err := a.openToken(ctx, acct)
	if err != nil {
		return provider.Token{}, err
	}
	if !a.due(tok) {
		if tok.AccessToken == "" {
			return provider.Token{}, ErrNoToken
		}
		return tok.Token, nil
	}
	if tok.RefreshToken == "" || a.unsaved.resting(acct.Key, a.now()) {
		if !a.expired(tok) {
			return tok.Token, nil
		}
		if tok.RefreshToken == "" {
			return provider.Token{}, because("token_expired", ErrNoToken)
		}
		return provider.Token{}, triedBefore(e)
	}
	done := a.renewals.DoChan(acct.Provider+"\x00"+acct.Subject, func() (fresh any, err error) {
		// Any panic in this goroutine, also one that only a handler may let
		// through, would end the program.
		defer func() {
			if p := recover(); p != nil {
				err = panicked(p)
			}
		}()
		// Another may have tried since, and have failed.
		if a.unsaved.resting(acct.Key, a.now()) {
			return nil, triedBefore(e)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewAll)
		defer cancel()
		return a.renew(ctx, e, acct)
	})
	select {
	case <-ctx.Done():
		return provider.Token{}, asProviderError(e, "refresh", ctx.Err())
	case res := <-done:
		if res.Err == nil {
			return res.Val.(keptToken).Token, nil
		}
		if !errors.Is(res.Err, ErrNoToken) && !a.expired(tok) {
			return tok.Token, nil
		}
		return provider.Token{}, res.Err
	}
}

func triedBefore(e *entry) error {
	return &provider.Error{Provider: e.info.ID, Op: "refresh", Reason: "provider_unavailable", Err: errors.New("tried a moment ago")}
}

// renew trades the account's refresh token for a new token, once among all
// processes that share the store.
func (a *Auth) renew(ctx context.Context, e *entry, acct *store.Account) (keptToken, error) {
	leased, err := a.cfg.Store.LeaseToken(ctx, acct.Key, renewLease)
	if errors.Is(err, store.ErrLeased) {
		var tok keptToken
		if leased, tok, err = a.awaitRenewal(ctx, acct); leased == nil {
			return tok, err
		}
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return keptToken{}, ErrNoToken
	case err != nil:
		return keptToken{}, storeFailed(err)
	}
	// Whatever the wait has taken, the call has its full time: one that is cut
	// short may have used up the refresh token. It all stays within the lease.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewAll)
	defer cancel()
	release := func() { _ = a.cfg.Store.SwapToken(ctx, acct.Key, leased.Sealed, leased) }
	tok, err := a.openStored(ctx, acct, leased)
	if err != nil {
		release()
		return keptToken{}, err
	}
	if !a.due(tok) {
		release() // another process was first
		return tok, nil
	}
	if tok.RefreshToken == "" {
		release()
		return keptToken{}, because("token_expired", ErrNoToken)
	}
	fresh, err := a.refresh(ctx, e, tok.Token)
	switch {
	case errors.Is(err, provider.ErrRevoked):
		return a.grantGone(ctx, acct, leased, tok)
	case err != nil:
		release()
		if errors.Is(err, errors.ErrUnsupported) {
			return keptToken{}, because("token_expired", ErrNoToken)
		}
		a.unsaved.rest(acct.Key, a.now().Add(renewAgain))
		return keptToken{}, asProviderError(e, "refresh", err)
	}
	return a.keepRenewed(ctx, e, acct, leased, tok, fresh)
}

// refresh asks the provider for a new token. A panic of its code is an error,
// so that the lease ends.
func (a *Auth) refresh(ctx context.Context, e *entry, old provider.Token) (fresh provider.Token, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, renewCall)
	defer cancel()
	fresh, err = provider.Refresh(ctx, e.Provider, old)
	if err == nil && fresh.AccessToken == "" {
		err = &provider.Error{Provider: e.info.ID, Op: "refresh", Reason: "token_invalid", Err: errors.New("no access token")}
	}
	return fresh, err
}

// keepRenewed stores a renewed token in place of the leased one. If a login has
// stored another in the meantime, that one is used; ours is not withdrawn,
// since many services would withdraw the whole grant.
func (a *Auth) keepRenewed(ctx context.Context, e *entry, acct *store.Account, leased *store.Token, old keptToken, fresh provider.Token) (keptToken, error) {
	if fresh.RefreshToken == "" {
		fresh.RefreshToken = old.RefreshToken
	}
	if fresh.IDToken == "" {
		fresh.IDToken = old.IDToken
	}
	if len(fresh.Scopes) == 0 {
		fresh.Scopes = old.Scopes
	}
	kept := keptToken{fresh, a.now()}
	sealed, err := a.tokens.seal(acct, kept)
	if err != nil {
		return keptToken{}, because("token_too_big", ErrNoToken)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, pause := range []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 800 * time.Millisecond} {
		if pause > 0 && !wait(ctx, pause) {
			break
		}
		err = a.cfg.Store.SwapToken(ctx, acct.Key, leased.Sealed, sealed)
		if err == nil || errors.Is(err, store.ErrExists) {
			break
		}
	}
	switch {
	case errors.Is(err, store.ErrExists):
		return a.openToken(ctx, acct)
	case err != nil:
		a.event(ctx, "token_unsaved", e.info.ID, err)
		a.unsaved.keep(acct.Key, leased.Sealed, sealed)
		return kept, nil
	}
	if a.cfg.OnRenew != nil {
		a.after(ctx, "on_renew_failed", e.info.ID, func() error {
			u, err := a.cfg.Store.User(ctx, acct.UserID)
			if err != nil {
				return err
			}
			return a.cfg.OnRenew(ctx, u, *acct)
		})
	}
	return kept, nil
}

// grantGone answers a refresh token that the service refused. If somebody has
// stored another in the meantime, that one is used. Otherwise the refresh token
// is dropped, so that the service is asked once and not at each request.
func (a *Auth) grantGone(ctx context.Context, acct *store.Account, leased *store.Token, tok keptToken) (keptToken, error) {
	tok.RefreshToken = ""
	if sealed, err := a.tokens.seal(acct, tok); err == nil {
		err = a.cfg.Store.SwapToken(ctx, acct.Key, leased.Sealed, sealed)
		if errors.Is(err, store.ErrExists) {
			if other, err := a.openToken(ctx, acct); err == nil && !a.expired(other) {
				return other, nil
			}
		}
	}
	a.event(ctx, "grant_gone", acct.Provider, nil)
	return keptToken{}, because("needs_reauth", errors.Join(ErrNoToken, provider.ErrRevoked))
}

// awaitRenewal waits for the process that holds the lease. It returns the lease
// itself if that process gave it back, or died, without a new token.
func (a *Auth) awaitRenewal(ctx context.Context, acct *store.Account) (*store.Token, keptToken, error) {
	ctx, cancel := context.WithTimeout(ctx, renewWait)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		tok, err := a.openToken(ctx, acct)
		switch {
		case errors.Is(err, ErrNoToken), err == nil && !a.expired(tok):
			return nil, tok, err
		case err == nil && tok.RefreshToken == "":
			return nil, keptToken{}, because("needs_reauth", ErrNoToken)
		}
		if !wait(ctx, pause) {
			return nil, keptToken{}, storeFailed(errBusy)
		}
		if leased, err := a.cfg.Store.LeaseToken(ctx, acct.Key, renewLease); err == nil {
			return leased, keptToken{}, nil
		}
	}
}

// wait reports whether d has passed before ctx was done.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// maxUnsaved bounds what a process remembers of renewals that went wrong.
const maxUnsaved = 1024

// unsaved holds renewed tokens that the store would not take, until it does,
// and the accounts whose provider is left alone for a while. The refresh token
// that the store still has is used up, so that to forget them would be to log
// people out.
type unsaved struct {
	mu     sync.Mutex
	tokens map[store.Key]unsavedToken
	until  map[store.Key]time.Time
}

type unsavedToken struct {
	old   []byte
	fresh *store.Token
}

func (u *unsaved) keep(k store.Key, old []byte, fresh *store.Token) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tokens == nil {
		u.tokens = make(map[store.Key]unsavedToken)
	}
	if len(u.tokens) < maxUnsaved {
		u.tokens[k] = unsavedToken{bytes.Clone(old), fresh}
	}
}

func (u *unsaved) rest(k store.Key, until time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil || len(u.until) >= maxUnsaved {
		u.until = make(map[store.Key]time.Time)
	}
	u.until[k] = until
}

func (u *unsaved) resting(k store.Key, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until[k])
}

// saveUnsaved tries again to store a renewed token of the account and returns
// it, if there is one.
func (a *Auth) saveUnsaved(ctx context.Context, acct *store.Account) (keptToken, bool) {
	u := &a.unsaved
	u.mu.Lock()
	t, ok := u.tokens[acct.Key]
	u.mu.Unlock()
	if !ok {
		return keptToken{}, false
	}
	err := a.cfg.Store.SwapToken(ctx, acct.Key, t.old, t.fresh)
	if err == nil || errors.Is(err, store.ErrExists) {
		u.mu.Lock()
		delete(u.tokens, acct.Key)
		u.mu.Unlock()
	}
	if errors.Is(err, store.ErrExists) {
		return keptToken{}, false
	}
	tok, err := a.tokens.open(acct, t.fresh)
	return tok, err == nil
}
