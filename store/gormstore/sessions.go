package gormstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/gatepass/gatepass/store"
)

// appendSession appends where the columns of sessionColumns go.
func appendSession(dest []any, s *store.Session) []any {
	return append(dest, (*text)(&s.UserID), (*text)(&s.Provider), (*text)(&s.Subject), (*text)(&s.SID), (*micro)(&s.AuthTime),
		(*flag)(&s.Reauthed), (*micro)(&s.CreatedAt), (*micro)(&s.SeenAt), (*micro)(&s.ExpiresAt), (*text)(&s.UserAgent), (*text)(&s.IP),
		(*text)(&s.Issuer), (*text)(&s.Family))
}

// sessionArgs checks a session, and returns what its columns get, from the ID
// to the family. The user may be one of another store, or nobody.
func (s *Store) sessionArgs(session *store.Session) ([]any, error) {
	if err := checkKey(session.Key); err != nil {
		return nil, err
	}
	var c checker
	c.key("session ID", session.ID)
	c.text("user ID", session.UserID, 191)
	c.key("family", session.Family)
	c.texts("SID", session.SID, "issuer", session.Issuer, "user agent", session.UserAgent, "IP", session.IP)
	if c.err != nil {
		return nil, c.err
	}
	if s.padded(session.UserID) {
		return nil, fmt.Errorf("gormstore: user ID ends with a space: %w", store.ErrBadText)
	}
	// With room for what an insertion or a change has in addition.
	return append(make([]any, 0, 16), session.ID, session.UserID, session.Provider, session.Subject, session.SID,
		micros(session.AuthTime), session.Reauthed, micros(session.CreatedAt), micros(session.SeenAt), micros(session.ExpiresAt),
		session.UserAgent, session.IP, session.Issuer, session.Family), nil
}

// CreateSession implements [store.Sessions]. The user may be one of another
// store.
func (s *Store) CreateSession(ctx context.Context, session *store.Session) error {
	args, err := s.sessionArgs(session)
	if err != nil {
		return err
	}
	return s.insertSession(ctx, append(args, nil))
}

func (s *Store) insertSession(ctx context.Context, args []any) error {
	n, err := s.exec(ctx, s.sql().insertSession, args...)
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, id string) (*store.Session, error) {
	if bad(id) {
		return nil, store.ErrNotFound
	}
	session := &store.Session{ID: id}
	if err := s.one(ctx, s.sql().session, []any{id, micros(s.now())}, appendSession(nil, session)...); err != nil {
		return nil, err
	}
	return session, nil
}

// SessionUser implements [store.SessionUserFinder].
func (s *Store) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	if bad(id) {
		return nil, nil, store.ErrNotFound
	}
	// Every request comes by here: one piece of memory for both and the parameter.
	v := &struct {
		store.Session
		store.User
		args [1]any
	}{Session: store.Session{ID: id}, args: [1]any{id}}
	dest := appendUser(appendSession(make([]any, 0, 23), &v.Session), &v.User)
	dest = append(dest[:13], dest[14:]...) // the user's ID is the session's UserID
	if err := s.one(ctx, s.sql().sessionUser, v.args[:], dest...); err != nil {
		return nil, nil, err
	}
	// Not asked of the database, because few are over, and a parameter has its cost.
	// A visitor is nobody, whatever is in the table of users.
	if micros(v.ExpiresAt) <= micros(s.now()) || v.UserID == "" {
		return nil, nil, store.ErrNotFound
	}
	v.User.ID = v.UserID
	return &v.Session, &v.User, nil
}

// UserSessions implements [store.Sessions].
func (s *Store) UserSessions(ctx context.Context, userID string) ([]store.Session, error) {
	if s.badUser(userID) {
		return nil, ctx.Err()
	}
	return s.listSessions(ctx, s.sql().userSessions, userID, micros(s.now()))
}

func (s *Store) listSessions(ctx context.Context, query string, args ...any) ([]store.Session, error) {
	var found []store.Session
	err := s.query(ctx, query, func(rows *sql.Rows) error {
		var session store.Session
		if err := rows.Scan(append(appendSession(nil, &session), (*text)(&session.ID))...); err != nil {
			return err
		}
		found = append(found, session)
		return nil
	}, args...)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// TouchSession implements [store.Sessions]. If seen is older than what is
// stored, nothing moves.
func (s *Store) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	if bad(id) {
		return store.ErrNotFound
	}
	n, err := s.exec(ctx, s.sql().touchSession, micros(seen), micros(expires), micros(expires), id, micros(s.now()), micros(seen))
	if err != nil || n > 0 {
		return err
	}
	_, err = s.Session(ctx, id)
	return err
}

// DeleteSession implements [store.Sessions].
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	if bad(id) {
		return ctx.Err()
	}
	_, err := s.exec(ctx, s.sql().deleteSession, id)
	s.tell(store.Change{SessionID: id})
	return err
}

// DeleteUserSessions implements [store.Sessions].
func (s *Store) DeleteUserSessions(ctx context.Context, userID, except string) error {
	if s.badUser(userID) {
		return ctx.Err()
	}
	query, args := s.sql().deleteOthers, []any{userID, except}
	if except == "" || bad(except) {
		query, args = s.sql().deleteSessions, args[:1]
	}
	err := s.endAll(ctx, query, args...)
	s.tell(store.Change{UserID: userID})
	return err
}

// endAll runs a statement that ends a user's sessions. Where a session that is
// renewed while that statement waits for another may have moved to where it has
// looked already, it looks again, until there is none.
func (s *Store) endAll(ctx context.Context, query string, args ...any) error {
	for first := true; ; first = false {
		n, err := s.exec(ctx, query, args...)
		if err != nil || !s.sh.moves || n == 0 && !first {
			return err
		}
	}
}

// Mark implements [store.Sessions].
func (s *Store) Mark(ctx context.Context, id string, until time.Time) error {
	var c checker
	c.key("mark", id)
	if c.err != nil {
		return c.err
	}
	n, err := s.exec(ctx, s.sql().insertMark, id, micros(until))
	if err != nil || n > 0 {
		return err
	}
	// It may be over and not swept away yet.
	n, err = s.exec(ctx, s.sql().renewMark, micros(until), id, micros(s.now()))
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

// DeleteExpired implements [store.Sessions].
func (s *Store) DeleteExpired(ctx context.Context) error {
	now := micros(s.now())
	for _, query := range []string{s.sql().expiredSessions, s.sql().expiredMarks, s.sql().expiredRemembered} {
		for {
			n, err := s.exec(ctx, query, now)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
	return nil
}
