package provider

import (
	"errors"
	"strings"
)

var (
	// ErrDenied means that the person, or the service, said no.
	ErrDenied = errors.New("access denied")

	// ErrState means that a callback does not belong to the login that it was
	// taken for: a stale tab, or a forgery.
	ErrState = errors.New("state does not match")

	// ErrRevoked means that a refresh token no longer works, so that the
	// person has to log in again.
	ErrRevoked = errors.New("grant revoked")
)

// An Error is a step of a login that failed at a provider.
type Error struct {
	Provider string // Info.ID
	Op       string // "begin", "exchange", "verify", "profile", "refresh", "revoke" or "logout"
	Code     string // the service's own error code, if it gave one
	Reason   string // what went wrong, as one of a fixed list of words such as "nonce_mismatch"
	Err      error
}

// Error names the provider, the step, the reason and the service's code, but
// never a token, a code, a state or a body that the service sent.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("provider ")
	b.WriteString(e.Provider)
	b.WriteString(": ")
	b.WriteString(e.Op)
	if e.Reason != "" {
		b.WriteString(": ")
		b.WriteString(e.Reason)
	}
	if e.Code != "" {
		b.WriteString(" (")
		b.WriteString(e.Code)
		b.WriteString(")")
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
