package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// Who looks for a user's sessions while one of them is renewed finds it under
// its old or its new ID: a list without it would leave it alive when all are to
// end.
func TestListDuringRenewal(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	session := store.Session{ID: "s0", UserID: "u", Key: store.Key{Provider: "p"}, SID: "sid", ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.CreateSession(ctx, &session); err != nil {
		t.Fatal(err)
	}
	const renewals = 20_000
	done := make(chan error, 1)
	go func() {
		for i := range renewals {
			next := session
			next.ID = fmt.Sprint("s", i+1)
			if err := s.RenewSession(ctx, fmt.Sprint("s", i), &next); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		for what, find := range map[string]func() ([]store.Session, error){
			"UserSessions": func() ([]store.Session, error) { return s.UserSessions(ctx, "u") },
			"SIDSessions":  func() ([]store.Session, error) { return s.SIDSessions(ctx, "p", "sid") },
		} {
			if list, err := find(); err != nil || len(list) == 0 {
				t.Fatalf("%s: got %v, %v; want the session", what, list, err)
			}
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

// Reads of what is new take no writer's lock either.
func TestReadsDuringTransaction(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	end := time.Now().Add(time.Hour)
	if err := s.ReplaceSessions(ctx, &store.Session{ID: "s1", UserID: "u", SID: "sid", ExpiresAt: end}, []byte("cart"), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateRemembered(ctx, &store.Remembered{ID: "b1", UserID: "u", SID: "sid", ExpiresAt: end}); err != nil {
		t.Fatal(err)
	}
	if err := s.Mark(ctx, "m", end); err != nil {
		t.Fatal(err)
	}
	err := s.Transact(ctx, func(store.Store) error {
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, values, err := s.SessionValues(short, "s1")
		if string(values) != "cart" {
			t.Errorf("SessionValues: got %q, want cart", values)
		}
		list, errSID := s.SIDSessions(short, "", "sid")
		if len(list) != 1 {
			t.Errorf("SIDSessions: got %d sessions, want 1", len(list))
		}
		_, errB := s.Remembered(short, "b1")
		_, errU := s.UserRemembered(short, "u")
		_, errR := s.SIDRemembered(short, "", "sid")
		return errors.Join(err, errSID, errB, errU, errR, s.Marked(short, "m"))
	})
	if err != nil {
		t.Error(err)
	}
}

// Remembered browsers and what is found of sessions end by the store's own
// clock, to the instant.
func TestNowOfMore(t *testing.T) {
	ctx := t.Context()
	c := &clock{at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := memstore.New()
	s.Now = c.now
	end := c.now().Add(time.Minute)
	if err := s.CreateSession(ctx, &store.Session{ID: "s1", SID: "sid", ExpiresAt: end}); err != nil {
		t.Fatal(err)
	}
	b := &store.Remembered{ID: "b1", UserID: "u", ExpiresAt: end}
	if err := s.CreateRemembered(ctx, b); err != nil {
		t.Fatal(err)
	}
	if err := s.Mark(ctx, "m", end); err != nil {
		t.Fatal(err)
	}
	check := func(want error, n int) {
		t.Helper()
		_, _, err := s.SessionValues(ctx, "s1")
		_, errB := s.Remembered(ctx, "b1")
		for what, err := range map[string]error{
			"SessionValues": err, "SwapSessionValues": s.SwapSessionValues(ctx, "s1", nil, nil),
			"Remembered": errB, "SwapRemembered": s.SwapRemembered(ctx, nil, b), "Marked": s.Marked(ctx, "m"),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s: got error %v, want %v", what, err, want)
			}
		}
		sessions, err := s.SIDSessions(ctx, "", "sid")
		browsers, errB := s.UserRemembered(ctx, "u")
		if len(sessions) != n || len(browsers) != n || err != nil || errB != nil {
			t.Errorf("got %d sessions and %d browsers (%v, %v), want %d of each", len(sessions), len(browsers), err, errB, n)
		}
	}
	c.move(time.Minute - time.Nanosecond)
	check(nil, 1)
	c.move(time.Nanosecond)
	check(store.ErrNotFound, 0)
	if err := s.RenewSession(ctx, "s1", &store.Session{ID: "s2", ExpiresAt: end.Add(time.Hour)}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("RenewSession: got error %v, want %v", err, store.ErrNotFound)
	}
}

// What a transaction within another takes back is not told when the other ends.
func TestWatchNested(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	end := time.Now().Add(time.Hour)
	for _, id := range []string{"first", "undone", "second"} {
		if err := s.CreateSession(ctx, &store.Session{ID: id, ExpiresAt: end}); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	defer s.Watch(func(c store.Change) { told = append(told, c.SessionID) })()
	failed := errors.New("failed")
	err := s.Transact(ctx, func(tx store.Store) error {
		inner := store.Transact(ctx, tx, func(tx store.Store) error {
			return errors.Join(tx.DeleteSession(ctx, "undone"), failed)
		})
		if !errors.Is(inner, failed) {
			t.Errorf("got error %v, want %v", inner, failed)
		}
		return errors.Join(tx.DeleteSession(ctx, "first"), tx.DeleteSession(ctx, "second"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0] != "first" || told[1] != "second" {
		t.Errorf("told of %q, want first and second", told)
	}
}

// A transaction within another takes back browsers and values as well.
func TestNestedTransactOfMore(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	end := time.Now().Add(time.Hour)
	if err := s.CreateSession(ctx, &store.Session{ID: "s1", ExpiresAt: end}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateRemembered(ctx, &store.Remembered{ID: "b1", ExpiresAt: end}); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	err := s.Transact(ctx, func(tx store.Store) error {
		inner := store.Transact(ctx, tx, func(tx store.Store) error {
			more := tx.(*memstore.Store)
			return errors.Join(more.DeleteRemembered(ctx, "b1"), more.SwapSessionValues(ctx, "s1", nil, []byte("cart")), failed)
		})
		if !errors.Is(inner, failed) {
			t.Errorf("got error %v, want %v", inner, failed)
		}
		return tx.Mark(ctx, "m", end)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remembered(ctx, "b1"); err != nil {
		t.Errorf("Remembered: got error %v, want none", err)
	}
	if _, values, err := s.SessionValues(ctx, "s1"); err != nil || len(values) != 0 {
		t.Errorf("SessionValues: got %q, %v; want none", values, err)
	}
}

// A watcher may take its time without holding up those who write.
func TestWatchersHoldUpNoWrites(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	end := time.Now().Add(time.Hour)
	if err := s.CreateSession(ctx, &store.Session{ID: "s1", ExpiresAt: end}); err != nil {
		t.Fatal(err)
	}
	called, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	defer s.Watch(func(store.Change) {
		close(called)
		<-free
	})()
	go func() { done <- s.DeleteSession(ctx, "s1") }()
	<-called
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.Mark(short, "m", end); err != nil {
		t.Errorf("Mark: got error %v while a watcher is told, want none", err)
	}
	close(free)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
