package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/examples/redis/internal/wire"
	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/store"
	"github.com/redis/go-redis/v9"
)

// apart returns an empty Store whose client has the options of opts, and what is
// between it and the server.
func apart(tb testing.TB, opts redis.Options) (*redisstore.Store, *wire.Wire) {
	tb.Helper()
	w := new(wire.Wire)
	opts.Addr, opts.Dialer = server(tb, "Redis").(*redis.Client).Options().Addr, w.Dial
	c := redis.NewClient(&opts)
	tb.Cleanup(func() { c.Close() })
	return fresh(tb, c), w
}

// everything calls every method of a Store once, each for something of its own
// that is in the way as it wants it.
func everything(tb testing.TB, s *redisstore.Store, round string) []struct {
	name string
	call func(ctx context.Context) error
} {
	tb.Helper()
	id := func(name string) string { return round + name }
	for _, name := range []string{"replaced", "renewed", "swapped", "touched", "deleted"} {
		must(tb, s.CreateSession(tb.Context(), newSession(id(name), "ann")))
	}
	for _, name := range []string{"swapped", "deleted"} {
		must(tb, s.CreateRemembered(tb.Context(), newRemembered(id(name), "ann")))
	}
	later := time.Now().Add(2 * time.Hour)
	next := newRemembered(id("swapped"), "ann")
	next.Validator, next.Former = []byte("two"), newRemembered("", "").Validator
	return []struct {
		name string
		call func(ctx context.Context) error
	}{
		{"Session", func(ctx context.Context) error { _, err := s.Session(ctx, id("swapped")); return err }},
		{"UserSessions", func(ctx context.Context) error { _, err := s.UserSessions(ctx, "ann"); return err }},
		{"SIDSessions", func(ctx context.Context) error { _, err := s.SIDSessions(ctx, "test", "sid"); return err }},
		{"CreateSession", func(ctx context.Context) error { return s.CreateSession(ctx, newSession(id("created"), "ann")) }},
		{"ReplaceSessions", func(ctx context.Context) error {
			return s.ReplaceSessions(ctx, newSession(id("new"), "ann"), []byte("v"), []string{id("replaced")})
		}},
		{"RenewSession", func(ctx context.Context) error {
			return s.RenewSession(ctx, id("renewed"), newSession(id("newer"), "ann"))
		}},
		{"TouchSession", func(ctx context.Context) error { return s.TouchSession(ctx, id("touched"), later, later) }},
		{"SwapSessionValues", func(ctx context.Context) error { return s.SwapSessionValues(ctx, id("swapped"), nil, []byte("v")) }},
		{"SessionValues", func(ctx context.Context) error { _, _, err := s.SessionValues(ctx, id("swapped")); return err }},
		{"DeleteSession", func(ctx context.Context) error { return s.DeleteSession(ctx, id("deleted")) }},
		{"Mark", func(ctx context.Context) error { return s.Mark(ctx, id("f:1"), later) }},
		{"Marked", func(ctx context.Context) error { return s.Marked(ctx, id("f:1")) }},
		{"CreateRemembered", func(ctx context.Context) error {
			return s.CreateRemembered(ctx, newRemembered(id("created"), "ann"))
		}},
		{"Remembered", func(ctx context.Context) error { _, err := s.Remembered(ctx, id("created")); return err }},
		{"SwapRemembered", func(ctx context.Context) error { return s.SwapRemembered(ctx, next.Former, next) }},
		{"UserRemembered", func(ctx context.Context) error { _, err := s.UserRemembered(ctx, "ann"); return err }},
		{"SIDRemembered", func(ctx context.Context) error { _, err := s.SIDRemembered(ctx, "test", "sid"); return err }},
		{"DeleteRemembered", func(ctx context.Context) error { return s.DeleteRemembered(ctx, id("deleted")) }},
		{"DeleteUserRemembered", func(ctx context.Context) error { return s.DeleteUserRemembered(ctx, "ann", "") }},
		{"DeleteUserSessions", func(ctx context.Context) error { return s.DeleteUserSessions(ctx, "ann", "") }},
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// The client sends a call again whose answer was lost. It must not be told then
// that somebody else was first.
func TestAnswerIsLost(t *testing.T) {
	s, w := apart(t, redis.Options{MaxRetries: 1, PoolSize: 1})
	for _, m := range everything(t, s, "first") { // so that the server knows the scripts
		must(t, m.call(t.Context()))
	}
	for _, m := range everything(t, s, "second") {
		w.Lose(1)
		if err := m.call(t.Context()); err != nil {
			t.Errorf("%s, sent twice: got error %v, want none", m.name, err)
		}
		if !w.Lost() {
			t.Fatalf("%s: no answer was lost", m.name)
		}
		if m.name == "RenewSession" {
			if _, err := s.Session(t.Context(), "secondnewer"); err != nil {
				t.Errorf("after RenewSession: got error %v", err)
			}
		}
	}
}

// A server that does not answer holds nobody up for longer than they want, also
// if the client was told to wait for ever.
func TestServerHangs(t *testing.T) {
	for name, opts := range map[string]redis.Options{
		"the client looks at deadlines": {ContextTimeoutEnabled: true, MaxRetries: -1},
		"the client waits for ever":     {ReadTimeout: -1, MaxRetries: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := apart(t, opts)
			calls := everything(t, s, "")
			release := w.Hold()
			t.Cleanup(release)
			for i, m := range calls {
				ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
				want := context.DeadlineExceeded
				if i%2 == 1 {
					stop()
					ctx, stop = context.WithCancel(t.Context())
					time.AfterFunc(20*time.Millisecond, stop)
					want = context.Canceled
				}
				began := time.Now()
				if err := m.call(ctx); !errors.Is(err, want) || time.Since(began) > 2*time.Second {
					t.Errorf("%s: got error %v after %v, want %v soon", m.name, err, time.Since(began), want)
				}
				stop()
			}
			release()
			if err := s.CreateSession(t.Context(), newSession("after", "ann")); err != nil {
				t.Errorf("once the server answers: got error %v", err)
			}
		})
	}
}

// A server that is down is an error that nobody takes for an answer.
func TestServerIsDown(t *testing.T) {
	s, w := apart(t, redis.Options{MaxRetries: -1, DialerRetries: 1})
	calls := everything(t, s, "")
	w.Cut()
	for _, m := range calls {
		err := m.call(t.Context())
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrBadText) {
			t.Errorf("%s: got error %v, want one that says that the server is down", m.name, err)
		}
	}
	w.Mend()
	if _, err := s.Session(t.Context(), "swapped"); err != nil {
		t.Errorf("once the server is back: got error %v", err)
	}
}

