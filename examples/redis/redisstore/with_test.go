package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/redis/go-redis/v9"
)

var ada = store.Key{Provider: "test", Subject: "17"}

// signUp stores a user, a session and a remembered browser.
func signUp(tb testing.TB, s store.Store) *store.User {
	tb.Helper()
	u := &store.User{Name: "Ada"}
	if err := s.CreateUser(tb.Context(), u, &store.Account{Key: ada}); err != nil {
		tb.Fatal(err)
	}
	if err := s.CreateSession(tb.Context(), newSession("s1", u.ID)); err != nil {
		tb.Fatal(err)
	}
	return u
}

func newSession(id, userID string) *store.Session {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &store.Session{
		ID: id, UserID: userID, Key: ada, Issuer: "https://id.example.com", SID: "sid", Family: "family", AuthTime: now, CreatedAt: now,
		SeenAt: now, ExpiresAt: now.Add(time.Hour), UserAgent: "Mozilla/5.0", IP: "192.0.2.1",
	}
}

func newRemembered(id, userID string) *store.Remembered {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &store.Remembered{
		ID: id, UserID: userID, Key: ada, Issuer: "https://id.example.com", SID: "sid", Validator: []byte("\x00one\xff"),
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), UserAgent: "Mozilla/5.0", IP: "192.0.2.1",
	}
}

func TestDeleteUserEndsTheirSessions(t *testing.T) {
	sessions := fresh(t, server(t, "Redis"))
	s := redisstore.With(memstore.New(), sessions)
	u := signUp(t, s)
	if err := sessions.CreateRemembered(t.Context(), newRemembered("r1", u.ID)); err != nil {
		t.Fatal(err)
	}
	if err := sessions.CreateSession(t.Context(), newSession("other", "other")); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := sessions.Session(t.Context(), "s1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session: got error %v, want %v", err, store.ErrNotFound)
	}
	if _, err := sessions.Remembered(t.Context(), "r1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the browser: got error %v, want %v", err, store.ErrNotFound)
	}
	if _, err := sessions.Session(t.Context(), "other"); err != nil {
		t.Errorf("another user's session: got error %v", err)
	}
}

// undeletable fails to delete a user.
type undeletable struct{ plain }

func (undeletable) DeleteUser(context.Context, string) error { return errors.New("database is down") }

func TestDeleteUserAgain(t *testing.T) {
	c := server(t, "Redis")
	users := memstore.New()
	sessions := fresh(t, c)
	u := signUp(t, redisstore.With(users, sessions))
	if err := redisstore.With(undeletable{plain{users}}, sessions).DeleteUser(t.Context(), u.ID); err == nil {
		t.Error("the database is down: got no error")
	}
	down := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer down.Close()
	if err := redisstore.With(users, redisstore.New(down)).DeleteUser(t.Context(), u.ID); err == nil {
		t.Error("Redis is down: got no error")
	}
	if _, err := users.User(t.Context(), u.ID); err != nil {
		t.Errorf("the user, whose sessions could not be ended: got error %v", err)
	}
	if err := redisstore.With(users, sessions).DeleteUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := users.User(t.Context(), u.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the user: got error %v, want %v", err, store.ErrNotFound)
	}
}

func TestTransactIsOfUsersAlone(t *testing.T) {
	sessions := fresh(t, server(t, "Redis"))
	s := redisstore.With(memstore.New(), sessions)
	u := signUp(t, s)
	stop := errors.New("stop")
	err := s.(store.Transactor).Transact(t.Context(), func(tx store.Store) error {
		if err := tx.AddAccount(t.Context(), &store.Account{Key: store.Key{Provider: "test", Subject: "18"}, UserID: u.ID}); err != nil {
			return err
		}
		if _, err := tx.Session(t.Context(), "s1"); err != nil {
			t.Errorf("to read a session in a transaction: got error %v", err)
		}
		for what, err := range changes(t.Context(), tx, u.ID) {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s in a transaction: got error %v, want one that wraps %v", what, err, errors.ErrUnsupported)
			}
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("got error %v, want %v", err, stop)
	}
	if list, err := s.UserAccounts(t.Context(), u.ID); err != nil || len(list) != 1 {
		t.Errorf("after a transaction that failed: got %d accounts and error %v, want the first one", len(list), err)
	}
	if list, err := s.UserSessions(t.Context(), u.ID); err != nil || len(list) != 1 {
		t.Errorf("after a transaction that failed: got %d sessions and error %v, want the first one", len(list), err)
	}

	// A user who is deleted in a transaction has no sessions either.
	err = store.Transact(t.Context(), s, func(tx store.Store) error { return tx.DeleteUser(t.Context(), u.ID) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(t.Context(), "s1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session of a deleted user: got error %v, want %v", err, store.ErrNotFound)
	}
}

// changes calls every method that changes sessions.
func changes(ctx context.Context, s store.Store, userID string) map[string]error {
	session, r := newSession("s2", userID), s.(store.Rememberer)
	return map[string]error{
		"CreateSession":        s.CreateSession(ctx, session),
		"ReplaceSessions":      store.ReplaceSessions(ctx, s, session, nil, []string{"s1"}),
		"RenewSession":         store.RenewSession(ctx, s, "s1", session),
		"TouchSession":         s.TouchSession(ctx, "s1", session.SeenAt, session.ExpiresAt),
		"SwapSessionValues":    store.SwapSessionValues(ctx, s, "s1", nil, []byte("new")),
		"DeleteSession":        s.DeleteSession(ctx, "s1"),
		"DeleteUserSessions":   s.DeleteUserSessions(ctx, userID, ""),
		"Mark":                 s.Mark(ctx, "f:1", session.ExpiresAt),
		"CreateRemembered":     r.CreateRemembered(ctx, newRemembered("r1", userID)),
		"SwapRemembered":       r.SwapRemembered(ctx, nil, newRemembered("r1", userID)),
		"DeleteRemembered":     r.DeleteRemembered(ctx, "r1"),
		"DeleteUserRemembered": r.DeleteUserRemembered(ctx, userID, ""),
	}
}
