package store

import (
	"context"
	"errors"
	"fmt"
)

// A SIDFinder finds sessions by what a service calls its own, for a service that
// says which of them has ended. It keeps [Session.Issuer].
type SIDFinder interface {
	Sessions

	// SIDSessions returns the live sessions, of whichever user and issuer, that
	// began with that session of the provider. None begins with an empty SID.
	SIDSessions(ctx context.Context, provider, sid string) ([]Session, error)
}

// SIDSessions returns the sessions that began with that one of the provider. The
// error wraps [errors.ErrUnsupported] if sessions is no [SIDFinder].
func SIDSessions(ctx context.Context, sessions Sessions, provider, sid string) ([]Session, error) {
	f, ok := sessions.(SIDFinder)
	if !ok {
		return nil, fmt.Errorf("store: %T cannot find sessions by SID: %w", sessions, errors.ErrUnsupported)
	}
	return f.SIDSessions(ctx, provider, sid)
}

// A MarkFinder tells whether something is marked, without marking it.
type MarkFinder interface {
	Sessions

	// Marked returns nil if Mark was called with one of those IDs and its time has
	// not come, and ErrNotFound otherwise.
	Marked(ctx context.Context, ids ...string) error
}

// Marked returns nil if one of the IDs is marked, or ErrNotFound. The error wraps
// [errors.ErrUnsupported] if sessions is no [MarkFinder].
func Marked(ctx context.Context, sessions Sessions, ids ...string) error {
	f, ok := sessions.(MarkFinder)
	if !ok {
		return fmt.Errorf("store: %T cannot find marks: %w", sessions, errors.ErrUnsupported)
	}
	return f.Marked(ctx, ids...)
}
