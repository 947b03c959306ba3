// Package store defines what the app remembers about people, their accounts
// elsewhere and their sessions.
//
// Packages [github.com/gatepass/gatepass/store/gormstore] and
// [github.com/gatepass/gatepass/store/memstore] implement it;
// [github.com/gatepass/gatepass/store/storetest] tests any implementation.
//
// # A store of your own
//
// [Store] is the least. What else a store does is seen by its type, and whatever
// it does not do has a way around or an error that wraps [errors.ErrUnsupported]:
//
//   - [SessionUserFinder]: without it, each request asks twice.
//   - [Transactor]: without it, a process that dies during a login may leave a part
//     of it, after which the person logs in again.
//   - [LoginKeeper]: without it, a login takes a transaction of some seven steps.
//   - [LoginFinisher]: without it, a login is two writes, of the account with its token
//     and of the session, and who is stopped between them logs in again.
//   - [SessionReplacer]: without it, a login or renewal takes several steps, and
//     who is stopped between them may have two sessions for a while.
//   - [SessionCounter]: without it, a login asks for the list of its user's sessions
//     before it begins one.
//   - [SessionValuer]: without it, an app keeps nothing with sessions, and visitors
//     have none. A CarryOver in the settings is refused.
//   - [SIDFinder]: without it, a service that ends a session of its own, and does
//     not say whose it was, is told that nobody was logged out.
//   - [MarkFinder]: without it, a login that is under way when the service logs its
//     user out goes on, and the service cannot say it again if the store failed.
//   - [Rememberer]: without it, a Remember in the settings is refused, unless another
//     store does it.
//   - [Watcher]: without it, what an app changes past package session holds after a
//     second, and not at once.
//   - [AccountLister]: without it, tokens cannot be sealed anew with another secret
//     all at once.
//
// A type that embeds a Store has none of them: it names each that it passes on.
//
// Lists of a user that is not there are empty. Texts that are too long for a
// store are an error, [ErrBadText], and never cut.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound means that nothing is stored under that key.
	ErrNotFound = errors.New("store: not found")

	// ErrExists means that another record has that key already.
	ErrExists = errors.New("store: already exists")

	// ErrLastAccount means that the person could not log in any more.
	ErrLastAccount = errors.New("store: last account of its user")

	// ErrAmbiguous means that several users have that email address. It wraps
	// ErrNotFound, since none of them is the one.
	ErrAmbiguous = fmt.Errorf("%w: several users have that address", ErrNotFound)

	// ErrLeased means that another caller is renewing that token.
	ErrLeased = errors.New("store: token is being renewed")

	// ErrBadText means that a text is too long for the store, or has bytes that
	// it cannot keep, such as a zero byte or what is not UTF-8.
	ErrBadText = errors.New("store: text cannot be kept")
)

// Store is all that package middleware needs. Every method must be safe for
// concurrent use and give up when its context is done. Times are kept in UTC
// to the millisecond or finer. What a method returns or was given is the
// caller's own: to change it later changes nothing that is stored.
//
// What a method has written, the next call finds, in whatever process: a Store
// over replicas asks the primary. A session is asked for a moment after it began,
// and one that ended must not be found.
//
// [github.com/gatepass/gatepass/store/storetest.Run] tests a Store.
type Store interface {
	Users
	Accounts
	Tokens
	Sessions
}

// Users keeps people.
type Users interface {
	// User returns the user with that ID, or ErrNotFound.
	User(ctx context.Context, id string) (*User, error)

	// UpdateUser replaces what is stored under u.ID, or returns ErrNotFound.
	// CreatedAt stays as it was, and UpdatedAt becomes the time of the call.
	UpdateUser(ctx context.Context, u *User) error

	// UserByEmail returns the one user whose own, verified address that is,
	// without regard to the case of ASCII letters. It returns ErrNotFound if
	// there is none, and ErrAmbiguous if there are more.
	UserByEmail(ctx context.Context, email string) (*User, error)

	// DeleteUser removes a user with their accounts, tokens and sessions.
	// Removing one who is not there is no error.
	DeleteUser(ctx context.Context, id string) error
}

