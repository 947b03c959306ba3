package memstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// CreateSession implements [store.Sessions].
func (s *Store) CreateSession(ctx context.Context, given *store.Session) error {
	return s.write(ctx, func(tx *transaction) error {
		if tx.sessions.get(given.ID) != nil {
			return store.ErrExists
		}
		tx.sessions.set(given.ID, newSession(given, nil))
		return nil
	})
}

// newSession returns a row that shares no memory with what it is made of.
func newSession(given *store.Session, values []byte) *session {
	row := &session{Session: *given, values: bytes.Clone(values)}
	for _, t := range []*time.Time{&row.AuthTime, &row.CreatedAt, &row.SeenAt, &row.ExpiresAt} {
		*t = utc(*t)
	}
	return row
}

// live returns the session with that ID, or nil if it is not there or over.
func (s *Store) live(from rows[string, session], id string) *session {
	row := from.get(id)
	if row == nil || !row.ExpiresAt.After(s.now()) {
		return nil
	}
	return row
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, id string) (*store.Session, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	row := s.live(s.sessions(), id)
	if row == nil {
		return nil, store.ErrNotFound
	}
	found := row.Session
	return &found, nil
}

// SessionUser implements [store.SessionUserFinder].
func (s *Store) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	found, err := s.Session(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	u, err := s.User(ctx, found.UserID)
	if err != nil {
		return nil, nil, err
	}
	return found, u, nil
}

// UserSessions implements [store.Sessions].
func (s *Store) UserSessions(ctx context.Context, userID string) ([]store.Session, error) {
	return s.list(ctx, ofUser(userID))
}

// list returns the live sessions of a group, latest seen first.
func (s *Store) list(ctx context.Context, g group) ([]store.Session, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	now := s.now()
	var list []store.Session
	for _, row := range s.sessions().members(g) {
		if row.ExpiresAt.After(now) {
			list = append(list, row.Session)
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
		old := s.live(&tx.sessions, id)
		if old == nil {
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
		tx.endSession(id)
		return nil
	})
}

// DeleteUserSessions implements [store.Sessions].
func (s *Store) DeleteUserSessions(ctx context.Context, userID, except string) error {
	return s.write(ctx, func(tx *transaction) error {
		for _, row := range tx.sessions.members(ofUser(userID)) {
			if except == "" || row.ID != except {
				tx.endSession(row.ID)
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

// DeleteExpired implements [store.Sessions] and [store.Rememberer].
func (s *Store) DeleteExpired(ctx context.Context) error {
	return s.write(ctx, func(tx *transaction) error {
		now := s.now()
		for _, id := range s.db.sessions.find(func(row *session) bool { return !row.ExpiresAt.After(now) }) {
			if row := tx.sessions.get(id); row != nil && !row.ExpiresAt.After(now) {
				tx.sessions.set(id, nil)
			}
		}
		for _, id := range s.db.remembered.find(func(row *store.Remembered) bool { return !row.ExpiresAt.After(now) }) {
			if row := tx.remembered.get(id); row != nil && !row.ExpiresAt.After(now) {
				tx.remembered.set(id, nil)
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
