package gormstore_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// begun stores sessions of a user with these IDs.
func begun(t *testing.T, s store.Store, userID string, ids ...string) {
	t.Helper()
	err := store.Transact(t.Context(), s, func(tx store.Store) error {
		for _, id := range ids {
			session := newSession(userID)
			session.ID = id
			if err := tx.CreateSession(t.Context(), session); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sessionIDs(t *testing.T, s store.Sessions, userID string) []string {
	t.Helper()
	list, err := s.UserSessions(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, session := range list {
		ids = append(ids, session.ID)
	}
	slices.Sort(ids)
	return ids
}

// As many as end in no statement, in one, and in several, and no other.
func TestReplaceSessionsOfEachNumber(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	for _, n := range []int{0, 1, 2, 8, 9, 50, 51, 120} {
		begun(t, s, "mona", crowd(0, n)...)
		begun(t, s, "mona", "other")
		session := newSession("mona")
		session.ID = "new"
		// Some twice, some that are not there and some that could not be.
		over := append(crowd(0, n), "c0", "nobody", "zero\x00byte", "new")
		if n == 0 {
			over = nil
		}
		if err := s.ReplaceSessions(ctx, session, []byte("cart"), over); err != nil {
			t.Fatal(err)
		}
		if got, want := sessionIDs(t, s, "mona"), []string{"new", "other"}; !slices.Equal(got, want) {
			t.Errorf("%d over: got %q, want %q", n, got, want)
		}
		if _, values, err := s.SessionValues(ctx, "new"); err != nil || string(values) != "cart" {
			t.Errorf("%d over: got values %q, %v", n, values, err)
		}
		begun(t, s, "mona", "late")
		if err := s.ReplaceSessions(ctx, session, nil, []string{"other", "late"}); !errors.Is(err, store.ErrExists) {
			t.Errorf("with an ID that is taken: got error %v, want %v", err, store.ErrExists)
		}
		if got, want := sessionIDs(t, s, "mona"), []string{"late", "new", "other"}; !slices.Equal(got, want) {
			t.Errorf("then: got %q, want %q", got, want)
		}
		if err := s.DeleteUserSessions(ctx, "mona", ""); err != nil {
			t.Fatal(err)
		}
	}
}

// In a transaction, an ID that is taken spoils nothing else.
func TestReplaceAndRenewInATransaction(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	begun(t, s, "mona", "s1", "s2", "taken")
	taken, fresh := newSession("mona"), newSession("mona")
	taken.ID, fresh.ID = "taken", "new"
	err := s.Transact(ctx, func(tx store.Store) error {
		if err := store.ReplaceSessions(ctx, tx, taken, nil, []string{"s1"}); !errors.Is(err, store.ErrExists) {
			t.Errorf("ReplaceSessions: got error %v, want %v", err, store.ErrExists)
		}
		if err := store.RenewSession(ctx, tx, "s1", taken); !errors.Is(err, store.ErrExists) {
			t.Errorf("RenewSession: got error %v, want %v", err, store.ErrExists)
		}
		if err := store.RenewSession(ctx, tx, "taken", taken); !errors.Is(err, store.ErrExists) {
			t.Errorf("RenewSession under the same ID: got error %v, want %v", err, store.ErrExists)
		}
		if err := store.RenewSession(ctx, tx, "nobody", fresh); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("RenewSession of none: got error %v, want %v", err, store.ErrNotFound)
		}
		return store.RenewSession(ctx, tx, "s2", fresh)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sessionIDs(t, s, "mona"), []string{"new", "s1", "taken"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRenewSessionKeepsItsValues(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	begun(t, s, "", "visitor")
	cart := bytes.Repeat([]byte{0, 255, '\''}, store.MaxValues/3)
	if err := s.SwapSessionValues(ctx, "visitor", nil, cart); err != nil {
		t.Fatal(err)
	}
	want := newSession("mona")
	want.Issuer, want.Family, want.SID, want.Reauthed, want.AuthTime = "https://github.com", "f1", "sid1", true, time.Time{}
	if err := s.RenewSession(ctx, "visitor", want); err != nil {
		t.Fatal(err)
	}
	got, values, err := s.SessionValues(ctx, want.ID)
	if err != nil || !bytes.Equal(values, cart) {
		t.Fatalf("got %d bytes of values, %v, want %d", len(values), err, len(cart))
	}
	for _, session := range []*store.Session{want, got} {
		session.CreatedAt, session.SeenAt, session.ExpiresAt = time.Time{}, time.Time{}, time.Time{}
	}
	got.AuthTime = got.AuthTime.Local()
	if !got.AuthTime.IsZero() {
		t.Errorf("AuthTime: got %v, want the zero time", got.AuthTime)
	}
	got.AuthTime = time.Time{}
	if *got != *want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := s.Session(ctx, "visitor"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the former one: got error %v, want %v", err, store.ErrNotFound)
	}
}

// Of many who renew one session at once, one does.
func TestRenewSessionAtOnce(t *testing.T) {
	s := open(t, file(t))
	begun(t, s, "mona", "s1")
	errs := make(chan error, 16)
	var wg sync.WaitGroup
	for range cap(errs) {
		wg.Go(func() { errs <- s.RenewSession(t.Context(), "s1", newSession("mona")) })
	}
	wg.Wait()
	close(errs)
	done := 0
	for err := range errs {
		if err == nil {
			done++
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	if done != 1 || len(sessionIDs(t, s, "mona")) != 1 {
		t.Errorf("%d of %d did, and left %q; want one", done, cap(errs), sessionIDs(t, s, "mona"))
	}
}

func TestValuesThatAreTooLong(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	begun(t, s, "", "s1")
	long := make([]byte, store.MaxValues+1)
	if err := s.SwapSessionValues(ctx, "s1", nil, long); !errors.Is(err, store.ErrBadText) {
		t.Errorf("SwapSessionValues: got error %v, want %v", err, store.ErrBadText)
	}
	if err := s.ReplaceSessions(ctx, newSession(""), long, []string{"s1"}); !errors.Is(err, store.ErrBadText) {
		t.Errorf("ReplaceSessions: got error %v, want %v", err, store.ErrBadText)
	}
	if _, values, err := s.SessionValues(ctx, "s1"); err != nil || len(values) > 0 {
		t.Errorf("got %d bytes, %v", len(values), err)
	}
}

// Visitors are nobody: what is said of the user without an ID is said of none of
// them, even if the app's table has such a row.
func TestVisitorsAreNobody(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	if err := s.DB().Exec("INSERT INTO gatepass_users (id, name) VALUES ('', 'Nobody')").Error; err != nil {
		t.Fatal(err)
	}
	begun(t, s, "", "visitor")
	r := newRemembered("")
	if err := s.CreateRemembered(ctx, r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.SessionUser(ctx, "visitor"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("SessionUser: got error %v, want %v", err, store.ErrNotFound)
	}
	if list, err := s.UserSessions(ctx, ""); err != nil || len(list) > 0 {
		t.Errorf("UserSessions: got %v, %v, want none", list, err)
	}
	if list, err := s.UserRemembered(ctx, ""); err != nil || len(list) > 0 {
		t.Errorf("UserRemembered: got %v, %v, want none", list, err)
	}
	if err := errors.Join(s.DeleteUserSessions(ctx, "", ""), s.DeleteUserSessions(ctx, "", "x"), s.DeleteUserRemembered(ctx, "", ""),
		s.DeleteUserRemembered(ctx, "", "x"), s.DeleteUser(ctx, "")); err != nil {
		t.Error(err)
	}
	if _, err := s.Session(ctx, "visitor"); err != nil {
		t.Errorf("Session: %v", err)
	}
	if _, err := s.Remembered(ctx, r.ID); err != nil {
		t.Errorf("Remembered: %v", err)
	}
}
