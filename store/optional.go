package store

import (
	"context"
	"reflect"
)

// A SessionUserFinder finds a session and its user in one query.
type SessionUserFinder interface {
	Sessions

	// SessionUser returns the session with that ID and its user, or
	// ErrNotFound if either is not there or the session has expired.
	SessionUser(ctx context.Context, id string) (*Session, *User, error)
}

// SessionUser returns the session with that ID and its user, or ErrNotFound if
// either is not there. If sessions is no [SessionUserFinder], or keeps other
// users than users, as when sessions are in Redis and users in a database, it
// asks both.
func SessionUser(ctx context.Context, sessions Sessions, users Users, id string) (*Session, *User, error) {
	if f, ok := sessions.(SessionUserFinder); ok && same(sessions, users) {
		return f.SessionUser(ctx, id)
	}
	s, err := sessions.Session(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if s.UserID == "" { // a visitor's
		return nil, nil, ErrNotFound
	}
	u, err := users.User(ctx, s.UserID)
	if err != nil {
		return nil, nil, err
	}
	return s, u, nil
}

// same reports whether a and b are one store. Stores of a type that cannot be
// compared, such as a struct with a map in it, count as two: to ask both is
// slower and never wrong, and == would panic.
func same(a Sessions, b Users) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	return va.Comparable() && vb.Comparable() && any(a) == any(b)
}

// A Transactor runs f with a Store whose writes all happen, or none does.
type Transactor interface {
	Store

	// Transact runs f. If f returns an error or panics, nothing that it wrote
	// through its Store remains, and Transact returns that error. F may run
	// more than once, if the database asks for it, and must not use another
	// Store of the same database. That Store is whatever this one is of
	// [SessionReplacer], [SessionCounter], [SessionValuer], [SIDFinder],
	// [MarkFinder] and [Rememberer].
	Transact(ctx context.Context, f func(Store) error) error
}

// Transact runs f on s, in a transaction if s is a [Transactor]. Without one,
// the order of writes (account and user, token, mark, session, end of the old
// session) is such that a crash leaves only someone who can log in again.
func Transact(ctx context.Context, s Store, f func(Store) error) error {
	if t, ok := s.(Transactor); ok {
		return t.Transact(ctx, f)
	}
	return f(s)
}
