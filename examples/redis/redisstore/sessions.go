package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// CreateSession implements [store.Sessions].
func (s *Store) CreateSession(ctx context.Context, session *store.Session) error {
	return s.ReplaceSessions(ctx, session, nil, nil)
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, id string) (*store.Session, error) {
	e, err := s.read(ctx, "find a session", "session", id, 0)
	if err != nil {
		return nil, err
	}
	return e.session(id)
}

// read returns an entry, with its values if values is 1.
func (s *Store) read(ctx context.Context, op, kind, id string, values int) (entry, error) {
	v, err := s.run(ctx, op, s.scripts.read, kind+":"+id, kind, id, values)
	if err != nil {
		return entry{}, err
	}
	if v == nil {
		return entry{}, store.ErrNotFound
	}
	return readEntry(v)
}

// list returns the entries of a list, in no order.
func (s *Store) list(ctx context.Context, op, kind, list, name string) ([]entry, error) {
	v, err := s.run(ctx, op, s.scripts.list, kind+"-"+list+":"+name, kind)
	if err != nil {
		return nil, err
	}
	items, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("redisstore: %s: want a list, got %T", op, v)
	}
	var all []entry
	for _, item := range items {
		e, err := readEntry(item)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// UserSessions implements [store.Sessions].
func (s *Store) UserSessions(ctx context.Context, userID string) ([]store.Session, error) {
	return s.sessions(ctx, "list a user's sessions", "user", userID)
}

func (s *Store) sessions(ctx context.Context, op, list, name string) ([]store.Session, error) {
	if name == "" {
		return nil, ctx.Err()
	}
	entries, err := s.list(ctx, op, "session", list, name)
	if err != nil {
		return nil, err
	}
	var all []store.Session
	for _, e := range entries {
		session, err := e.session(e.id)
		if err != nil {
			return nil, err
		}
		all = append(all, *session)
	}
	slices.SortFunc(all, func(a, b store.Session) int {
		return cmp.Or(b.SeenAt.Compare(a.SeenAt), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// TouchSession implements [store.Sessions]. If seen is older than what is
// stored, nothing moves.
func (s *Store) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	return s.do(ctx, "touch a session", s.scripts.touch, "session:"+id, id, seen.UnixMilli(), expires.UnixMilli())
}

// DeleteSession implements [store.Sessions].
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	err := s.do(ctx, "delete a session", s.scripts.delete, "session:"+id, "session", id)
	s.watchers.ended(id)
	return err
}

// DeleteUserSessions implements [store.Sessions].
func (s *Store) DeleteUserSessions(ctx context.Context, userID, except string) error {
	if userID == "" {
		return ctx.Err()
	}
	err := s.do(ctx, "delete a user's sessions", s.scripts.deleteUser, "session-user:"+userID, "session", except)
	s.watchers.tell(store.Change{UserID: userID})
	return err
}

// SIDSessions implements [store.SIDFinder].
func (s *Store) SIDSessions(ctx context.Context, provider, sid string) ([]store.Session, error) {
	return s.sessions(ctx, "find sessions by SID", "sid", sidName(provider, sid))
}

// Mark implements [store.Sessions].
func (s *Store) Mark(ctx context.Context, id string, until time.Time) error {
	var c checker
	c.key("mark", id)
	if c.err != nil {
		return c.err
	}
	return s.do(ctx, "mark", s.scripts.mark, "mark:"+id, until.UnixMilli(), call())
}

// Marked implements [store.MarkFinder]. Each mark is asked for by itself, because
// it may be on another node of a cluster.
func (s *Store) Marked(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if err := s.do(ctx, "find a mark", s.scripts.marked, "mark:"+id); !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ErrNotFound
}

// DeleteExpired implements [store.Sessions] and [store.Rememberer]. There is
// nothing to do: Redis removes what is over.
func (s *Store) DeleteExpired(ctx context.Context) error { return ctx.Err() }
