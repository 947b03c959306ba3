package store

import (
	"context"
	"errors"
	"fmt"
)

// MaxValues is how many bytes of values a [SessionValuer] must be able to keep
// for one session.
const MaxValues = 64 << 10

// A SessionValuer keeps an app's own values with a session. It also keeps
// sessions of visitors, whose UserID is empty: no SessionUser, UserSessions or
// DeleteUserSessions ever means one of them.
type SessionValuer interface {
	Sessions

	// SessionValues returns the session with that ID and its values, which are
	// empty if it has none, or ErrNotFound.
	SessionValues(ctx context.Context, id string) (*Session, []byte, error)

	// SwapSessionValues stores values, in place of old, with the session. It
	// returns ErrExists if its values are not old, and ErrNotFound if it has ended:
	// it never brings one back. Then nothing has changed. No values are the same as
	// empty ones. More than [MaxValues] bytes may be refused with ErrBadText.
	SwapSessionValues(ctx context.Context, id string, old, values []byte) error
}

// SessionValues returns the session with that ID and its values. The error wraps
// [errors.ErrUnsupported] if sessions is no [SessionValuer].
func SessionValues(ctx context.Context, sessions Sessions, id string) (*Session, []byte, error) {
	v, ok := sessions.(SessionValuer)
	if !ok {
		return nil, nil, noValues(sessions)
	}
	return v.SessionValues(ctx, id)
}

// SwapSessionValues stores values in place of old. The error wraps
// [errors.ErrUnsupported] if sessions is no [SessionValuer].
func SwapSessionValues(ctx context.Context, sessions Sessions, id string, old, values []byte) error {
	v, ok := sessions.(SessionValuer)
	if !ok {
		return noValues(sessions)
	}
	return v.SwapSessionValues(ctx, id, old, values)
}

func noValues(sessions Sessions) error {
	return fmt.Errorf("store: %T cannot keep values with sessions: %w", sessions, errors.ErrUnsupported)
}
