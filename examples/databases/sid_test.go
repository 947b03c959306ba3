package databases_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// SIDs are compared byte for byte, however long they are and however much of
// them an index takes.
func TestSIDsAreComparedByteForByte(t *testing.T) {
	var random strings.Builder
	for random.Len() < 60_000 {
		random.WriteString(rand.Text())
	}
	same := strings.Repeat("é", 300)
	sids := append([]string{random.String(), random.String() + "x", same, same + "1", same + "2"}, alike...)
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		for i, sid := range sids {
			for _, provider := range []string{"github", "GitHub", "github ", strings.Repeat("p", 250)} {
				v, r := newSession("mona"), newRemembered("mona")
				v.SID, r.SID = sid, sid
				v.Provider, r.Provider = provider, provider
				v.IP, r.IP = fmt.Sprint(i), fmt.Sprint(i)
				if err := errors.Join(s.CreateSession(ctx, v), s.CreateRemembered(ctx, r)); err != nil {
					t.Fatalf("%.40q of %.10q: %v", sid, provider, err)
				}
			}
		}
		for i, sid := range sids {
			sessions, err := s.SIDSessions(ctx, "github", sid)
			if err != nil || len(sessions) != 1 || sessions[0].IP != fmt.Sprint(i) || sessions[0].SID != sid {
				t.Errorf("SIDSessions of %.40q: got %d, want its own (%v)", sid, len(sessions), err)
			}
			remembered, err := s.SIDRemembered(ctx, "github", sid)
			if err != nil || len(remembered) != 1 || remembered[0].IP != fmt.Sprint(i) || remembered[0].SID != sid {
				t.Errorf("SIDRemembered of %.40q: got %d, want its own (%v)", sid, len(remembered), err)
			}
		}
	})
}

// An ID that is taken, or was taken a moment ago, ends no transaction.
func TestRenewSessionInATransaction(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		old, taken, other := newSession("mona"), newSession("mona"), newSession("mona")
		if err := errors.Join(s.CreateSession(ctx, old), s.CreateSession(ctx, taken)); err != nil {
			t.Fatal(err)
		}
		err := s.Transact(ctx, func(tx store.Store) error {
			if err := store.RenewSession(ctx, tx, old.ID, taken); !errors.Is(err, store.ErrExists) {
				t.Errorf("RenewSession: got error %v, want %v", err, store.ErrExists)
			}
			if err := store.ReplaceSessions(ctx, tx, taken, nil, []string{old.ID}); !errors.Is(err, store.ErrExists) {
				t.Errorf("ReplaceSessions: got error %v, want %v", err, store.ErrExists)
			}
			if err := store.RenewSession(ctx, tx, "nobody", other); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("RenewSession of none: got error %v, want %v", err, store.ErrNotFound)
			}
			return tx.Mark(ctx, "m", time.Now().Add(time.Hour))
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Marked(ctx, "m"); err != nil {
			t.Errorf("Marked: %v", err)
		}
		if got := count(t, s, "gatepass_sessions"); got != 2 {
			t.Errorf("got %d sessions, want 2", got)
		}
	})
}

// Whoever chooses one new ID at once for two sessions, one gets it.
func TestRenewSessionToOneID(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		for range 10 {
			next := newSession("mona")
			errs := make([]error, 8)
			var wg sync.WaitGroup
			for i := range errs {
				old := newSession("mona")
				if err := s.CreateSession(ctx, old); err != nil {
					t.Fatal(err)
				}
				wg.Go(func() { errs[i] = s.RenewSession(ctx, old.ID, next) })
			}
			wg.Wait()
			done := 0
			for _, err := range errs {
				if err == nil {
					done++
				} else if !errors.Is(err, store.ErrExists) {
					t.Errorf("got error %v, want %v", err, store.ErrExists)
				}
			}
			if done != 1 {
				t.Errorf("%d got the ID, want one", done)
			}
		}
		if got := count(t, s, "gatepass_sessions"); got != 80 {
			t.Errorf("got %d sessions, want 80", got)
		}
	})
}
