package gormstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/storetest"
	"gorm.io/driver/sqlite"
)

// open opens a database that is closed when the test ends.
func open(tb testing.TB, dsn string) *gormstore.Store {
	tb.Helper()
	s, err := gormstore.Open(sqlite.Open(dsn))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func file(tb testing.TB) string { return filepath.Join(tb.TempDir(), "test.db") }

func TestSQLiteFile(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, file(t)) })
}

func TestSQLiteInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, ":memory:") })
}

// Sessions, marks and, on SQLite, leases end by Now, to the microsecond.
func TestNow(t *testing.T) {
	ctx := t.Context()
	s := open(t, file(t))
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Now = func() time.Time { return now }
	_, a := newPerson()
	u := &store.User{Name: "Mona"}
	if err := s.CreateUser(ctx, u, a); err != nil {
		t.Fatal(err)
	}
	if !u.CreatedAt.Equal(now) {
		t.Errorf("CreatedAt: got %v, want %v", u.CreatedAt, now)
	}
	end := now.Add(time.Minute)
	session := newSession(u.ID)
	session.ExpiresAt = end
	if err := s.CreateSession(ctx, session); err != nil {
		t.Fatal(err)
	}
	if err := s.PutToken(ctx, a.Key, &store.Token{Sealed: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Mark(ctx, "m", end); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LeaseToken(ctx, a.Key, time.Minute); err != nil {
		t.Fatal(err)
	}
	check := func(wantSession, wantLease, wantMark error) {
		t.Helper()
		if _, _, err := s.SessionUser(ctx, session.ID); !errors.Is(err, wantSession) {
			t.Errorf("SessionUser: got error %v, want %v", err, wantSession)
		}
		if _, err := s.LeaseToken(ctx, a.Key, time.Minute); !errors.Is(err, wantLease) {
			t.Errorf("LeaseToken: got error %v, want %v", err, wantLease)
		}
		if err := s.Mark(ctx, "m", end); !errors.Is(err, wantMark) {
			t.Errorf("Mark: got error %v, want %v", err, wantMark)
		}
	}
	now = end.Add(-time.Microsecond)
	check(nil, store.ErrLeased, store.ErrExists)
	now = end
	check(store.ErrNotFound, nil, nil)
}

// More than DeleteExpired removes at a time.
func TestDeleteExpiredMany(t *testing.T) {
	ctx := t.Context()
	s := open(t, file(t))
	past := time.Now().Add(-time.Hour)
	err := s.Transact(ctx, func(tx store.Store) error {
		for i := range 2500 {
			if err := tx.Mark(ctx, fmt.Sprint("m", i), past); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteExpired(ctx); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s); got != "" {
		t.Errorf("%d rows are left", strings.Count(got, "\n"))
	}
}

// The suite lets a store say only that it found no one user. Ours say which it is.
func TestUserByEmailAmbiguous(t *testing.T) {
	ctx := t.Context()
	s := open(t, file(t))
	for _, subject := range []string{"1", "2"} {
		u := &store.User{Name: "Mona", Email: "mona@example.com", EmailVerified: true}
		if err := s.CreateUser(ctx, u, &store.Account{Key: store.Key{Provider: "p", Subject: subject}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.UserByEmail(ctx, "MONA@example.com"); !errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("got error %v, want %v", err, store.ErrAmbiguous)
	}
}
