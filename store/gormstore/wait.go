package gormstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// SQLite sleeps while another process writes, and a context that ends does not
// wake it. So it is let sleep for a moment at a time, on a connection that is
// ours until we have written, and asked again for as long as it would have
// waited by itself.

// moment is how long SQLite may sleep without a look at the context.
const moment = 50 * time.Millisecond

// patiently calls try, which reports whether it had the lock, until it did.
func (s *Store) patiently(ctx context.Context, conn gorm.ConnPool, try func() (had bool, err error)) error {
	set := func(ctx context.Context, d time.Duration) error {
		_, err := conn.ExecContext(ctx, fmt.Sprint("PRAGMA busy_timeout = ", d.Milliseconds()))
		return err
	}
	if err := set(ctx, min(moment, s.sh.patience)); err != nil {
		return err
	}
	// The app's own statements on this connection go on waiting. It fails only if
	// the connection is lost, and the setting with it.
	defer func() { _ = set(context.WithoutCancel(ctx), s.sh.patience) }()
	end := time.Now().Add(s.sh.patience)
	for {
		had, err := try()
		if had || !transient(err) || !time.Now().Before(end) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// execPatiently runs one statement.
func (s *Store) execPatiently(ctx context.Context, query string, args []any) (res sql.Result, err error) {
	db, err := s.db.DB()
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = s.patiently(ctx, conn, func() (bool, error) {
		res, err = conn.ExecContext(ctx, query, args...)
		return err == nil, err
	})
	return res, err
}

// beginPatiently calls run, which sets began when its transaction has begun.
func (s *Store) beginPatiently(ctx context.Context, began *bool, run func(*gorm.DB) error) error {
	return s.db.WithContext(ctx).Connection(func(db *gorm.DB) error {
		return s.patiently(ctx, db.Statement.ConnPool, func() (bool, error) {
			err := run(db)
			return *began, err
		})
	})
}

// reads returns where a read waits for nobody, or nil if it may have to wait:
// with a write-ahead log, outside a transaction.
func (s *Store) reads(ctx context.Context) *sql.DB {
	if s.sh.patience == 0 || s.tx != nil || ctx.Done() == nil {
		return nil
	}
	db, _ := s.pool().(*sql.DB)
	return db
}

// oneAtOnce reads one row there. SQLite does so in a few microseconds, and to be
// ready to end a query with its context costs as much again, so that only the
// wait for a connection ends with it.
func oneAtOnce(ctx context.Context, db *sql.DB, query string, args, dest []any) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(context.WithoutCancel(ctx), query, args...)
	if err != nil {
		return err
	}
	return first(rows, dest)
}
