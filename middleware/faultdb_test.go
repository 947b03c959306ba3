package middleware_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
)

// A fault is what goes wrong with one statement, where to begin and to commit
// are statements as well.
type fault string

const (
	fails    fault = "the statement fails"
	dropped  fault = "the connection breaks before the statement"
	answer   fault = "the connection breaks after the statement, before its answer"
	cancels  fault = "the caller gives up"
	goneIdle fault = "the connection turns out to be stale"
)

var (
	errStatement = errors.New("disk I/O error")
	errBroken    = errors.New("connection reset by peer")
)

// A faultDB is a driver of SQLite that lets one statement go wrong.
type faultDB struct {
	mu     sync.Mutex
	in     int // how many statements from now; 0 for never
	what   fault
	fired  bool
	cancel context.CancelFunc
}

// openFaulty opens a new database by way of a faultDB, with the parameters that
// gormstore gives to any.
func openFaulty(t *testing.T) (*gormstore.Store, *faultDB) {
	t.Helper()
	f := new(faultDB)
	name := "faulty " + t.Name() + " " + rand.Text() // a test may run more than once
	sql.Register(name, f)
	s, err := gormstore.Open(sqlite.New(sqlite.Config{DriverName: name, DSN: filepath.Join(t.TempDir(), "app.db")}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, f
}

// arm makes the n-th statement from now go wrong. Cancel is called for cancels.
func (f *faultDB) arm(n int, what fault, cancel context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in, f.what, f.fired, f.cancel = n, what, false, cancel
}

// disarm reports whether the fault has happened.
func (f *faultDB) disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in = 0
	return f.fired
}

func (f *faultDB) next() fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.in == 0 {
		return ""
	}
	if f.in--; f.in > 0 {
		return ""
	}
	f.fired = true
	if f.what == cancels {
		f.cancel()
	}
	return f.what
}

// Open implements [driver.Driver].
func (f *faultDB) Open(dsn string) (driver.Conn, error) {
	c, err := new(sqlite3.SQLiteDriver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &faultConn{SQLiteConn: c.(*sqlite3.SQLiteConn), f: f}, nil
}

type faultConn struct {
	*sqlite3.SQLiteConn
	f      *faultDB
	broken bool // database/sql uses a connection from one goroutine at a time
}

// hangUp does what a server does whose connection is gone: what was not
// committed is undone.
func (c *faultConn) hangUp() {
	if !c.broken {
		c.broken = true
		_, _ = c.SQLiteConn.ExecContext(context.Background(), "ROLLBACK", nil)
		_ = c.SQLiteConn.Close()
	}
}

// do runs a statement, unless it goes wrong.
func (c *faultConn) do(statement func() error) error {
	if c.broken {
		return driver.ErrBadConn
	}
	switch c.f.next() {
	case fails:
		return errStatement
	case dropped:
		c.hangUp()
		return errBroken
	case goneIdle:
		c.hangUp()
		return driver.ErrBadConn
	case answer:
		if err := statement(); err != nil {
			return err
		}
		c.hangUp()
		return errBroken
	}
	return statement()
}

func (c *faultConn) IsValid() bool { return !c.broken }

func (c *faultConn) ResetSession(context.Context) error {
	if c.broken {
		return driver.ErrBadConn
	}
	return nil
}

func (c *faultConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.do(func() (err error) {
		res, err = c.SQLiteConn.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c *faultConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.do(func() (err error) {
		rows, err = c.SQLiteConn.QueryContext(ctx, query, args)
		return err
	})
	if err != nil && rows != nil {
		_ = rows.Close()
		rows = nil
	}
	return rows, err
}

func (c *faultConn) PrepareContext(ctx context.Context, query string) (st driver.Stmt, err error) {
	err = c.do(func() (err error) {
		st, err = c.SQLiteConn.PrepareContext(ctx, query)
		return err
	})
	return st, err
}

func (c *faultConn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	err = c.do(func() (err error) {
		tx, err = c.SQLiteConn.BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &faultTx{tx, c}, nil
}

type faultTx struct {
	driver.Tx
	c *faultConn
}

func (tx *faultTx) Commit() error {
	err := tx.c.do(tx.Tx.Commit)
	if errors.Is(err, errStatement) {
		// As SQLite does when it cannot write: it takes everything back.
		_ = tx.Tx.Rollback()
	}
	return err
}

func (tx *faultTx) Rollback() error {
	if tx.c.broken {
		return driver.ErrBadConn
	}
	return tx.Tx.Rollback()
}
