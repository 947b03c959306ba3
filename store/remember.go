package store

import (
	"context"
	"time"
)

// A Remembered is a browser that may begin a session of its user without a
// login, once the one before has ended.
type Remembered struct {
	ID        string // random; the browser holds it as well, and sessions as their Family
	UserID    string
	Key              // the account that the person logged in with
	Issuer    string // of that account
	SID       string // the service's own session at that login, if it named one
	Validator []byte // hash of the secret that the browser holds
	Former    []byte // hash of the one before, nil at first
	CreatedAt time.Time
	UsedAt    time.Time // when Validator took the place of Former
	ExpiresAt time.Time
	UserAgent string
	IP        string
}

// A Rememberer keeps the browsers that are remembered. Deleting a user deletes
// theirs, if the store keeps users as well; and if it keeps sessions, it keeps
// their [Session.Family].
type Rememberer interface {
	// CreateRemembered stores a new one, or returns ErrExists.
	CreateRemembered(ctx context.Context, r *Remembered) error

	// Remembered returns the one with that ID, or ErrNotFound, also once it has
	// expired.
	Remembered(ctx context.Context, id string) (*Remembered, error)

	// SwapRemembered replaces what is stored under r.ID if the Validator there
	// still is validator; otherwise it returns ErrExists and changes nothing. It
	// returns ErrNotFound if it has ended: it never brings one back. UserID and
	// CreatedAt stay as they were.
	SwapRemembered(ctx context.Context, validator []byte, r *Remembered) error

	// UserRemembered returns a user's, latest used first, without those that
	// have expired.
	UserRemembered(ctx context.Context, userID string) ([]Remembered, error)

	// SIDRemembered returns those, of whichever user and issuer, that began with
	// that session of the provider, without those that have expired. None begins
	// with an empty SID.
	SIDRemembered(ctx context.Context, provider, sid string) ([]Remembered, error)

	// DeleteRemembered forgets one. One that is not there is no error.
	DeleteRemembered(ctx context.Context, id string) error

	// DeleteUserRemembered forgets a user's, except the one with the ID except,
	// if that is not empty.
	DeleteUserRemembered(ctx context.Context, userID, except string) error

	// DeleteExpired removes those that are over, and whatever else is.
	DeleteExpired(ctx context.Context) error
}
