package gormstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"
)

// SQLite sleeps while another process writes, and a context that ends does not
// wake it. So we write by a connection of our own that lets it sleep for a moment
// at a time, and ask again for as long as the app's connections would have
// waited.

// moment is how long SQLite may sleep without a look at the context.
const moment = 50 * time.Millisecond

// openWriter opens a second pool for the file of the app's, which goes on waiting
// for the time that was set for it.
func (s *Store) openWriter(ctx context.Context, app *sql.DB, dsn, file string, patience time.Duration) error {
	connect, err := connectorOf(app.Driver(), dsn)
	if err != nil {
		return fmt.Errorf("gormstore: opening the database: %w", err)
	}
	// One connection is enough for those who stand in line. There may be another
	// while one is being closed.
	writes := sql.OpenDB(hasty{connect, min(moment, patience)})
	writes.SetMaxIdleConns(1)
	// It may have to wait for the lock already, to look at the file.
	s.sh.patience = patience
	var same, mode text
	err = s.patiently(ctx, func() (bool, error) {
		err := writes.QueryRowContext(ctx, mainFile).Scan(&same)
		if err == nil && string(same) == file {
			err = writes.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
		}
		return err == nil, err
	})
	if errors.Is(err, driver.ErrSkip) || err == nil && mode != "wal" {
		// The driver cannot, the DSN means another file by now, or it sets another mode
		// each time. Then to wait is the driver's business.
		s.sh.patience = 0
		return writes.Close()
	}
	if err != nil {
		return fmt.Errorf("gormstore: opening the database: %w", errors.Join(err, writes.Close()))
	}
	s.sh.writes = writes
	return nil
}

// connectorOf does what sql.Open does with a driver that has a name.
func connectorOf(d driver.Driver, dsn string) (driver.Connector, error) {
	if d, ok := d.(driver.DriverContext); ok {
		return d.OpenConnector(dsn)
	}
	return connector{d, dsn}, nil
}

type connector struct {
	driver driver.Driver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// hasty makes connections that wait for a lock for so long only, whatever their
// DSN says: each driver has another word for it there.
type hasty struct {
	driver.Connector
	wait time.Duration
}

func (c hasty) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	exec, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(driver.ErrSkip, conn.Close())
	}
	if _, err := exec.ExecContext(ctx, fmt.Sprint("PRAGMA busy_timeout = ", c.wait.Milliseconds()), nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Close closes the driver's, as a pool does with one of its own.
func (c hasty) Close() error {
	if own, ok := c.Connector.(io.Closer); ok {
		return own.Close()
	}
	return nil
}

// patiently calls try, which reports whether it had the lock, until it did.
func (s *Store) patiently(ctx context.Context, try func() (had bool, err error)) error {
	end := time.Now().Add(s.sh.patience)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		had, err := try()
		if had || !transient(err) || !time.Now().Before(end) {
			return err
		}
		// Not every lock makes SQLite sleep.
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// execPatiently runs one statement. Once it has the lock it waits for nothing, so
// that it is not made ready to end with its context, which would cost as much as
// to run it.
func (s *Store) execPatiently(ctx context.Context, query string, args []any) (res sql.Result, err error) {
	alone := context.WithoutCancel(ctx)
	err = s.patiently(ctx, func() (bool, error) {
		res, err = s.sh.writes.ExecContext(alone, query, args...)
		return err == nil, err
	})
	return res, err
}

// beginPatiently calls run, which sets began when its transaction has begun.
func (s *Store) beginPatiently(ctx context.Context, began *bool, run func(*gorm.DB) error) error {
	db := s.db.WithContext(ctx)
	db.Statement.ConnPool = s.sh.writes
	return s.patiently(ctx, func() (bool, error) {
		err := run(db)
		return *began, err
	})
}

// atOnce returns the context for a statement. In a transaction that has the lock,
// it waits for nothing either.
func (s *Store) atOnce(ctx context.Context) (context.Context, error) {
	if s.sh.writes == nil || s.tx == nil {
		return ctx, nil
	}
	return context.WithoutCancel(ctx), ctx.Err()
}

// reads returns where a read waits for nobody, or nil if it may have to wait:
// with a write-ahead log, outside a transaction.
func (s *Store) reads(ctx context.Context) *sql.DB {
	if s.sh.writes == nil || s.tx != nil || ctx.Done() == nil {
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
