package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// held lets another process write the file until the function that it returns is
// called.
func held(t *testing.T, name string) (release func() error) {
	t.Helper()
	tx := own(t, sqlite.Open(name+"?_txlock=immediate&_busy_timeout=10000")).Begin()
	if tx.Error != nil {
		t.Fatal(tx.Error)
	}
	return func() error { return tx.Rollback().Error }
}

// wantMoment fails unless what writes asks for the lock a moment at a time.
func wantMoment(t *testing.T, s *gormstore.Store) {
	t.Helper()
	if s.Writes() == nil {
		t.Fatal("got no connection for writes alone")
	}
	var got int
	if err := s.Writes().QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&got); err != nil || got != 50 {
		t.Errorf("busy_timeout of what writes: got %d, want 50 (%v)", got, err)
	}
}

// wantClosed fails if someone has the file open: the last one takes the log away.
func wantClosed(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(name + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is still there (%v)", err)
	}
}

// marks are the two ways in which a Store writes.
func marks(s *gormstore.Store) map[string]func(context.Context, string) error {
	until := time.Now().Add(time.Hour)
	return map[string]func(context.Context, string) error{
		"statement": func(ctx context.Context, id string) error { return s.Mark(ctx, id, until) },
		"transaction": func(ctx context.Context, id string) error {
			return s.Transact(ctx, func(tx store.Store) error { return tx.Mark(ctx, id, until) })
		},
	}
}

// While another process writes, we wait as long as the context and the app's
// settings want, and then write nothing.
func TestWaitForTheLock(t *testing.T) {
	for _, test := range []struct {
		what          string
		setting, ends time.Duration // for the app's connections, and for the context
		least, most   time.Duration
	}{
		{"the context ends", 10 * time.Second, 120 * time.Millisecond, 110 * time.Millisecond, 2 * time.Second},
		{"the time is over", 300 * time.Millisecond, 30 * time.Second, 290 * time.Millisecond, 8 * time.Second},
	} {
		name := file(t)
		s := open(t, fmt.Sprint(name, "?_busy_timeout=", test.setting.Milliseconds()))
		for how, mark := range marks(s) {
			release := held(t, name)
			ctx, cancel := context.WithTimeout(t.Context(), test.ends)
			begun := time.Now()
			err := mark(ctx, how)
			took := time.Since(begun)
			if err == nil || (ctx.Err() != nil) != errors.Is(err, context.DeadlineExceeded) || took < test.least || took > test.most {
				t.Errorf("%s, %s: got error %v after %v, want one after %v", test.what, how, err, took, test.least)
			}
			cancel()
			if err := release(); err != nil {
				t.Fatal(err)
			}
			if err := s.Marked(t.Context(), how); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s, %s: got error %v, want %v: it was written after all", test.what, how, err, store.ErrNotFound)
			}
			// Now the lock is given back while we wait.
			released := make(chan error)
			release = held(t, name)
			free := min(test.setting/2, time.Second)
			time.AfterFunc(free, func() { released <- release() })
			if err := mark(t.Context(), how); err != nil {
				t.Errorf("%s, %s: the lock was free after %v: %v", test.what, how, free, err)
			}
			if err := <-released; err != nil {
				t.Fatal(err)
			}
			if err := s.Marked(t.Context(), how); err != nil {
				t.Errorf("%s, %s: a read after the write: %v", test.what, how, err)
			}
		}
		wantMoment(t, s)
	}
}

