package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// A faultyDB is a database of which one statement fails.
type faultyDB struct {
	*sql.DB
	fault
}

type fault struct {
	mu  sync.Mutex
	in  int // how many statements from now
	err error
}

func (f *fault) set(in int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in, f.err = in, err
}

func (f *fault) next() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in--
	if f.in == 0 {
		return f.err
	}
	return nil
}

func (db *faultyDB) GetDBConn() (*sql.DB, error) { return db.DB, nil }

func (db *faultyDB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := db.next(); err != nil {
		return nil, err
	}
	return db.DB.ExecContext(ctx, query, args...)
}

func (db *faultyDB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := db.next(); err != nil {
		return nil, err
	}
	return db.DB.QueryContext(ctx, query, args...)
}

func (db *faultyDB) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	if err := db.next(); err != nil {
		return nil, err
	}
	tx, err := db.DB.BeginTx(ctx, opts)
	return &faultyTx{tx, &db.fault}, err
}

type faultyTx struct {
	*sql.Tx
	*fault
}

func (tx *faultyTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.next(); err != nil {
		return nil, err
	}
	return tx.Tx.ExecContext(ctx, query, args...)
}

func (tx *faultyTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.next(); err != nil {
		return nil, err
	}
	return tx.Tx.QueryContext(ctx, query, args...)
}

func (tx *faultyTx) Commit() error {
	if err := tx.next(); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Tx.Commit()
}

func openFaulty(t *testing.T) (*gormstore.Store, *faultyDB) {
	t.Helper()
	db, err := sql.Open(sqlite.DriverName, file(t)+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyDB{DB: db}
	s, err := gormstore.Open(sqlite.New(sqlite.Config{Conn: f}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, f
}

// tables are in an order in which they can be emptied.
var tables = []string{"gatepass_remembered", "gatepass_sessions", "gatepass_marks", "gatepass_accounts", "gatepass_users"}

// dump returns all rows there are.
func dump(t *testing.T, s *gormstore.Store) string {
	t.Helper()
	var b strings.Builder
	for _, table := range tables {
		var rows []map[string]any
		if err := s.DB().Table(table).Order("1, 2").Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			fmt.Fprintln(&b, table, row)
		}
	}
	return b.String()
}

// writes are what a store does in more than one statement.
func writes(ctx context.Context, s *gormstore.Store, u *store.User, a *store.Account) map[string]func() error {
	return map[string]func() error{
		"CreateUser": func() error {
			u, a := newPerson()
			return s.CreateUser(ctx, u, a)
		},
		"DeleteUser": func() error { return s.DeleteUser(ctx, u.ID) },
		"AddAccount": func() error {
			return s.AddAccount(ctx, &store.Account{Key: store.Key{Provider: "github", Subject: "third"}, UserID: u.ID})
		},
		"RemoveAccount": func() error { return s.RemoveAccount(ctx, a.Key, []string{"github"}) },
		"LeaseToken": func() error {
			_, err := s.LeaseToken(ctx, a.Key, time.Minute)
			return err
		},
		"ReplaceSessions": func() error {
			return s.ReplaceSessions(ctx, newSession(u.ID), []byte("cart"), []string{"s1", "s2"})
		},
		"ReplaceSessions, many": func() error {
			return s.ReplaceSessions(ctx, newSession(u.ID), nil, crowd(0, 60))
		},
		"CreateCounted": func() error {
			_, err := s.CreateCounted(ctx, newSession(u.ID))
			return err
		},
		"RenewSession": func() error { return s.RenewSession(ctx, "s1", newSession(u.ID)) },
		"Mark":         func() error { return s.Mark(ctx, "new", time.Now().Add(time.Hour)) },
		"Transact": func() error {
			return s.Transact(ctx, func(tx store.Store) error {
				u, a := newPerson()
				return errors.Join(tx.CreateUser(ctx, u, a), tx.PutToken(ctx, a.Key, &store.Token{Sealed: []byte("x")}),
					tx.Mark(ctx, "new", time.Now().Add(time.Hour)), tx.CreateSession(ctx, newSession(u.ID)))
			})
		},
		// As before, by someone who does not look at errors.
		"Transact, carelessly": func() error {
			return s.Transact(ctx, func(tx store.Store) error {
				u, a := newPerson()
				_ = tx.CreateUser(ctx, u, a)
				_ = tx.PutToken(ctx, a.Key, &store.Token{Sealed: []byte("x")})
				_ = tx.CreateSession(ctx, newSession(u.ID))
				return nil
			})
		},
	}
}

// crowd are the IDs of many sessions.
func crowd(from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprint("c", i))
	}
	return ids
}

