package gormstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatepass/gatepass/store"
)

// kept are values as they are kept: null if there are none.
func kept(values []byte) any {
	if len(values) == 0 {
		return nil
	}
	return values
}

func checkValues(values []byte) error {
	if len(values) > store.MaxValues {
		return fmt.Errorf("gormstore: values have %d bytes, at most %d can be kept: %w", len(values), store.MaxValues, store.ErrBadText)
	}
	return nil
}

// ReplaceSessions implements [store.SessionReplacer].
func (s *Store) ReplaceSessions(ctx context.Context, session *store.Session, values []byte, over []string) error {
	args, err := s.sessionArgs(session)
	if err != nil {
		return err
	}
	if err := checkValues(values); err != nil {
		return err
	}
	args = append(args, kept(values))
	// In order, so that two calls that end the same sessions wait for each other,
	// and do not lock each other out. The new one is not what is over.
	over = slices.DeleteFunc(slices.Clone(over), func(id string) bool { return id == session.ID || bad(id) })
	slices.Sort(over)
	over = slices.Compact(over)
	if len(over) == 0 {
		return s.insertSession(ctx, args)
	}
	return s.atomic(ctx, func(tx *Store) error {
		if err := tx.insertSession(ctx, args); err != nil {
			return err
		}
		return tx.endSessions(ctx, over)
	})
}

// endSessions ends sessions, several in one statement.
func (s *Store) endSessions(ctx context.Context, over []string) error {
	for len(over) > 0 {
		query, n := s.sql().deleteSession, 1
		switch {
		case len(over) > few:
			query, n = s.sql().deleteMany, many
		case len(over) > 1:
			query, n = s.sql().deleteFew, few
		}
		some := over[:min(n, len(over))]
		over = over[len(some):]
		if _, err := s.exec(ctx, query, filled(some, n)...); err != nil {
			return err
		}
		for _, id := range some {
			s.tell(store.Change{SessionID: id})
		}
	}
	return nil
}

// RenewSession implements [store.SessionReplacer].
func (s *Store) RenewSession(ctx context.Context, id string, session *store.Session) error {
	args, err := s.sessionArgs(session)
	if err != nil {
		return err
	}
	if bad(id) {
		return store.ErrNotFound
	}
	if id != session.ID {
		n, err := s.try(ctx, s.sql().renewSession, append(args, id, micros(s.now()))...)
		// PostgreSQL has ended the transaction. That comes of two who choose the same ID
		// at once, or never.
		if taken(err) && (s.tx == nil || !s.sh.numbered) {
			return store.ErrExists
		}
		if err != nil || n > 0 {
			s.tell(store.Change{SessionID: id})
			return s.tx.note(err)
		}
	}
	if _, err := s.Session(ctx, id); err != nil {
		return err
	}
	return store.ErrExists
}

// SIDSessions implements [store.SIDFinder].
func (s *Store) SIDSessions(ctx context.Context, provider, sid string) ([]store.Session, error) {
	if noSID(provider, sid) {
		return nil, ctx.Err()
	}
	found, err := s.listSessions(ctx, s.sql().sidSessions, sid, provider, micros(s.now()))
	return slices.DeleteFunc(found, func(v store.Session) bool { return v.Provider != provider || v.SID != sid }), err
}

// noSID reports whether nothing stored could have begun with that SID.
func noSID(provider, sid string) bool {
	var c checker
	c.key("", provider)
	c.texts("", sid)
	return sid == "" || c.err != nil
}

// Marked implements [store.MarkFinder].
func (s *Store) Marked(ctx context.Context, ids ...string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), bad)
	if len(ids) == 1 {
		return s.exists(ctx, s.sql().mark, ids[0], micros(s.now()))
	}
	for len(ids) > 0 {
		some := ids[:min(few, len(ids))]
		ids = ids[len(some):]
		args := append(filled(some, few), micros(s.now()))
		if err := s.exists(ctx, s.sql().marks, args...); !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ErrNotFound
}

// filled returns n parameters: the IDs, and the last of them again and again.
func filled(ids []string, n int) []any {
	args := make([]any, n, n+1)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	return args
}
