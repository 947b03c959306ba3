package store

import (
	"context"
	"errors"
	"fmt"
)

// A SessionReplacer puts a session in the place of others in one step. It keeps
// [Session.Issuer] and [Session.Family].
type SessionReplacer interface {
	Sessions

	// ReplaceSessions stores a new session, with values if there are any, and
	// ends those with the IDs in over, whether they are there or not; s.ID is none
	// of them. It returns ErrExists if s.ID is taken. If it fails, nothing has
	// changed. Values are given only to a [SessionValuer].
	ReplaceSessions(ctx context.Context, s *Session, values []byte, over []string) error

	// RenewSession puts s, under an ID of its own, in the place of the session
	// with that ID, whose values it gets. It returns ErrNotFound if that one has
	// ended, and ErrExists if s.ID is taken; then nothing has changed. Of two
	// calls at once for one ID, one gets ErrNotFound. DeleteUserSessions at the
	// same time ends the one or the other.
	RenewSession(ctx context.Context, id string, s *Session) error
}

// ReplaceSessions stores s and ends the sessions in over. The error wraps
// [errors.ErrUnsupported] if sessions is no [SessionReplacer].
func ReplaceSessions(ctx context.Context, sessions Sessions, s *Session, values []byte, over []string) error {
	r, ok := sessions.(SessionReplacer)
	if !ok {
		return fmt.Errorf("store: %T cannot replace sessions: %w", sessions, errors.ErrUnsupported)
	}
	return r.ReplaceSessions(ctx, s, values, over)
}

// RenewSession puts s in the place of the session with that ID. The error wraps
// [errors.ErrUnsupported] if sessions is no [SessionReplacer].
func RenewSession(ctx context.Context, sessions Sessions, id string, s *Session) error {
	r, ok := sessions.(SessionReplacer)
	if !ok {
		return fmt.Errorf("store: %T cannot renew sessions: %w", sessions, errors.ErrUnsupported)
	}
	return r.RenewSession(ctx, id, s)
}
