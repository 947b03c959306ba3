package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// CreateSession implements [store.Sessions].
func (s *Store) CreateSession(ctx context.Context, session *store.Session) error {
	return s.write(ctx, func(tx *transaction) error {
		if tx.sessions.get(session.ID) != nil {
			return store.ErrExists
		}
		row := *session
		for _, t := range []*time.Time{&row.AuthTime, &row.CreatedAt, &row.SeenAt, &row.ExpiresAt} {
			*t = utc(*t)
		}
		tx.sessions.set(row.ID, &row)
		return nil
	})
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, id string) (*store.Session, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	row := s.sessions().get(id)
	if row == nil || !row.ExpiresAt.After(s.now()) {
		return nil, store.ErrNotFound
	}
	session := *row
	return &session, nil
}

// SessionUser implements [store.SessionUserFinder].
func (s *Store) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	session, err := s.Session(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	u, err := s.User(ctx, session.UserID)
	if err != nil {
		return nil, nil, err
	}
	return session, u, nil
}

// UserSessions implements [store.Sessions].
func (s *Store) UserSessions(ctx context.Context, userID string) ([]store.Session, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	now := s.now()
	var list []store.Session
	for _, row := range s.sessions().members(userID) {
		if row.ExpiresAt.After(now) {
			list = append(list, *row)
		}
	}
	slices.SortFunc(list, func(a, b store.Session) int {
		return cmp.Or(b.SeenAt.Compare(a.SeenAt), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// TouchSession implements [store.Sessions]. If seen is older than what is
// stored, nothing moves.
func (s *Store) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	return s.write(ctx, func(tx *transaction) error {
		old := tx.sessions.get(id)
		if old == nil || !old.ExpiresAt.After(s.now()) {
			return store.ErrNotFound
		}
		if seen.Before(old.SeenAt) {
			return nil
		}
		row := *old
		row.SeenAt = utc(seen)
		if expires.After(row.ExpiresAt) {
			row.ExpiresAt = utc(expires)
		}
		tx.sessions.set(id, &row)
		return nil
	})
}

// DeleteSession implements [store.Sessions].
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.sessions.set(id, nil)
		return nil
	})
}

// DeleteUserSessions implements [store.Sessions].
func (s *Store) DeleteUserSessions(ctx context.Context, userID, except string) error {
	return s.write(ctx, func(tx *transaction) error {
		for _, row := range tx.sessions.members(userID) {
			if except == "" || row.ID != except {
				tx.sessions.set(row.ID, nil)
			}
		}
		return nil
	})
}

// Mark implements [store.Sessions].
func (s *Store) Mark(ctx context.Context, id string, until time.Time) error {
	return s.write(ctx, func(tx *transaction) error {
		if old := tx.marks.get(id); old != nil && old.After(s.now()) {
			return store.ErrExists
		}
		until = utc(until)
		tx.marks.set(id, &until)
		return nil
	})
}

// DeleteExpired implements [store.Sessions].
func (s *Store) DeleteExpired(ctx context.Context) error {
	return s.write(ctx, func(tx *transaction) error {
		now := s.now()
		for _, id := range s.db.sessions.find(func(row *store.Session) bool { return !row.ExpiresAt.After(now) }) {
			if row := tx.sessions.get(id); row != nil && !row.ExpiresAt.After(now) {
				tx.sessions.set(id, nil)
			}
		}
		for _, id := range s.db.marks.find(func(until *time.Time) bool { return !until.After(now) }) {
			if until := tx.marks.get(id); until != nil && !until.After(now) {
				tx.marks.set(id, nil)
			}
		}
		return nil
	})
}
