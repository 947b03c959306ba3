package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// Each of these functions says of a store that cannot do it that it cannot, and
// never that something is not there.
func TestUnsupported(t *testing.T) {
	ctx := t.Context()
	s := plain{memstore.New()}
	session := &store.Session{ID: "s1", ExpiresAt: time.Now().Add(time.Hour)}
	for name, err := range map[string]error{
		"AccountUser":        third(store.AccountUser(ctx, s, store.Key{})),
		"UpdateAccountToken": store.UpdateAccountToken(ctx, s, &store.Account{}, nil, nil),
		"ReplaceSessions":    store.ReplaceSessions(ctx, s, session, nil, nil),
		"RenewSession":       store.RenewSession(ctx, s, "s0", session),
		"CreateCounted":      first(store.CreateCounted(ctx, s, session)),
		"SessionValues":      second(store.SessionValues(ctx, s, "s1")),
		"SwapSessionValues":  store.SwapSessionValues(ctx, s, "s1", nil, []byte("x")),
		"SIDSessions":        first(store.SIDSessions(ctx, s, "acme", "1")),
		"Marked":             store.Marked(ctx, s, "m"),
	} {
		if !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got error %v, want %v", name, err, errors.ErrUnsupported)
		} else if !strings.Contains(err.Error(), "store_test.plain") {
			t.Errorf("%s: the error %q does not name the type of the store", name, err)
		}
	}
	if _, err := s.Session(ctx, "s1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Session: got error %v, want %v", err, store.ErrNotFound)
	}
}

func first[T any](_ T, err error) error { return err }

func second[T, U any](_ T, _ U, err error) error { return err }

func third[T, U, V any](_ T, _ U, _ V, err error) error { return err }

func TestUpdateAccountToken(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	k := store.Key{Provider: "acme", Subject: "1"}
	if err := s.CreateUser(ctx, &store.User{Name: "Ada"}, &store.Account{Key: k}); err != nil {
		t.Fatal(err)
	}
	a, u, tok, err := store.AccountUser(ctx, s, k)
	if err != nil || a.Key != k || u.Name != "Ada" || tok != nil {
		t.Fatalf("got %v, %v, %v, %v; want Ada, and no token", a, u, tok, err)
	}
	a.Name = "Ada King"
	if err := store.UpdateAccountToken(ctx, s, a, nil, &store.Token{Sealed: []byte("sealed")}); err != nil {
		t.Fatal(err)
	}
	if a, _, tok, err = store.AccountUser(ctx, s, k); err != nil || a.Name != "Ada King" || tok == nil || string(tok.Sealed) != "sealed" {
		t.Errorf("got %v, %v, %v; want both as they were given", a, tok, err)
	}
}

func TestReplaceSessions(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	end := time.Now().Add(time.Hour)
	if err := store.ReplaceSessions(ctx, s, &store.Session{ID: "s1", ExpiresAt: end}, []byte("cart"), nil); err != nil {
		t.Fatal(err)
	}
	if err := store.RenewSession(ctx, s, "s1", &store.Session{ID: "s2", UserID: "u", ExpiresAt: end}); err != nil {
		t.Fatal(err)
	}
	if err := store.ReplaceSessions(ctx, s, &store.Session{ID: "s2", ExpiresAt: end}, nil, nil); !errors.Is(err, store.ErrExists) {
		t.Errorf("got error %v, want %v", err, store.ErrExists)
	}
	if err := store.RenewSession(ctx, s, "s1", &store.Session{ID: "s3", ExpiresAt: end}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, store.ErrNotFound)
	}
	session, values, err := store.SessionValues(ctx, s, "s2")
	if err != nil || session.UserID != "u" || string(values) != "cart" {
		t.Errorf("got %v, %q, %v; want the renewed session with its values", session, values, err)
	}
}

func TestCreateCounted(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	end := time.Now().Add(time.Hour)
	for i, id := range []string{"s1", "s2"} {
		n, err := store.CreateCounted(ctx, s, &store.Session{ID: id, UserID: "u", ExpiresAt: end})
		if err != nil || n != i+1 {
			t.Errorf("%s: got %d, %v; want %d", id, n, err, i+1)
		}
	}
	if _, err := store.CreateCounted(ctx, s, &store.Session{ID: "s1", UserID: "u", ExpiresAt: end}); !errors.Is(err, store.ErrExists) {
		t.Errorf("got error %v, want %v", err, store.ErrExists)
	}
}

func TestSwapSessionValues(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	if err := s.CreateSession(ctx, &store.Session{ID: "s1", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := store.SwapSessionValues(ctx, s, "s1", nil, []byte("cart")); err != nil {
		t.Fatal(err)
	}
	if err := store.SwapSessionValues(ctx, s, "s1", nil, []byte("other")); !errors.Is(err, store.ErrExists) {
		t.Errorf("got error %v, want %v", err, store.ErrExists)
	}
	if _, values, err := store.SessionValues(ctx, s, "s1"); err != nil || string(values) != "cart" {
		t.Errorf("got %q, %v; want cart", values, err)
	}
}

func TestSIDSessions(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	k := store.Key{Provider: "acme", Subject: "1"}
	if err := s.CreateSession(ctx, &store.Session{ID: "s1", UserID: "u", Key: k, SID: "sid", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if list, err := store.SIDSessions(ctx, s, "acme", "sid"); err != nil || len(list) != 1 || list[0].ID != "s1" {
		t.Errorf("got %v, %v; want the one session", list, err)
	}
	if list, err := store.SIDSessions(ctx, s, "other", "sid"); err != nil || len(list) != 0 {
		t.Errorf("of another provider: got %v, %v; want none", list, err)
	}
}

func TestMarked(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	if err := store.Marked(ctx, s, "m"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, store.ErrNotFound)
	}
	if err := s.Mark(ctx, "m", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := store.Marked(ctx, s, "m"); err != nil {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	n := 0
	f := func(store.Change) { n++ }
	stop, ok := store.Watch(s, f)
	if !ok {
		t.Fatal("a Watcher is taken for none")
	}
	u := &store.User{Name: "Mona"}
	if err := s.CreateUser(ctx, u, &store.Account{Key: store.Key{Provider: "p", Subject: "1"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once before stop, and once after
		if err := s.UpdateUser(ctx, u); err != nil {
			t.Fatal(err)
		}
		stop()
	}
	if n != 1 {
		t.Errorf("told %d changes, want 1", n)
	}
	for _, other := range []any{plain{s}, nil, 1} {
		stop, ok := store.Watch(other, f)
		if ok || stop == nil {
			t.Errorf("%T: got %v, want no Watcher, and a stop that can be called", other, ok)
			continue
		}
		stop()
	}
}

// hollow finds a user for whoever has no ID.
type hollow struct{ store.Store }

func (s hollow) User(ctx context.Context, id string) (*store.User, error) {
	if id == "" {
		return &store.User{Name: "Someone"}, nil
	}
	return s.Store.User(ctx, id)
}

// A visitor's session is nobody's, whatever the store of the users says.
func TestSessionUserOfVisitor(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	if err := s.CreateSession(ctx, &store.Session{ID: "s1", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for _, users := range []store.Users{s, memstore.New(), hollow{s}} {
		if _, u, err := store.SessionUser(ctx, s, users, "s1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%T: got %v, %v; want %v", users, u, err, store.ErrNotFound)
		}
	}
}
