package store

import (
	"context"
	"errors"
	"fmt"
)

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
	// is nil, and ErrNotFound if the account is gone or that of another user than
	// a.UserID; then nothing has changed. Of two calls at once that replace one
	// token, one gets ErrExists.
	UpdateAccountToken(ctx context.Context, a *Account, old, t *Token) error
}

// A LoginFinisher does in one step what a login of someone who has an account
// writes. A Store that wraps one, with an UpdateAccountToken, CreateSession or
// CreateCounted of its own, needs one of its own as well.
type LoginFinisher interface {
	LoginKeeper
	SessionCounter

	// FinishLogin is UpdateAccountToken and CreateCounted, both or neither, with
	// the errors of both. Of two calls at once that replace one token, one gets
	// ErrExists. A store that finds the two quicker returns an error that wraps
	// [errors.ErrUnsupported], always, and has done nothing.
	FinishLogin(ctx context.Context, a *Account, old, t *Token, session *Session) (n int, err error)
}

// AccountUser returns an account, its user and its token. The error wraps
// [errors.ErrUnsupported] if s is no [LoginKeeper].
func AccountUser(ctx context.Context, s Store, k Key) (*Account, *User, *Token, error) {
	l, ok := s.(LoginKeeper)
	if !ok {
		return nil, nil, nil, notLoginKeeper(s)
	}
	return l.AccountUser(ctx, k)
}

// UpdateAccountToken keeps an account and its token, or deletes that. The error
// wraps [errors.ErrUnsupported] if s is no [LoginKeeper].
func UpdateAccountToken(ctx context.Context, s Store, a *Account, old, t *Token) error {
	l, ok := s.(LoginKeeper)
	if !ok {
		return notLoginKeeper(s)
	}
	return l.UpdateAccountToken(ctx, a, old, t)
}

// FinishLogin keeps an account and its token, stores a session, and returns how
// many its user has. The error wraps [errors.ErrUnsupported] if sessions and s are
// two stores, or s is no [LoginFinisher] or would not be one.
func FinishLogin(ctx context.Context, sessions Sessions, s Store, a *Account, old, t *Token, session *Session) (n int, err error) {
	if f, ok := s.(LoginFinisher); ok && same(sessions, s) {
		return f.FinishLogin(ctx, a, old, t, session)
	}
	return 0, fmt.Errorf("store: %T cannot keep a login and its session in one step: %w", s, errors.ErrUnsupported)
}

func notLoginKeeper(s Store) error {
	return fmt.Errorf("store: %T cannot keep a login in one step: %w", s, errors.ErrUnsupported)
}
