package redisstore

import (
	"context"
	"fmt"

	"github.com/gatepass/gatepass/store"
)

// ReplaceSessions implements [store.SessionReplacer].
func (s *Store) ReplaceSessions(ctx context.Context, session *store.Session, values []byte, over []string) error {
	f, err := sessionFields(session)
	if err == nil {
		err = checkValues(values)
	}
	if err != nil {
		return err
	}
	args := append(append([]any{"session", session.ID}, f...), values)
	for _, id := range over {
		args = append(args, id)
	}
	err = s.do(ctx, "create a session", s.scripts.create, "session:"+session.ID, args...)
	s.watchers.ended(over...)
	return err
}

// RenewSession implements [store.SessionReplacer].
func (s *Store) RenewSession(ctx context.Context, id string, session *store.Session) error {
	f, err := sessionFields(session)
	if err != nil {
		return err
	}
	err = s.do(ctx, "renew a session", s.scripts.renew, "session:"+session.ID, append([]any{session.ID, id}, f...)...)
	s.watchers.ended(id)
	return err
}

// SessionValues implements [store.SessionValuer].
func (s *Store) SessionValues(ctx context.Context, id string) (*store.Session, []byte, error) {
	e, err := s.read(ctx, "find a session's values", "session", id, 1)
	if err != nil {
		return nil, nil, err
	}
	session, err := e.session(id)
	if err != nil {
		return nil, nil, err
	}
	return session, e.value, nil
}

// SwapSessionValues implements [store.SessionValuer].
func (s *Store) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	if err := checkValues(values); err != nil {
		return err
	}
	return s.do(ctx, "swap a session's values", s.scripts.swapValues, "session:"+id, id, old, values, call())
}

func checkValues(values []byte) error {
	if len(values) > store.MaxValues {
		return fmt.Errorf("redisstore: values have %d bytes, at most %d can be kept: %w", len(values), store.MaxValues, store.ErrBadText)
	}
	return nil
}