// Accounts keeps the ways in which people log in. Keys are compared byte for
// byte: two that differ in case or by a space at the end are two keys.
type Accounts interface {
	// Account returns the account with that key, or ErrNotFound.
	Account(ctx context.Context, k Key) (*Account, error)

	// UserAccounts returns a user's accounts, oldest first.
	UserAccounts(ctx context.Context, userID string) ([]Account, error)

	// CreateUser stores a new user with a first account, both or neither.
	// It sets u.ID, a.UserID and those of their times that are zero. If the
	// key is taken, it returns ErrExists, also when another call took it a
	// moment ago.
	CreateUser(ctx context.Context, u *User, a *Account) error

	// AddAccount gives a user, a.UserID, one more account. It sets those of its
	// times that are zero. It returns ErrExists if the key is taken and
	// ErrNotFound if there is no such user.
	AddAccount(ctx context.Context, a *Account) error

	// UpdateAccount replaces what is stored under a.Key, or returns
	// ErrNotFound. It never moves an account to another user: UserID and
	// CreatedAt stay as they were.
	UpdateAccount(ctx context.Context, a *Account) error

	// RemoveAccount removes an account and its token, or returns ErrNotFound.
	// If its user has no other whose Key.Provider is among usable, it returns
	// ErrLastAccount; of two removals at once, one does.
	RemoveAccount(ctx context.Context, k Key, usable []string) error
}

// Tokens keeps tokens, one for each account. A token of an account that is not
// there is refused with ErrNotFound.
type Tokens interface {
	// Token returns the account's token, or ErrNotFound.
	Token(ctx context.Context, k Key) (*Token, error)

	// PutToken stores the account's token in place of the one before, and ends
	// its lease.
	PutToken(ctx context.Context, k Key, t *Token) error

	// SwapToken stores t if the token's Sealed still is old, and ends its lease.
	// Otherwise, or if there is no token, it returns ErrExists and changes
	// nothing.
	SwapToken(ctx context.Context, k Key, old []byte, t *Token) error

	// LeaseToken gives one caller, of all processes that share the store, the
	// right to renew the account's token until d has passed by the store's own
	// clock, and returns it. It returns ErrLeased while another holds it, and
	// ErrNotFound if there is no token. No lock is held in between, so that a
	// slow provider blocks nobody else's work.
	LeaseToken(ctx context.Context, k Key, d time.Duration) (*Token, error)

	// DeleteToken forgets a token. One that is not there is no error.
	DeleteToken(ctx context.Context, k Key) error
}

// Sessions keeps who is logged in where.
type Sessions interface {
	// CreateSession stores a new session, or returns ErrExists.
	CreateSession(ctx context.Context, s *Session) error

	// Session returns the session with that ID, or ErrNotFound, also once
	// it has expired.
	Session(ctx context.Context, id string) (*Session, error)

	// UserSessions returns a user's live sessions, latest seen first.
	UserSessions(ctx context.Context, userID string) ([]Session, error)

	// TouchSession moves a session's SeenAt and ExpiresAt, never backwards. It
	// returns ErrNotFound if it has ended: it never brings one back.
	TouchSession(ctx context.Context, id string, seen, expires time.Time) error

	// DeleteSession ends a session. One that is not there is no error.
	DeleteSession(ctx context.Context, id string) error

	// DeleteUserSessions ends a user's sessions, except the one with the ID
	// except, if that is not empty.
	DeleteUserSessions(ctx context.Context, userID, except string) error

	// Mark remembers that id was used, until then: the flow of a login, the token
	// of a logout. It returns ErrExists if it was; of two calls at once, one gets nil.
	Mark(ctx context.Context, id string, until time.Time) error

	// DeleteExpired removes sessions and marks that are over.
	DeleteExpired(ctx context.Context) error
}
