package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// heard is what a watcher was told.
type heard struct {
	mu   sync.Mutex
	list []store.Change
}

func (h *heard) note(c store.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, c)
}

func (h *heard) take() []store.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list
	h.list = nil
	return list
}

func user(id string) store.Change    { return store.Change{UserID: id} }
func session(id string) store.Change { return store.Change{SessionID: id} }

func TestWatch(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	_, u, err := s.SessionUser(ctx, signUp(t, s))
	if err != nil {
		t.Fatal(err)
	}
	begun(t, s, u.ID, append(crowd(0, 10), "s1", "s2")...)
	var h heard
	stop := s.Watch(h.note)
	later := time.Now().Add(2 * time.Hour)
	var many []store.Change
	for _, id := range crowd(0, 10) {
		many = append(many, session(id))
	}
	for _, test := range []struct {
		what string
		f    func(s store.Store) error
		want []store.Change
	}{
		{"CreateSession", func(s store.Store) error { return s.CreateSession(ctx, newSession(u.ID)) }, nil},
		{"TouchSession", func(s store.Store) error { return s.TouchSession(ctx, "s1", time.Now(), later) }, nil},
		{"SwapSessionValues", func(s store.Store) error { return store.SwapSessionValues(ctx, s, "s1", nil, []byte("x")) }, nil},
		{"Mark", func(s store.Store) error { return s.Mark(ctx, "m", later) }, nil},
		{"UpdateUser", func(s store.Store) error { return s.UpdateUser(ctx, u) }, []store.Change{user(u.ID)}},
		{"RenewSession", func(s store.Store) error { return store.RenewSession(ctx, s, "s1", newSession(u.ID)) }, []store.Change{session("s1")}},
		{"ReplaceSessions", func(s store.Store) error { return store.ReplaceSessions(ctx, s, newSession(u.ID), nil, crowd(0, 10)) }, many},
		{"DeleteSession", func(s store.Store) error { return s.DeleteSession(ctx, "s2") }, []store.Change{session("s2")}},
		{"DeleteUserSessions", func(s store.Store) error { return s.DeleteUserSessions(ctx, u.ID, "s2") }, []store.Change{user(u.ID)}},
		{"DeleteUser", func(s store.Store) error { return s.DeleteUser(ctx, u.ID) }, []store.Change{user(u.ID)}},
	} {
		undo := errors.New("undo")
		err := s.Transact(ctx, func(tx store.Store) error {
			if err := test.f(tx); err != nil {
				t.Errorf("%s, in a transaction: %v", test.what, err)
			}
			return undo
		})
		if got := h.take(); err != undo || len(got) > 0 {
			t.Errorf("%s, undone: told %v, want nothing (%v)", test.what, got, err)
		}
		if err := test.f(s); err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
		if got := h.take(); !slices.Equal(got, test.want) {
			t.Errorf("%s: told %v, want %v", test.what, got, test.want)
		}
	}
	stop()
	if err := s.DeleteSession(ctx, "s2"); err != nil {
		t.Fatal(err)
	}
	if got := h.take(); len(got) > 0 {
		t.Errorf("told %v after its stop", got)
	}
}

// Nothing is told before others can see it, nor of what was taken back within.
func TestWatchATransaction(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	begun(t, s, "mona", "s1", "s2", "s3")
	var h heard
	var seen []error
	s.Watch(func(c store.Change) {
		h.note(c)
		var n int
		// What a watcher must not do, on a connection of its own.
		seen = append(seen, s.DB().Raw("SELECT count(*) FROM gatepass_sessions WHERE id = ?", c.SessionID).Scan(&n).Error)
		if n > 0 {
			t.Errorf("told of %v before it can be seen", c)
		}
	})
	failed := errors.New("failed")
	err := s.Transact(ctx, func(tx store.Store) error {
		if err := tx.DeleteSession(ctx, "s1"); err != nil {
			return err
		}
		err := store.Transact(ctx, tx, func(inner store.Store) error {
			return errors.Join(inner.DeleteSession(ctx, "s2"), failed)
		})
		if !errors.Is(err, failed) {
			t.Errorf("got error %v, want %v", err, failed)
		}
		err = store.Transact(ctx, tx, func(inner store.Store) error { return inner.DeleteSession(ctx, "s3") })
		if got := h.take(); len(got) > 0 {
			t.Errorf("told %v before the end", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.take(), []store.Change{session("s1"), session("s3")}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if err := errors.Join(seen...); err != nil {
		t.Error(err)
	}
}

// An answer that is lost may be that of a change.
func TestWatchWhatNobodyKnows(t *testing.T) {
	pool, err := sql.Open(sqlite.DriverName, file(t)+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	f := &lossyDB{DB: pool}
	s, err := gormstore.Open(sqlite.New(sqlite.Config{Conn: f}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ctx := t.Context()
	begun(t, s, "mona", "s1", "s2")
	var h heard
	s.Watch(h.note)
	f.lost = errors.New("connection reset")
	if err := s.DeleteSession(ctx, "s1"); !errors.Is(err, f.lost) {
		t.Errorf("DeleteSession: got error %v, want %v", err, f.lost)
	}
	if got, want := h.take(), []store.Change{session("s1")}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	err = s.Transact(ctx, func(tx store.Store) error { return tx.DeleteSession(ctx, "s2") })
	if !errors.Is(err, f.lost) {
		t.Errorf("Transact: got error %v, want %v", err, f.lost)
	}
	if got, want := h.take(), []store.Change{session("s2")}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	f.lost = nil
	if got := sessionIDs(t, s, "mona"); len(got) > 0 {
		t.Errorf("got %q: nothing was lost but the answers", got)
	}
}

// A lossyDB does what it is told and loses the answers.
type lossyDB struct {
	*sql.DB
	lost error
}

func (db *lossyDB) GetDBConn() (*sql.DB, error) { return db.DB, nil }

func (db *lossyDB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	res, err := db.DB.ExecContext(ctx, query, args...)
	return res, errors.Join(err, db.lost)
}

func (db *lossyDB) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := db.DB.BeginTx(ctx, opts)
	return &lossyTx{tx, db}, err
}

type lossyTx struct {
	*sql.Tx
	db *lossyDB
}

func (tx *lossyTx) Commit() error { return errors.Join(tx.Tx.Commit(), tx.db.lost) }

// Of a transaction that the app ends, what happens is told at once.
func TestWatchATransactionOfTheApp(t *testing.T) {
	s := open(t, file(t))
	begun(t, s, "mona", "s1", "s2")
	err := s.DB().Transaction(func(db *gorm.DB) error {
		own := gormstore.New(db)
		var h heard
		defer own.Watch(h.note)()
		err := errors.Join(own.DeleteSession(t.Context(), "s1"),
			own.Transact(t.Context(), func(tx store.Store) error { return tx.DeleteSession(t.Context(), "s2") }))
		if got, want := h.take(), []store.Change{session("s1"), session("s2")}; !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Once stop has returned, nobody is called any more.
func TestWatchStops(t *testing.T) {
	s := open(t, ":memory:")
	in, out := make(chan bool), make(chan bool)
	stopped := false
	stop := s.Watch(func(store.Change) {
		in <- true
		<-out
		if stopped {
			t.Error("stop has returned during a call")
		}
	})
	done := make(chan error)
	go func() { done <- s.DeleteSession(t.Context(), "s1") }()
	<-in
	ended := make(chan bool)
	go func() { stop(); stopped = true; close(ended) }()
	select {
	case <-ended:
		t.Error("stop did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	out <- true
	<-ended
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteSession(t.Context(), "s1"); err != nil {
		t.Fatal(err)
	}
}
