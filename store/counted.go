package store

import (
	"context"
	"errors"
	"fmt"
)

// A SessionCounter stores a session and counts those of its user in one step.
type SessionCounter interface {
	Sessions

	// CreateCounted is CreateSession that also returns how many sessions s.UserID
	// has then: s, and the others that have not expired. Of those that begin at
	// the same moment it may miss some. A visitor's is counted alone. It returns
	// ErrExists if s.ID is taken. If it fails, nothing has changed.
	CreateCounted(ctx context.Context, s *Session) (n int, err error)
}

// CreateCounted stores s and returns how many sessions its user has. The error
// wraps [errors.ErrUnsupported] if sessions is no [SessionCounter].
func CreateCounted(ctx context.Context, sessions Sessions, s *Session) (n int, err error) {
	c, ok := sessions.(SessionCounter)
	if !ok {
		return 0, fmt.Errorf("store: %T cannot count sessions: %w", sessions, errors.ErrUnsupported)
	}
	return c.CreateCounted(ctx, s)
}
