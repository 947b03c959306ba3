package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

type sqlState string

func (s sqlState) Error() string    { return "ERROR: SQLSTATE " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

// What a database wants tried again is tried again, whichever statement it was.
func TestTransientErrors(t *testing.T) {
	for _, again := range []error{
		sqlState("40001"), sqlState("40P01"),
		errors.New("Error 1213 (40001): Deadlock found when trying to get lock; try restarting transaction"),
		errors.New("Error 1205 (HY000): Lock wait timeout exceeded; try restarting transaction"),
		errors.New("database is locked"),
		errors.New("database is locked (5) (SQLITE_BUSY)"),
		errors.New("database table is locked"),
	} {
		s, f := openFaulty(t)
		for n := 1; n <= 4; n++ {
			f.set(n, again)
			u, a := newPerson()
			u.EmailVerified = true
			u.Email = fmt.Sprint("user", n, "@example.com")
			if err := s.CreateUser(t.Context(), u, a); err != nil {
				t.Errorf("%v in statement %d: CreateUser: %v", again, n, err)
			}
			if _, err := s.UserByEmail(t.Context(), u.Email); err != nil {
				t.Errorf("%v in statement %d: UserByEmail: %v", again, n, err)
			}
		}
		f.set(1, again)
		if err := s.Mark(t.Context(), "m", time.Now().Add(time.Hour)); err != nil {
			t.Errorf("%v: Mark: %v", again, err)
		}
	}
}

func TestTransientErrorsEnd(t *testing.T) {
	s, _ := openFaulty(t)
	runs := 0
	err := s.Transact(t.Context(), func(store.Store) error {
		runs++
		return fmt.Errorf("wrapped: %w", sqlState("40001"))
	})
	if runs != 4 || err == nil {
		t.Errorf("got %d runs and error %v, want 4 and an error", runs, err)
	}
	runs = 0
	ctx, cancel := context.WithCancel(t.Context())
	err = s.Transact(ctx, func(store.Store) error {
		runs++
		cancel()
		return sqlState("40001")
	})
	if runs != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: got %d runs and error %v, want 1 and %v", runs, err, context.Canceled)
	}
	runs = 0
	other := sqlState("23505")
	err = s.Transact(t.Context(), func(store.Store) error { runs++; return other })
	if runs != 1 || !errors.Is(err, other) {
		t.Errorf("with another error: got %d runs and error %v, want 1 and %v", runs, err, other)
	}
}

// Those whom a deadlock has brought together do not try again at the same moment.
func TestTriesAreApart(t *testing.T) {
	s, _ := openFaulty(t)
	for try, least := range []time.Duration{10 * time.Millisecond, 40 * time.Millisecond, 160 * time.Millisecond} {
		seen := map[time.Duration]bool{}
		for range 8 {
			pause := s.Pause(try)
			if pause < least || pause >= 3*least {
				t.Errorf("try %d: got %v, want between %v and three times that", try, pause, least)
			}
			seen[pause] = true
		}
		if len(seen) < 8 {
			t.Errorf("try %d: eight who wait at once do so for %d different times, want 8", try, len(seen))
		}
	}
}
