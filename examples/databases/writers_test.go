package databases_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

const (
	writers = 16
	rounds  = 20
)

// write lets 16 goroutines sign people up and log them in, many times.
func write(tb testing.TB, of func(i int) store.Store) {
	tb.Helper()
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range rounds {
				if err := signUpAndIn(tb.Context(), of(i)); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func signUpAndIn(ctx context.Context, s store.Store) error {
	u, a := person(rand.Text())
	var session *store.Session
	err := store.Transact(ctx, s, func(tx store.Store) error {
		// A read first: where SQLite begins without the write lock, this is the
		// transaction that cannot go on.
		if _, err := tx.Account(ctx, a.Key); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("Account: %w", err)
		}
		if err := tx.CreateUser(ctx, u, a); err != nil {
			return fmt.Errorf("CreateUser: %w", err)
		}
		session = newSession(u.ID)
		return tx.CreateSession(ctx, session)
	})
	if err != nil {
		return err
	}
	if err := s.PutToken(ctx, a.Key, sealedToken()); err != nil {
		return fmt.Errorf("PutToken: %w", err)
	}
	if _, _, err := store.SessionUser(ctx, s, s, session.ID); err != nil {
		return fmt.Errorf("SessionUser: %w", err)
	}
	leased, err := s.LeaseToken(ctx, a.Key, time.Minute)
	if err != nil {
		return fmt.Errorf("LeaseToken: %w", err)
	}
	if err := s.SwapToken(ctx, a.Key, leased.Sealed, &store.Token{Sealed: []byte("new")}); err != nil {
		return fmt.Errorf("SwapToken: %w", err)
	}
	return s.TouchSession(ctx, session.ID, time.Now(), time.Now().Add(2*time.Hour))
}

// Sixteen writers at once: each of them gets its turn.
func TestManyWriters(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		write(t, func(int) store.Store { return s })
		if got := count(t, s, "gatepass_users"); got != writers*rounds {
			t.Errorf("got %d users, want %d", got, writers*rounds)
		}
	})
}

// TestOtherProcess is what TestManyWritersInTwoProcesses runs in another process.
func TestOtherProcess(t *testing.T) {
	dsn := os.Getenv("GATEPASS_TEST_DSN")
	if dsn == "" {
		t.Skip("only TestManyWritersInTwoProcesses runs it")
	}
	each(t, func(t *testing.T, db database) {
		if db.name == os.Getenv("GATEPASS_TEST_DATABASE") {
			s := db.open(t, dsn)
			write(t, func(int) store.Store { return s })
		}
	})
}

// The same from two processes, that make the tables at once as well. In one of
// them the writers stand in line; between the two, only the file's lock helps.
func TestManyWritersInTwoProcesses(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		var wg sync.WaitGroup
		for range 2 {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcess$")
			cmd.Env = append(os.Environ(), "GATEPASS_TEST_DSN="+dsn, "GATEPASS_TEST_DATABASE="+db.name)
			wg.Go(func() {
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
		wg.Wait()
		if got := count(t, db.open(t, dsn), "gatepass_users"); got != 2*writers*rounds {
			t.Errorf("got %d users, want %d", got, 2*writers*rounds)
		}
	})
}
