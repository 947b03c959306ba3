package memstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gatepass/gatepass/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}

// A clock that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Sessions, marks and leases end by the store's own clock, to the instant.
func TestNow(t *testing.T) {
	ctx := t.Context()
	c := &clock{at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := memstore.New()
	s.Now = c.now
	k := store.Key{Provider: "p", Subject: "1"}
	u := &store.User{Name: "Mona"}
	if err := s.CreateUser(ctx, u, &store.Account{Key: k}); err != nil {
		t.Fatal(err)
	}
	if !u.CreatedAt.Equal(c.now()) {
		t.Errorf("CreatedAt: got %v, want %v", u.CreatedAt, c.now())
	}
	end := c.now().Add(time.Minute)
	if err := s.CreateSession(ctx, &store.Session{ID: "s", UserID: u.ID, ExpiresAt: end}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutToken(ctx, k, &store.Token{Sealed: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Mark(ctx, "m", end); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LeaseToken(ctx, k, time.Minute); err != nil {
		t.Fatal(err)
	}
	check := func(session, lease, mark error) {
		t.Helper()
		if _, _, err := s.SessionUser(ctx, "s"); !errors.Is(err, session) {
			t.Errorf("SessionUser: got error %v, want %v", err, session)
		}
		if _, err := s.LeaseToken(ctx, k, time.Minute); !errors.Is(err, lease) {
			t.Errorf("LeaseToken: got error %v, want %v", err, lease)
		}
		if err := s.Mark(ctx, "m", end); !errors.Is(err, mark) {
			t.Errorf("Mark: got error %v, want %v", err, mark)
		}
	}
	c.move(time.Minute - time.Nanosecond)
	check(nil, store.ErrLeased, store.ErrExists)
	c.move(time.Nanosecond)
	check(store.ErrNotFound, nil, nil)
}

func TestTransactionEnds(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	var kept store.Store
	if err := s.Transact(ctx, func(tx store.Store) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := kept.Mark(ctx, "m", time.Now()); err == nil {
		t.Error("the Store of a transaction that has ended still writes")
	}
	if _, err := kept.Session(ctx, "s"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("the Store of a transaction that has ended still reads: got error %v", err)
	}
}

// While a transaction is under way, others read what was there before, and
// those who want to write wait, but not longer than their context lets them.
func TestTransactionAlone(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	k := store.Key{Provider: "p", Subject: "1"}
	err := s.Transact(ctx, func(tx store.Store) error {
		if err := tx.CreateUser(ctx, &store.User{Name: "Mona"}, &store.Account{Key: k}); err != nil {
			return err
		}
		if _, err := s.Account(ctx, k); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("outside: got error %v, want %v", err, store.ErrNotFound)
		}
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if err := s.Mark(short, "m", time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Mark: got error %v, want %v", err, context.DeadlineExceeded)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Account(ctx, k); err != nil {
		t.Error(err)
	}
}

func TestNestedTransact(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	until := time.Now().Add(time.Hour)
	failed := errors.New("failed")
	err := s.Transact(ctx, func(tx store.Store) error {
		if err := tx.Mark(ctx, "outer", until); err != nil {
			return err
		}
		if err := store.Transact(ctx, tx, func(inner store.Store) error {
			if err := inner.Mark(ctx, "inner", until); err != nil {
				return err
			}
			return failed
		}); !errors.Is(err, failed) {
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

// The suite lets a store say only that it found no one user. Ours say which it is.
func TestUserByEmailAmbiguous(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
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
