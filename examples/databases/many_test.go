package databases_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

// crowd gives a user n sessions.
func crowd(t *testing.T, s *gormstore.Store, u *store.User, n int) {
	t.Helper()
	begun := time.Now().Add(-time.Hour)
	err := s.Transact(t.Context(), func(tx store.Store) error {
		for i := range n {
			v := newSession(u.ID)
			v.ID, v.CreatedAt, v.SeenAt = fmt.Sprint(u.ID, i), begun, begun.Add(time.Duration(i)*time.Millisecond)
			if err := tx.CreateSession(t.Context(), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The best of several times that f takes: the machine may have other things to
// do.
func best(t *testing.T, f func() error) time.Duration {
	t.Helper()
	var times []time.Duration
	for range 9 {
		begun := time.Now()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Since(begun))
	}
	return slices.Min(times)
}

// Somebody with ten thousand sessions costs a request, a login and a logout no
// more than somebody with one; to list and to end them all takes seconds at most.
func TestManySessionsOfOneUser(t *testing.T) {
	const n = 10_000
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		few, _, _ := signUp(t, s, "few")
		many, _, _ := signUp(t, s, "many")
		crowd(t, s, few, 2)
		crowd(t, s, many, n)
		for what, f := range map[string]func(u *store.User) error{
			"SessionUser": func(u *store.User) error { _, _, err := s.SessionUser(ctx, u.ID+"1"); return err },
			"CreateSession, DeleteSession": func(u *store.User) error {
				v := newSession(u.ID)
				if err := s.CreateSession(ctx, v); err != nil {
					return err
				}
				return s.DeleteSession(ctx, v.ID)
			},
			"TouchSession": func(u *store.User) error {
				return s.TouchSession(ctx, u.ID+"1", time.Now(), time.Now().Add(time.Hour))
			},
		} {
			base := best(t, func() error { return f(few) })
			if took := best(t, func() error { return f(many) }); took > 5*base+5*time.Millisecond {
				t.Errorf("%s: took %v with %d sessions, %v with 2", what, took, n, base)
			}
		}
		begun := time.Now()
		list, err := s.UserSessions(ctx, many.ID)
		if err != nil || len(list) != n+1 {
			t.Fatalf("got %d sessions, want %d (%v)", len(list), n+1, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("UserSessions took %v", took)
		}
		begun = time.Now()
		if err := s.DeleteUserSessions(ctx, many.ID, list[5].ID); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("DeleteUserSessions took %v", took)
		}
		if list, err = s.UserSessions(ctx, many.ID); err != nil || len(list) != 1 {
			t.Errorf("got %d sessions, want 1 (%v)", len(list), err)
		}
		if got := count(t, s, "gatepass_sessions"); got != 3+1 {
			t.Errorf("got %d sessions in all, want 4: another user's have gone, or some are left", got)
		}
	})
}

// Logins end what is over the limit, so that what a user has stays bounded, also
// where hundreds have come together before there was a limit: then each login
// ends some of them, and none pays for all.
func TestLoginEndsTheCrowd(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		u, _, _ := signUp(t, s, "many")
		crowd(t, s, u, 350)
		m, err := session.New(session.Config{Store: s, Users: s, Secret: rand.Text() + rand.Text(), Audience: "http://localhost", MaxPerUser: 10})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int64{252, 153, 54, 10, 10} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if err := m.Begin(httptest.NewRecorder(), r, &store.Session{UserID: u.ID, Key: key("many")}); err != nil {
				t.Fatal(err)
			}
			if got := count(t, s, "gatepass_sessions"); got != want {
				t.Errorf("after login %d: got %d sessions, want %d", i+1, got, want)
			}
		}
	})
}

// With two connections for two hundred logins, each waits for its turn and none
// for another that waits for it.
func TestFewConnections(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		sqlDB(t, s).SetMaxOpenConns(2)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if err := signUpAndIn(t.Context(), s); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// What is asked often stays prepared on MySQL, which would otherwise be asked
// three times for each query, and is forgotten with the store.
func TestStatementsStayPrepared(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		owner := db.open(t, db.fresh(t))
		_, _, session := signUp(t, owner, "one")
		ctx := t.Context()
		pool := sqlDB(t, owner)
		status := func(name string) (n int) {
			t.Helper()
			var key string
			if err := pool.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&key, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		pool.SetMaxOpenConns(1)
		for range 2 {
			if _, _, err := owner.SessionUser(ctx, session.ID); err != nil {
				t.Fatal(err)
			}
			if err := signUpAndIn(ctx, owner); err != nil {
				t.Fatal(err)
			}
		}
		before := status("Com_stmt_prepare")
		for range 100 {
			if _, _, err := owner.SessionUser(ctx, session.ID); err != nil {
				t.Fatal(err)
			}
		}
		if got := status("Com_stmt_prepare") - before; got > 0 {
			t.Errorf("100 requests prepared %d statements", got)
		}
		before = status("Com_stmt_prepare")
		for i := range 10 {
			signUp(t, owner, fmt.Sprint("again ", i))
		}
		if got := status("Com_stmt_prepare") - before; got > 0 {
			t.Errorf("10 sign-ups prepared %d statements", got)
		}

		// Stores that an app makes for a moment.
		before = status("Prepared_stmt_count")
		for range 100 {
			if _, _, err := gormstore.New(owner.DB()).SessionUser(ctx, session.ID); err != nil {
				t.Fatal(err)
			}
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 500 {
			runtime.GC()
			if status("Prepared_stmt_count") <= before+5 {
				return
			}
			<-tick.C
		}
		t.Errorf("%d statements are prepared, %d were before a hundred stores came and went", status("Prepared_stmt_count"), before)
	}, "mysql")
}
