package gormstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// An ownDriver is SQLite's as an app wraps it. It counts its connectors.
type ownDriver struct {
	sqlite3.SQLiteDriver
	made, closed atomic.Int32
	wrap         func(driver.Conn) driver.Conn // nil to leave it
	elsewhere    string                        // what all but the first connector opens, "" for what it is asked for
}

type ownConnector struct {
	d   *ownDriver
	dsn string
}

func (d *ownDriver) OpenConnector(dsn string) (driver.Connector, error) {
	if d.made.Add(1) > 1 && d.elsewhere != "" {
		dsn = d.elsewhere
	}
	return ownConnector{d, dsn}, nil
}

func (c ownConnector) Driver() driver.Driver { return c.d }

func (c ownConnector) Close() error {
	c.d.closed.Add(1)
	return nil
}

func (c ownConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.d.Open(c.dsn)
	if err == nil && c.d.wrap != nil {
		conn = c.d.wrap(conn)
	}
	return conn, err
}

// openBy opens a database by d and lets the store write both ways.
func openBy(t *testing.T, d *ownDriver) *gormstore.Store {
	t.Helper()
	name := t.Name() + rand.Text() // a test may run more than once
	sql.Register(name, d)
	s, err := gormstore.Open(sqlite.New(sqlite.Config{DriverName: name, DSN: file(t)}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for how, mark := range marks(s) {
		if err := mark(t.Context(), how); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if err := s.Marked(t.Context(), how); err != nil {
			t.Errorf("%s: a read after the write: %v", how, err)
		}
	}
	return s
}

// Each connector of a driver is closed with the Store.
func TestCloseClosesConnectors(t *testing.T) {
	d := new(ownDriver)
	s := openBy(t, d)
	if s.Writes() == nil {
		t.Error("got no connection for writes alone")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if made, closed := d.made.Load(), d.closed.Load(); made != 2 || closed != 2 {
		t.Errorf("got %d connectors, of which %d are closed, want 2 and 2", made, closed)
	}
}

// A connection that can only prepare statements, as the oldest drivers have.
type plainConn struct {
	driver.Conn
	open *atomic.Int32
}

func (c plainConn) Close() error {
	c.open.Add(-1)
	return c.Conn.Close()
}

// Where a second connection cannot be had, or is to another file, the app's serve
// for writes as well.
func TestOneKindOfConnection(t *testing.T) {
	var conns atomic.Int32
	plain := func(c driver.Conn) driver.Conn {
		conns.Add(1)
		return plainConn{c, &conns}
	}
	other := file(t)
	open(t, other) // it has a log as well
	for what, d := range map[string]*ownDriver{
		"a driver that only prepares": {wrap: plain},
		"another file":                {elsewhere: other},
	} {
		t.Run(what, func(t *testing.T) {
			s := openBy(t, d)
			if s.Writes() != nil {
				t.Error("got a connection for writes alone")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if made, closed := d.made.Load(), d.closed.Load(); made != 2 || closed != 2 {
				t.Errorf("got %d connectors, of which %d are closed, want 2 and 2", made, closed)
			}
			if n := conns.Load(); n != 0 {
				t.Errorf("got %d connections that are still open, want 0", n)
			}
		})
	}
}

// An ownDialector does with each connection what its driver does not.
type ownDialector struct{ sqlite.Dialector }

type dialectorsConnector struct{ ownConnector }

func (dialectorsConnector) Driver() driver.Driver { return new(sqlite3.SQLiteDriver) }

func (d *ownDialector) Initialize(db *gorm.DB) error {
	each := &ownDriver{wrap: func(c driver.Conn) driver.Conn {
		if err := c.(*sqlite3.SQLiteConn).RegisterFunc("audit", func(string) int { return 1 }, true); err != nil {
			panic(err)
		}
		return c
	}}
	d.Conn = sql.OpenDB(dialectorsConnector{ownConnector{each, d.DSN}})
	return d.Dialector.Initialize(db)
}

// What the app does with each of its connections holds for what the store writes.
func TestDialectorOfTheApps(t *testing.T) {
	s, err := gormstore.Open(&ownDialector{sqlite.Dialector{DSN: "file:" + file(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.DB().Exec("CREATE TRIGGER audit AFTER INSERT ON gatepass_marks BEGIN SELECT audit(new.id); END").Error; err != nil {
		t.Fatal(err)
	}
	for how, mark := range marks(s) {
		if err := mark(t.Context(), how); err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
	// Transactions begin with the write lock all the same.
	write(t, 8, 5, func(int) store.Store { return s })
}
