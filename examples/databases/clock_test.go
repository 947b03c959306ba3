package databases_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A process of which the clock is ten minutes wrong does not take a lease from
// another, nor keep it longer: leases end by the clock of the database.
func TestLeasesEndByTheDatabasesClock(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, skew := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
			holder, other := db.open(t, dsn), db.open(t, dsn)
			other.Now = func() time.Time { return time.Now().Add(skew) }
			_, a, _ := signUp(t, holder, skew.String())
			const d = 300 * time.Millisecond
			begun := time.Now()
			if _, err := holder.LeaseToken(ctx, a.Key, d); err != nil {
				t.Fatal(err)
			}
			if _, err := other.LeaseToken(ctx, a.Key, time.Hour); !errors.Is(err, store.ErrLeased) {
				t.Fatalf("skew %v: got error %v, want %v", skew, err, store.ErrLeased)
			}
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				_, err := other.LeaseToken(ctx, a.Key, d)
				if err == nil {
					break
				}
				if !errors.Is(err, store.ErrLeased) {
					t.Fatal(err)
				}
				<-tick.C
			}
			if took := time.Since(begun); took < d || took > 20*d {
				t.Errorf("skew %v: a lease of %v ended after %v", skew, d, took)
			}
			// Who comes late, with a lease that is over, learns that it was taken.
			if _, err := holder.LeaseToken(ctx, a.Key, d); !errors.Is(err, store.ErrLeased) {
				t.Errorf("skew %v: got error %v, want %v", skew, err, store.ErrLeased)
			}
		}
	}, "postgres", "mysql") // SQLite has no clock of its own
}

// A clock that jumps ends no session for good that is not over, brings none back,
// and moves nothing backwards.
func TestClockThatJumps(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		u, a, session := signUp(t, s, "one")
		real := time.Now()
		at := func(d time.Duration) { s.Now = func() time.Time { return real.Add(d) } }
		wantSession := func(when string, want error) {
			t.Helper()
			if _, _, err := s.SessionUser(ctx, session.ID); !errors.Is(err, want) {
				t.Errorf("%s: SessionUser: got error %v, want %v", when, err, want)
			}
		}
		at(48 * time.Hour)
		wantSession("two days ahead", store.ErrNotFound)
		if err := s.TouchSession(ctx, session.ID, real.Add(48*time.Hour), real.Add(96*time.Hour)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("TouchSession of a session that is over by then: got error %v, want %v", err, store.ErrNotFound)
		}
		at(0)
		wantSession("back again", nil)
		at(-48 * time.Hour)
		wantSession("two days behind", nil)
		if err := s.TouchSession(ctx, session.ID, real.Add(-48*time.Hour), real.Add(-47*time.Hour)); err != nil {
			t.Errorf("TouchSession: %v", err)
		}
		if err := s.UpdateUser(ctx, u); err != nil {
			t.Errorf("UpdateUser: %v", err)
		}
		if err := s.DeleteExpired(ctx); err != nil {
			t.Fatal(err)
		}
		at(0)
		got, err := s.Session(ctx, session.ID)
		if err != nil || got.SeenAt.Before(session.SeenAt.Truncate(time.Millisecond)) || got.ExpiresAt.Before(session.ExpiresAt.Truncate(time.Millisecond)) {
			t.Errorf("touched by a clock that was behind: got %+v, want nothing earlier than %+v (%v)", got, session, err)
		}
		if kept, err := s.Account(ctx, a.Key); err != nil || kept.CreatedAt.Sub(a.CreatedAt).Abs() > time.Millisecond {
			t.Errorf("got account %+v (%v)", kept, err)
		}
		// Nothing that was swept comes back with the clock.
		at(48 * time.Hour)
		if err := s.DeleteExpired(ctx); err != nil {
			t.Fatal(err)
		}
		at(0)
		wantSession("after a sweep two days ahead", store.ErrNotFound)
	})
}
