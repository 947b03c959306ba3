package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/store"
	"github.com/redis/go-redis/v9"
)

// named returns an empty Store, its prefix, and a client past it.
func named(tb testing.TB) (*redisstore.Store, string, redis.UniversalClient) {
	tb.Helper()
	c, name := server(tb, "Redis"), rand.Text()
	tb.Cleanup(func() {
		if keys := keysOf(tb, c, name); len(keys) > 0 {
			c.Del(context.Background(), keys...)
		}
	})
	return redisstore.New(c, redisstore.WithPrefix(name)), "{" + name + "}:", c
}

// What is over by the store's clock is over, whatever Redis still has.
func TestStoreHasItsOwnClock(t *testing.T) {
	s, _, _ := named(t)
	now := time.Now()
	s.Now = func() time.Time { return now }
	must(t, s.CreateSession(t.Context(), newSession("s1", "ann")))
	must(t, s.CreateRemembered(t.Context(), newRemembered("r1", "ann")))
	must(t, s.Mark(t.Context(), "f:1", now.Add(time.Hour)))
	end := newSession("s1", "ann").ExpiresAt

	now = end.Add(-time.Minute)
	if _, err := s.Session(t.Context(), "s1"); err != nil {
		t.Errorf("a minute before its end: got error %v", err)
	}
	now = end.Add(time.Second)
	_, session := s.Session(t.Context(), "s1")
	_, _, values := s.SessionValues(t.Context(), "s1")
	_, remembered := s.Remembered(t.Context(), "r1")
	for what, err := range map[string]error{
		"Session": session, "SessionValues": values, "Remembered": remembered, "Marked": s.Marked(t.Context(), "f:1"),
		"TouchSession":      s.TouchSession(t.Context(), "s1", now, now.Add(time.Hour)),
		"SwapSessionValues": s.SwapSessionValues(t.Context(), "s1", nil, []byte("v")),
		"RenewSession":      s.RenewSession(t.Context(), "s1", newSession("s2", "ann")),
		"SwapRemembered":    s.SwapRemembered(t.Context(), newRemembered("", "").Validator, newRemembered("r1", "ann")),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s, once it is over: got error %v, want %v", what, err, store.ErrNotFound)
		}
	}
	sessions, err := s.UserSessions(t.Context(), "ann")
	if err != nil || len(sessions) != 0 {
		t.Errorf("UserSessions: got %d and error %v, want none", len(sessions), err)
	}
	must(t, s.Mark(t.Context(), "f:1", now.Add(time.Hour)))
}

// Redis removes everything by itself, and nothing before its time.
func TestEveryKeyHasAnEnd(t *testing.T) {
	s, prefix, c := named(t)
	first, last := newSession("first", "ann"), newSession("last", "ann")
	last.ExpiresAt = first.ExpiresAt.Add(time.Hour)
	must(t, s.ReplaceSessions(t.Context(), last, []byte("values"), nil))
	must(t, s.CreateSession(t.Context(), first))
	must(t, s.TouchSession(t.Context(), "first", first.SeenAt.Add(time.Second), first.ExpiresAt.Add(30*time.Minute)))
	must(t, s.CreateRemembered(t.Context(), newRemembered("r1", "ann")))
	must(t, s.Mark(t.Context(), "f:1", first.ExpiresAt))
	for key, want := range map[string]time.Duration{
		"session:first": 90 * time.Minute, "session:last": 2 * time.Hour, "session-user:ann": 2 * time.Hour,
		"session-sid:4:test:sid": 2 * time.Hour, "remembered:r1": time.Hour, "remembered-user:ann": time.Hour,
		"remembered-sid:4:test:sid": time.Hour, "mark:f:1": time.Hour,
	} {
		got, err := c.PTTL(t.Context(), prefix+key).Result()
		if err != nil || got > want || got < want-time.Minute {
			t.Errorf("%s: ends in %v (%v), want %v", key, got, err, want)
		}
	}
	if keys := keysOf(t, c, strings.Trim(prefix, "{}:")); len(keys) != 8 {
		t.Errorf("got keys %q, want 8", keys)
	}
}

// Lists do not grow by sessions that nobody ends.
func TestListsCleanThemselves(t *testing.T) {
	s, prefix, c := named(t)
	now := time.Now()
	s.Now = func() time.Time { return now }
	for _, id := range []string{"s1", "s2", "s3"} {
		must(t, s.CreateSession(t.Context(), newSession(id, "ann")))
	}
	now = now.Add(2 * time.Hour)
	fresh := newSession("s4", "ann")
	fresh.ExpiresAt = now.Add(time.Hour)
	must(t, s.CreateSession(t.Context(), fresh))
	for _, list := range []string{"session-user:ann", "session-sid:4:test:sid"} {
		if got, err := c.ZRange(t.Context(), prefix+list, 0, -1).Result(); err != nil || !slices.Equal(got, []string{"s4"}) {
			t.Errorf("%s: got %q (%v), want s4 alone", list, got, err)
		}
	}
}

// A session that is used stays in its lists.
func TestListsFollowTouches(t *testing.T) {
	s, _, _ := named(t)
	now := time.Now()
	s.Now = func() time.Time { return now }
	used := newSession("s1", "ann")
	must(t, s.CreateSession(t.Context(), used))
	must(t, s.TouchSession(t.Context(), "s1", used.SeenAt.Add(time.Minute), used.ExpiresAt.Add(time.Hour)))
	now = now.Add(90 * time.Minute)
	later := newSession("s2", "ann")
	later.ExpiresAt = now.Add(time.Hour)
	must(t, s.CreateSession(t.Context(), later))
	if _, err := s.Session(t.Context(), "s1"); err != nil {
		t.Errorf("got error %v, want the session whose end was moved", err)
	}
	if list, err := s.SIDSessions(t.Context(), "test", "sid"); err != nil || len(list) != 2 {
		t.Errorf("by SID: got %d (%v), want both", len(list), err)
	}
}

// What Redis evicts costs a login. In particular, no session is left that
// DeleteUserSessions and SIDSessions could not find.
func TestEviction(t *testing.T) {
	for _, list := range []string{"session-user:ann", "session-sid:4:test:sid"} {
		s, prefix, c := named(t)
		must(t, s.CreateSession(t.Context(), newSession("s1", "ann")))
		must(t, c.Del(t.Context(), prefix+list).Err())
		if _, err := s.Session(t.Context(), "s1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("without %s: got error %v, want %v", list, err, store.ErrNotFound)
		}
		if err := s.TouchSession(t.Context(), "s1", time.Now(), time.Now().Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("TouchSession without %s: got error %v, want %v", list, err, store.ErrNotFound)
		}
		if err := s.RenewSession(t.Context(), "s1", newSession("s2", "ann")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("RenewSession without %s: got error %v, want %v", list, err, store.ErrNotFound)
		}
		must(t, s.CreateSession(t.Context(), newSession("s1", "ann")))
		if _, err := s.Session(t.Context(), "s1"); err != nil {
			t.Errorf("after another login: got error %v", err)
		}
	}
	s, prefix, c := named(t)
	must(t, s.CreateSession(t.Context(), newSession("s1", "ann")))
	must(t, s.CreateSession(t.Context(), newSession("s2", "ann")))
	must(t, c.Del(t.Context(), prefix+"session:s1").Err())
	if list, err := s.UserSessions(t.Context(), "ann"); err != nil || len(list) != 1 || list[0].ID != "s2" {
		t.Errorf("without s1: got %v (%v), want s2 alone", list, err)
	}
}