// An error tells neither IDs nor values.
func TestErrorsAreSilent(t *testing.T) {
	c := server(t, "Redis")
	name := strings.ToLower(t.Name())
	s := redisstore.New(c, redisstore.WithPrefix(name))
	t.Cleanup(func() { c.Del(context.Background(), keysOf(t, c, name)...) })
	for _, key := range []string{"session:canary-id", "session-user:canary-user", "mark:canary-id", "remembered:canary-id"} {
		must(t, c.LPush(t.Context(), "{"+name+"}:"+key, "canary").Err())
	}
	session, r := newSession("canary-id", "canary-user"), newRemembered("canary-id", "canary-user")
	for what, err := range map[string]error{
		"CreateSession":     s.CreateSession(t.Context(), session),
		"UserSessions":      func() error { _, err := s.UserSessions(t.Context(), "canary-user"); return err }(),
		"SwapSessionValues": s.SwapSessionValues(t.Context(), "canary-id", []byte("canary-old"), []byte("canary-new")),
		"Mark":              s.Mark(t.Context(), "canary-id", time.Now().Add(time.Hour)),
		"CreateRemembered":  s.CreateRemembered(t.Context(), r),
		"a long user ID":    s.CreateSession(t.Context(), newSession("s", strings.Repeat("canary", 50))),
		"no UTF-8":          s.CreateSession(t.Context(), newSession("s", "canary\xff")),
		"a zero byte":       s.CreateSession(t.Context(), newSession("s", "canary\x00")),
		"long values":       s.ReplaceSessions(t.Context(), newSession("s", "ann"), []byte(strings.Repeat("canary", 20000)), nil),
	} {
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got error %v, want one that does not say what was kept", what, err)
		}
		if strings.HasPrefix(what, "a ") || strings.HasPrefix(what, "no ") || strings.HasPrefix(what, "long ") {
			if !errors.Is(err, store.ErrBadText) {
				t.Errorf("%s: got error %v, want %v", what, err, store.ErrBadText)
			}
		}
	}
}

// Two processes have no copies of their own.
func TestSeenByAll(t *testing.T) {
	c := server(t, "Redis")
	name := fmt.Sprint(t.Name(), time.Now().UnixNano())
	one, two := redisstore.New(c, redisstore.WithPrefix(name)), redisstore.New(c, redisstore.WithPrefix(name))
	other := redisstore.New(c, redisstore.WithPrefix(name+"2"))
	must(t, one.CreateSession(t.Context(), newSession("s1", "ann")))
	if _, err := two.Session(t.Context(), "s1"); err != nil {
		t.Errorf("with the same prefix: got error %v", err)
	}
	must(t, other.DeleteUserSessions(t.Context(), "ann", ""))
	if _, err := other.Session(t.Context(), "s1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("with another prefix: got error %v, want %v", err, store.ErrNotFound)
	}
	must(t, two.DeleteUserSessions(t.Context(), "ann", ""))
	if _, err := one.Session(t.Context(), "s1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after the other ended it: got error %v, want %v", err, store.ErrNotFound)
	}
	if keys := keysOf(t, c, name); len(keys) != 0 {
		t.Errorf("got keys %q, want none once all has ended", keys)
	}
}
