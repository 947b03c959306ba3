package middleware

import (
	"context"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

type contextKey struct{}

// A visit is the context of a request with a user. It is a context of its own,
// so that a request costs one allocation for it and not one for each value.
type visit struct {
	context.Context
	auth    *Auth // nil if WithUser made it
	user    store.User
	session *store.Session // shared: never given away
	cached  bool           // the store may not have been asked for this request

	// token is that of a login whose hooks run, for Client.
	token   *provider.Token
	account *store.Account
}

func (v *visit) Value(key any) any {
	if key == (contextKey{}) {
		return v
	}
	return v.Context.Value(key)
}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(contextKey{}).(*visit)
	return v
}

// CurrentUser returns who is asking, or nil for a visitor and in a handler
// that neither LoadUser nor RequireUser wraps. The User is the request's own.
func CurrentUser(ctx context.Context) *store.User {
	if v := visitOf(ctx); v != nil {
		return &v.user
	}
	return nil
}

// CurrentSession returns the session of [CurrentUser], or nil. It is the
// caller's own.
func CurrentSession(ctx context.Context) *store.Session {
	if v := visitOf(ctx); v != nil && v.session != nil {
		s := *v.session
		return &s
	}
	return nil
}

// WithUser returns a context in which u is the current user, for tests of
// handlers and for Client in a job. RequireUser is not satisfied by it, nor by
// a user whom another Auth has loaded.
func WithUser(ctx context.Context, u *store.User) context.Context {
	return &visit{Context: ctx, user: *u}
}
