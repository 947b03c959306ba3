package gormstore

import (
	"context"
	"database/sql"

	"github.com/gatepass/gatepass/store"
)

// CreateCounted implements [store.SessionCounter].
func (s *Store) CreateCounted(ctx context.Context, session *store.Session) (int, error) {
	args, err := s.sessionArgs(session)
	if err != nil {
		return 0, err
	}
	args = append(args, nil)
	now, others := micros(s.now()), 0
	switch {
	case session.UserID == "": // a visitor's
	case s.sh != nil && s.sh.numbered:
		return s.insertCounted(ctx, s.sql().insertCounted, append(args, session.UserID, now))
	default:
		// Counted first, so that nothing is to be taken back if that fails. SQLite
		// is no trip away, and MySQL returns nothing from an insertion.
		if err := s.one(ctx, s.sql().countSessions, []any{session.UserID, now}, &others); err != nil {
			return 0, err
		}
	}
	if err := s.insertSession(ctx, args); err != nil {
		return 0, err
	}
	return others + 1, nil
}

// insertCounted is insertSession in a database that answers an insertion. It
// returns store.ErrExists if there was none.
func (s *Store) insertCounted(ctx context.Context, query string, args []any) (n int, err error) {
	run := func() error {
		n = 0
		return s.query(ctx, query, func(rows *sql.Rows) error {
			if err := rows.Scan(&n); err != nil {
				return err
			}
			n++ // a statement does not see the row that it inserts
			return nil
		}, args...)
	}
	if s.tx != nil {
		err = run()
	} else {
		err = s.again(ctx, run)
	}
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, store.ErrExists
	}
	return n, nil
}
