package gormstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
	"gorm.io/gorm"
)

// A transaction remembers that a statement in it failed. What it has done by
// then is half of something, so that it must not be committed even if whoever
// ran it does not care.
type transaction struct {
	mu      sync.Mutex
	err     error
	changes []store.Change // to be told once they can be seen
	foreign bool           // the app's own: when it ends is not known here
}

func (tx *transaction) note(err error) error {
	if tx != nil && err != nil {
		tx.mu.Lock()
		defer tx.mu.Unlock()
		if tx.err == nil || transient(err) {
			tx.err = err
		}
	}
	return err
}

// over returns an error that has ended a transaction before its time: MySQL has
// taken all of it back, and would keep what comes after.
func (tx *transaction) over() error {
	if tx == nil {
		return nil
	}
	if err := tx.failed(); transient(err) {
		return err
	}
	return nil
}

func (tx *transaction) failed() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.err
}

// told returns what is to be told.
func (tx *transaction) told() []store.Change {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.changes
}

// Transact runs f with a Store whose writes all happen when f returns nil, and
// not at all if it fails, panics, or ctx ends before. F runs again, up to three
// times, if the database reports a deadlock or a conflict with another
// transaction. On SQLite, other writes wait until f returns.
func (s *Store) Transact(ctx context.Context, f func(store.Store) error) error {
	return s.transact(ctx, func(tx *Store) error { return f(tx) })
}

func (s *Store) transact(ctx context.Context, f func(*Store) error) error {
	if s.fail != nil {
		return s.fail
	}
	if s.tx != nil {
		if err := s.tx.over(); err != nil {
			return err
		}
		return s.begin(ctx, f)
	}
	if s.sh.prepared != nil {
		s.sh.prepared.ahead(ctx)
	}
	return s.again(ctx, func() error { return s.begin(ctx, f) })
}

// atomic runs f in the transaction there is, or in one of its own. F undoes
// what it did before it returns one of the errors of package store; any other
// ends the whole transaction.
func (s *Store) atomic(ctx context.Context, f func(*Store) error) error {
	if s.tx != nil {
		return f(s)
	}
	return s.transact(ctx, f)
}

func (s *Store) begin(ctx context.Context, f func(*Store) error) error {
	var opts []*sql.TxOptions
	if s.sh.emailKey == "email_key" {
		// MySQL's default would go on hiding a row that another transaction has
		// just committed, and that made an insertion fail.
		opts = append(opts, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	}
	began := false
	var done *transaction // as far as its commit
	run := func(db *gorm.DB) error {
		return db.Transaction(func(db *gorm.DB) error {
			began = true
			tx := &Store{Now: s.Now, db: db, sh: s.sh, tx: new(transaction)}
			if s.sh.sqlite && !s.sh.immediate && s.tx == nil {
				// A transaction that begins with a read cannot always become one that
				// writes, however long it waits. So it begins with a write.
				if _, err := tx.exec(ctx, s.sql().takeLock); err != nil {
					return err
				}
			}
			if err := f(tx); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := tx.tx.failed(); err != nil {
				return err
			}
			done = tx.tx
			return nil
		}, opts...)
	}
	var err error
	if s.sh.memory && s.tx == nil {
		// If the context of a transaction ends, database/sql closes its connection,
		// and here the database would go with it.
		err = s.db.WithContext(ctx).Connection(func(db *gorm.DB) error {
			return run(db.WithContext(context.WithoutCancel(ctx)))
		})
	} else if s.sh.writes != nil && s.tx == nil {
		err = s.beginPatiently(ctx, &began, run)
		if err != nil && done != nil {
			// Not every driver ends a transaction whose commit has failed. It fails if
			// there is none.
			_, _ = s.sh.writes.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	} else {
		err = run(s.db.WithContext(ctx))
	}
	if done != nil {
		// Even if the commit has failed: it may have come about, and the answer was
		// lost.
		s.tell(done.told()...)
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err()
	}
	if transient(err) {
		// It has ended what surrounds it as well.
		return s.tx.note(err)
	}
	return err
}

// again runs f, which changes everything or nothing, until the database no
// longer asks to try again. On SQLite, which has one writer at a time, those of
// this process stand in line: its own lock is a matter of luck, and some would
// wait too long.
func (s *Store) again(ctx context.Context, f func() error) error {
	if s.sh.writer != nil {
		select {
		case s.sh.writer <- struct{}{}:
			defer func() { <-s.sh.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for try := range 3 {
		err := f()
		if !transient(err) {
			return err
		}
		select {
		case <-time.After(s.sh.pause(try)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f()
}

// pause returns how long to wait before another try. Those whom a deadlock has
// brought together would meet again if they all waited equally long.
func (sh *shared) pause(try int) time.Duration {
	least := 10 * time.Millisecond << (2 * try)
	return least + least*time.Duration(sh.turn.Add(1)%8)/4
}

// exec runs a statement that writes, and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	n, err := s.try(ctx, query, args...)
	return n, s.tx.note(err)
}

// try is exec for a statement that may fail without an end of its transaction.
func (s *Store) try(ctx context.Context, query string, args ...any) (n int64, err error) {
	if err := cmp.Or(s.fail, s.tx.over()); err != nil {
		return 0, err
	}
	run := func() error {
		exec := s.execContext
		if s.sh.writes != nil && s.tx == nil {
			exec = s.execPatiently
		}
		ctx, err := s.atOnce(ctx)
		if err != nil {
			return err
		}
		res, err := exec(ctx, query, args)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	}
	if s.tx != nil {
		err = run()
	} else {
		err = s.again(ctx, run)
	}
	return n, err
}

// query runs a query and calls scan for each row.
func (s *Store) query(ctx context.Context, query string, scan func(*sql.Rows) error, args ...any) (err error) {
	if err := cmp.Or(s.fail, s.tx.over()); err != nil {
		return err
	}
	defer func() { s.tx.note(err) }()
	rows, err := s.queryContext(ctx, query, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// one runs a query for one row, and returns [store.ErrNotFound] if there is
// none.
func (s *Store) one(ctx context.Context, query string, args []any, dest ...any) error {
	if err := cmp.Or(s.fail, s.tx.over()); err != nil {
		return err
	}
	if db := s.reads(ctx); db != nil {
		return oneAtOnce(ctx, db, query, args, dest)
	}
	ctx, err := s.atOnce(ctx)
	if err != nil {
		return s.tx.note(err)
	}
	rows, err := s.queryContext(ctx, query, args)
	if err == nil {
		err = first(rows, dest)
	}
	if err == store.ErrNotFound {
		return err
	}
	return s.tx.note(err)
}

// first scans the first row and closes them, or returns [store.ErrNotFound] if
// there is none.
func first(rows *sql.Rows, dest []any) error {
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return store.ErrNotFound
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	return rows.Close()
}
