package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// counting counts the ways in which it is asked.
type counting struct {
	*memstore.Store
	joined *int
}

func (s counting) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	*s.joined++
	return s.Store.SessionUser(ctx, id)
}

// uncomparable is a store of a type that == panics on.
type uncomparable struct {
	counting
	_ map[string]int
}

// plain has neither of the optional interfaces.
type plain struct{ store.Store }

func TestSessionUser(t *testing.T) {
	ctx := t.Context()
	people, elsewhere := memstore.New(), memstore.New()
	u := &store.User{Name: "Mona"}
	if err := people.CreateUser(ctx, u, &store.Account{Key: store.Key{Provider: "p", Subject: "1"}}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*memstore.Store{people, elsewhere} {
		if err := s.CreateSession(ctx, &store.Session{ID: "s1", UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateSession(ctx, &store.Session{ID: "nobody's", UserID: "x", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	joined := 0
	s := counting{people, &joined}
	for _, test := range []struct {
		name     string
		sessions store.Sessions
		users    store.Users
		joined   int
	}{
		{"one store", s, s, 1},
		{"one store, seen as its parts", store.Sessions(s), store.Users(s), 1},
		{"two stores", counting{elsewhere, &joined}, s, 0},
		{"sessions elsewhere, without a finder", plain{elsewhere}, s, 0},
		{"a store without a finder", plain{people}, plain{people}, 0},
		{"a type that cannot be compared", uncomparable{counting: s}, uncomparable{counting: s}, 0},
		{"two types, one of them so", uncomparable{counting: s}, s, 0},
	} {
		joined = 0
		session, got, err := store.SessionUser(ctx, test.sessions, test.users, "s1")
		if err != nil || session.ID != "s1" || got.ID != u.ID {
			t.Errorf("%s: got %v, %v, %v", test.name, session, got, err)
		}
		if joined != test.joined {
			t.Errorf("%s: asked for both at once %d times, want %d", test.name, joined, test.joined)
		}
		for _, id := range []string{"s2", "nobody's"} {
			if _, _, err := store.SessionUser(ctx, test.sessions, test.users, id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: session %s: got error %v, want %v", test.name, id, err, store.ErrNotFound)
			}
		}
	}
}

func TestTransactWithoutTransactor(t *testing.T) {
	ctx := t.Context()
	s := plain{memstore.New()}
	failed := errors.New("failed")
	err := store.Transact(ctx, s, func(tx store.Store) error {
		if tx != store.Store(s) {
			t.Error("f got another store")
		}
		if err := tx.Mark(ctx, "m", time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got error %v, want %v", err, failed)
	}
	if err := s.Mark(ctx, "m", time.Now()); !errors.Is(err, store.ErrExists) {
		t.Errorf("Mark: got error %v, want %v", err, store.ErrExists)
	}
}