// A context that is over before or in a transaction leaves nothing behind but a
// connection that is as the one before.
func TestWritesAfterTheirContext(t *testing.T) {
	s := open(t, file(t))
	over, end := context.WithCancel(t.Context())
	end()
	for how, mark := range marks(s) {
		if err := mark(over, "over"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v, want %v", how, err, context.Canceled)
		}
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Transact(ctx, func(tx store.Store) error {
			err := tx.Mark(ctx, "in", time.Now().Add(time.Hour))
			cancel()
			if again := tx.Mark(ctx, "after", time.Now().Add(time.Hour)); !errors.Is(again, context.Canceled) {
				t.Errorf("Mark after the end: got error %v, want %v", again, context.Canceled)
			}
			if _, again := tx.User(ctx, "nobody"); !errors.Is(again, context.Canceled) {
				t.Errorf("User after the end: got error %v, want %v", again, context.Canceled)
			}
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got error %v, want %v", err, context.Canceled)
		}
		wantMoment(t, s)
	}
	for _, id := range []string{"over", "in", "after"} {
		if err := s.Marked(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got error %v, want %v", id, err, store.ErrNotFound)
		}
	}
	if n := s.Writes().Stats().OpenConnections; n > 1 {
		t.Errorf("got %d connections for writes, want 1", n)
	}
}

// An app may hold all of its connections, and what it writes itself in a
// transaction of ours belongs to that.
func TestWritesLeaveTheAppItsConnections(t *testing.T) {
	s := open(t, file(t))
	if err := s.DB().Exec("CREATE TABLE notes (text TEXT)").Error; err != nil {
		t.Fatal(err)
	}
	conn := onlyConn(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for how, mark := range marks(s) {
		if err := mark(ctx, how); err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
	note := func(fail error) error {
		return s.Transact(ctx, func(tx store.Store) error {
			notes := tx.(*gormstore.Store).DB()
			if err := notes.Exec("INSERT INTO notes VALUES ('x')").Error; err != nil {
				return err
			}
			var n int64
			if err := notes.Table("notes").Count(&n).Error; err != nil || n != 1 {
				t.Errorf("in the transaction: got %d notes, want 1 (%v)", n, err)
			}
			return fail
		})
	}
	undo := errors.New("undo")
	if err := note(undo); err != undo {
		t.Errorf("got error %v, want %v", err, undo)
	}
	if err := note(nil); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := s.DB().Table("notes").Count(&n).Error; err != nil || n != 1 {
		t.Errorf("got %d notes, want 1 (%v)", n, err)
	}
}

// What asks to try again in a transaction that has the lock is tried as often as
// anywhere, however long we would wait for the lock.
func TestTriesOnceItHasTheLock(t *testing.T) {
	s := open(t, file(t))
	runs := 0
	err := s.Transact(t.Context(), func(store.Store) error {
		runs++
		return errors.New("database table is locked")
	})
	if runs != 4 || err == nil {
		t.Errorf("got %d runs and error %v, want 4 and an error", runs, err)
	}
}

// What the app has added to its database runs in our transactions as well.
func TestTransactKeepsCallbacks(t *testing.T) {
	s := open(t, file(t))
	ran := 0
	if err := s.DB().Callback().Raw().Before("gorm:raw").Register("app", func(*gorm.DB) { ran++ }); err != nil {
		t.Fatal(err)
	}
	err := s.Transact(t.Context(), func(tx store.Store) error {
		return tx.(*gormstore.Store).DB().Exec("UPDATE gatepass_marks SET ends_at = 0").Error
	})
	if err != nil || ran != 1 {
		t.Errorf("the app's callback ran %d times, want 1 (%v)", ran, err)
	}
}

func TestCloseClosesEverything(t *testing.T) {
	name := file(t)
	s := open(t, name)
	if err := s.Mark(t.Context(), "m", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, name)
	// An Open that fails at the tables has both as well.
	other := file(t)
	app := own(t, sqlite.Open(other))
	if err := app.Exec("CREATE TABLE gatepass_users (pets TEXT)").Error; err != nil {
		t.Fatal(err)
	}
	if db, err := app.DB(); err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	if _, err := gormstore.Open(sqlite.Open(other)); err == nil {
		t.Fatal("got no error with a table of the app's")
	}
	wantClosed(t, other)
}

// Whatever the file is called and set to, what is written is found by who reads.
func TestWritesGoToTheSameFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "C: an app"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "C: an app", "50% of #1.db")
	escaped := strings.NewReplacer("%", "%25", "#", "%23", " ", "%20").Replace(path)
	t.Chdir(dir)
	for _, test := range []struct {
		dsn    string
		second bool // there is a connection for writes alone
	}{
		{path, true},
		{"file:" + escaped, true},
		{"file://" + escaped, true},
		{"relative.db", true},
		{"file:relative.db?_timeout=7000", true},
		{"percent.db?%5Fbusy_timeout=7000&_txlock=immediate", true},
		{"pragma.db?_pragma=busy_timeout%287000%29&_pragma=foreign_keys(1)", true},
		{"exclusive.db?_txlock=exclusive", true},
		{"file:shared.db?cache=shared", true},
		{"alone.db?_locking_mode=EXCLUSIVE", false},
		{"hasty.db?_busy_timeout=0", false},
		{"deferred.db?_txlock=deferred", false},
		{"rollback.db?_journal_mode=DELETE", false},
		{":memory:", false},
	} {
		t.Run(test.dsn, func(t *testing.T) {
			s := open(t, test.dsn)
			if got := s.Writes() != nil; got != test.second {
				t.Fatalf("a connection for writes: got %v, want %v", got, test.second)
			}
			if test.second {
				wantMoment(t, s)
			}
			for how, mark := range marks(s) {
				if err := mark(t.Context(), t.Name()+how); err != nil {
					t.Errorf("%s: %v", how, err)
				}
				var n int64
				if err := s.DB().Table("gatepass_marks").Where("id = ?", t.Name()+how).Count(&n).Error; err != nil || n != 1 {
					t.Errorf("%s: the app finds %d rows, want 1 (%v)", how, n, err)
				}
			}
		})
	}
}

// A file that may only be read is opened if its tables are there, and a write
// fails at once.
func TestReadOnlyFile(t *testing.T) {
	name := file(t)
	s := open(t, name)
	id := signUp(t, s)
	read := open(t, "file:"+name+"?mode=ro")
	if _, _, err := read.SessionUser(t.Context(), id); err != nil {
		t.Error(err)
	}
	for how, mark := range marks(read) {
		begun := time.Now()
		if err := mark(t.Context(), how); err == nil || !strings.Contains(err.Error(), "readonly") || time.Since(begun) > 5*time.Second {
			t.Errorf("%s: got error %v after %v, want one at once that it is read-only", how, err, time.Since(begun))
		}
	}
}