// Whichever statement fails, everything is as it was.
func TestEachStatementFails(t *testing.T) {
	failed := errors.New("disk I/O error")
	for what := range writes(t.Context(), nil, &store.User{}, &store.Account{}) {
		t.Run(what, func(t *testing.T) {
			s, f := openFaulty(t)
			ctx := t.Context()
			_, u, err := s.SessionUser(ctx, signUp(t, s))
			if err != nil {
				t.Fatal(err)
			}
			accounts, err := s.UserAccounts(ctx, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.AddAccount(ctx, &store.Account{Key: store.Key{Provider: "github", Subject: "second"}, UserID: u.ID}); err != nil {
				t.Fatal(err)
			}
			begun(t, s, u.ID, append(crowd(0, 60), "s1", "s2")...)
			if err := s.CreateRemembered(ctx, newRemembered(u.ID)); err != nil {
				t.Fatal(err)
			}
			before := dump(t, s)
			do := writes(ctx, s, u, &accounts[0])[what]
			for n := 1; ; n++ {
				f.set(n, failed)
				err := do()
				f.set(0, nil)
				if err == nil {
					if n < 2 {
						t.Error("no statement failed")
					}
					if dump(t, s) == before {
						t.Error("nothing has changed, though it did not fail")
					}
					return
				}
				if !errors.Is(err, failed) {
					t.Fatalf("statement %d: got error %v, want %v", n, err, failed)
				}
				if after := dump(t, s); after != before {
					t.Fatalf("statement %d failed, and left\n%s\nof\n%s", n, after, before)
				}
				if n > 50 {
					t.Fatal("it fails for ever")
				}
			}
		})
	}
}

func TestNestedTransact(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	until := time.Now().Add(time.Hour)
	failed := errors.New("failed")
	err := s.Transact(ctx, func(tx store.Store) error {
		if err := tx.Mark(ctx, "outer", until); err != nil {
			return err
		}
		err := store.Transact(ctx, tx, func(inner store.Store) error {
			if err := inner.Mark(ctx, "inner", until); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("inner Transact: got error %v, want %v", err, failed)
		}
		return store.Transact(ctx, tx, func(inner store.Store) error { return inner.Mark(ctx, "second", until) })
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{"outer": store.ErrExists, "inner": nil, "second": store.ErrExists} {
		if err := s.Mark(ctx, id, until); !errors.Is(err, want) {
			t.Errorf("Mark(%s): got error %v, want %v", id, err, want)
		}
	}
}

// New takes a transaction of the app's, which then decides.
func TestNewInATransaction(t *testing.T) {
	for _, prepare := range []bool{false, true} {
		s := open(t, file(t))
		ctx := t.Context()
		db := s.DB().Session(&gorm.Session{PrepareStmt: prepare})
		u, a := newPerson()
		failed := errors.New("the app's own work failed")
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := gormstore.New(tx).CreateUser(ctx, u, a); err != nil {
				t.Fatal(err)
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		if _, err := s.Account(ctx, a.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after the transaction was undone: got error %v, want %v", err, store.ErrNotFound)
		}
		err = db.Transaction(func(tx *gorm.DB) error { return gormstore.New(tx).CreateUser(ctx, u, a) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Account(ctx, a.Key); err != nil {
			t.Error(err)
		}
	}
}

// Whatever logger the app has set, no key and no token reaches it.
func TestNothingIsLogged(t *testing.T) {
	var said strings.Builder
	db := own(t, sqlite.Open(file(t)))
	db.Logger = logger.New(lines{&said}, logger.Config{LogLevel: logger.Info, SlowThreshold: time.Nanosecond})
	s := migrated(t, db)
	id := signUp(t, s)
	if _, _, err := s.SessionUser(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteSession(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{id, "octocat", "INSERT INTO gatepass"} {
		if strings.Contains(said.String(), secret) {
			t.Errorf("the log has %q in it:\n%s", secret, &said)
		}
	}
}

type lines struct{ b *strings.Builder }

func (l lines) Printf(format string, args ...any) { fmt.Fprintf(l.b, format+"\n", args...) }

func TestBadText(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	u, a := newPerson()
	for _, k := range []store.Key{
		{Provider: "p", Subject: strings.Repeat("x", 256)},
		{Provider: strings.Repeat("x", 256), Subject: "1"},
		{Provider: "p", Subject: "zero\x00byte"},
		{Provider: "p", Subject: "\xff"},
	} {
		a.Key = k
		if err := s.CreateUser(ctx, u, a); !errors.Is(err, store.ErrBadText) {
			t.Errorf("CreateUser with key %.20q: got error %v, want %v", k, err, store.ErrBadText)
		}
		if err := s.CreateSession(ctx, &store.Session{ID: "s", Key: k}); !errors.Is(err, store.ErrBadText) {
			t.Errorf("CreateSession with key %.20q: got error %v, want %v", k, err, store.ErrBadText)
		}
		if err := s.DeleteToken(ctx, k); err != nil {
			t.Errorf("DeleteToken with key %.20q: %v", k, err)
		}
	}
	if err := s.Mark(ctx, strings.Repeat("x", 256), time.Now()); !errors.Is(err, store.ErrBadText) {
		t.Errorf("Mark: got error %v, want %v", err, store.ErrBadText)
	}
	if u.ID != "" || dump(t, s) != "" {
		t.Errorf("something was stored: %q\n%s", u.ID, dump(t, s))
	}
	// A profile in a wrong encoding is no reason to refuse a login.
	a.Key, a.Profile = store.Key{Provider: "p", Subject: "1"}, []byte("{\"name\":\"Ren\xe9\"}")
	if err := s.CreateUser(ctx, u, a); err != nil {
		t.Fatal(err)
	}
	got, err := s.Account(ctx, a.Key)
	if err != nil || string(got.Profile) != "{\"name\":\"Ren\ufffd\"}" {
		t.Errorf("got profile %q, %v", got.Profile, err)
	}
}
