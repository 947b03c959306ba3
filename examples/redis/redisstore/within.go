package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatepass/gatepass/store"
)

// within is a joined in a transaction of the users' half. It reads sessions, and
// changes none.
type within struct{ joined }

// Transact implements [store.Transactor], within the transaction there is.
func (w *within) Transact(ctx context.Context, f func(store.Store) error) error {
	return transact(ctx, w.users, w.Store, f, w.later)
}

func refused(op string) error {
	return fmt.Errorf("redisstore: %s in a transaction, in which Redis has no part: %w", op, errors.ErrUnsupported)
}

func (w *within) CreateSession(context.Context, *store.Session) error {
	return refused("create a session")
}

func (w *within) ReplaceSessions(context.Context, *store.Session, []byte, []string) error {
	return refused("create a session")
}

func (w *within) RenewSession(context.Context, string, *store.Session) error {
	return refused("renew a session")
}

func (w *within) TouchSession(context.Context, string, time.Time, time.Time) error {
	return refused("touch a session")
}

func (w *within) SwapSessionValues(context.Context, string, []byte, []byte) error {
	return refused("swap a session's values")
}

func (w *within) DeleteSession(context.Context, string) error {
	return refused("delete a session")
}

func (w *within) DeleteUserSessions(context.Context, string, string) error {
	return refused("delete a user's sessions")
}

func (w *within) Mark(context.Context, string, time.Time) error {
	return refused("mark")
}

func (w *within) CreateRemembered(context.Context, *store.Remembered) error {
	return refused("remember a browser")
}

func (w *within) SwapRemembered(context.Context, []byte, *store.Remembered) error {
	return refused("swap a remembered browser")
}

func (w *within) DeleteRemembered(context.Context, string) error {
	return refused("forget a browser")
}

func (w *within) DeleteUserRemembered(context.Context, string, string) error {
	return refused("forget a user's browsers")
}
