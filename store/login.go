package store

import "context"

// A LoginKeeper does in one step each what a login of someone who has an account
// asks of a [Store] in several. A Store that wraps one, with an Account, User,
// Token, UpdateAccount, PutToken or DeleteToken of its own, needs both of its own as
// well.
type LoginKeeper interface {
	Store

	// AccountUser returns an account, its user, and its token or nil if there is
	// none. It returns ErrNotFound if the account or its user is not there.
	AccountUser(ctx context.Context, k Key) (*Account, *User, *Token, error)

	// UpdateAccountToken is UpdateAccount, and PutToken or, if t is nil,
	// DeleteToken: both or neither. Old is the token that AccountUser returned. It
	// returns ErrExists if Sealed is another by now, or if there is a token where old
	// is nil, and ErrNotFound if the account is gone; then nothing has changed.
	UpdateAccountToken(ctx context.Context, a *Account, old, t *Token) error
}
