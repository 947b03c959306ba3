package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// Client returns a client that calls the provider in the current user's name,
// renewing the token when needed and keeping the new one. A URL without a host
// is resolved against the provider's API, as in Get("/user"). If the token is
// beyond repair, the error wraps [ErrNoToken], also that of a later request;
// if nobody is logged in to this Auth, [ErrNoUser].
//
// The client may outlive ctx: each request runs under its own context. The
// token goes to the provider's own hosts only.
func (a *Auth) Client(ctx context.Context, providerID string) (*http.Client, error) {
	c, err := a.client(ctx, providerID)
	if err != nil {
		return nil, &Error{Op: "client", Provider: providerID, Reason: Reason(err), Err: err}
	}
	return c, nil
}

func (a *Auth) client(ctx context.Context, providerID string) (*http.Client, error) {
	e := a.byID[providerID]
	if e == nil {
		return nil, errUnknownProvider
	}
	v := visitOf(ctx)
	if v == nil || v.auth != nil && v.auth != a {
		return nil, ErrNoUser
	}
	if v.token != nil && a.entryOf(v.account.Provider) == e {
		if v.token.AccessToken == "" {
			return nil, ErrNoToken
		}
		return provider.Client(ctx, e.Provider, *v.token), nil
	}
	if err := a.stillThere(ctx, v); err != nil {
		return nil, err
	}
	accounts, err := a.accountsOf(ctx, v, e)
	if err != nil {
		return nil, err
	}
	err = ErrNoToken
	for i := range accounts {
		var tok provider.Token
		if tok, err = a.liveToken(ctx, e, &accounts[i]); err == nil {
			c := *provider.Client(ctx, e.Provider, tok)
			c.Transport = &renewing{a, e, &accounts[i]}
			return &c, nil
		}
		if !errors.Is(err, ErrNoToken) {
			break
		}
	}
	return nil, err
}

// stillThere asks the store about a user whom the cache may have known: a
// session that was ended elsewhere a moment ago may yet be shown a page, but
// nobody acts in its user's name.
func (a *Auth) stillThere(ctx context.Context, v *visit) error {
	if !v.cached {
		return nil
	}
	_, u, err := store.SessionUser(ctx, a.cfg.Session.Store, a.cfg.Session.Users, v.session.ID)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && u.Disabled:
		return ErrNoUser
	case err != nil:
		return storeFailed(err)
	}
	return nil
}

// accountsOf returns the user's accounts at the provider, the one that they
// logged in with first, then the one used last.
func (a *Auth) accountsOf(ctx context.Context, v *visit, e *entry) ([]store.Account, error) {
	all, err := a.cfg.Store.UserAccounts(ctx, v.user.ID)
	if err != nil {
		return nil, storeFailed(err)
	}
	accounts := slices.DeleteFunc(all, func(acct store.Account) bool { return a.entryOf(acct.Provider) != e })
	slices.SortStableFunc(accounts, func(x, y store.Account) int {
		if v.session != nil && (x.Key == v.session.Key) != (y.Key == v.session.Key) {
			if x.Key == v.session.Key {
				return -1
			}
			return 1
		}
		return y.UpdatedAt.Compare(x.UpdatedAt)
	})
	return accounts, nil
}

// renewing sends each request with the token that the account has then, so that
// one that was renewed, also by another process, is used, and one that was
// withdrawn is not.
type renewing struct {
	auth *Auth
	e    *entry
	acct *store.Account
}

func (t *renewing) RoundTrip(r *http.Request) (*http.Response, error) {
	tok, err := t.auth.liveToken(r.Context(), t.e, t.acct)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, &Error{Op: "client", Provider: t.e.info.ID, Reason: Reason(err), Err: err}
	}
	c := provider.Client(r.Context(), t.e.Provider, tok)
	if c.Transport == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return c.Transport.RoundTrip(r)
}
