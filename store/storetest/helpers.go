package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

const home = "acme" // a provider's ID

func key(subject string) store.Key { return store.Key{Provider: home, Subject: subject} }

// moment is what all times below are counted from: the same in a database that
// keeps milliseconds.
func moment() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// person returns a user and an account, nowhere stored, with something in every
// field.
func person(name string) (*store.User, *store.Account) {
	at := moment().Add(-time.Hour)
	return &store.User{
			Username: name, Name: name + " Doe", Email: name + "@example.com", EmailVerified: true,
			AvatarURL: "https://example.com/" + name, Locale: "de-AT", CreatedAt: at, UpdatedAt: at.Add(time.Minute),
		}, &store.Account{
			Key: key(name), Issuer: "https://acme.example", Email: name + "@acme.example", Name: name + " D.",
			Username: name + "1", AvatarURL: "https://acme.example/" + name, Profile: json.RawMessage(`{"id":1,"country":"AT"}`),
			CreatedAt: at, UpdatedAt: at.Add(time.Minute),
		}
}

// signUp stores a person.
func signUp(ctx context.Context, t testing.TB, s store.Store, name string) (*store.User, *store.Account) {
	t.Helper()
	u, a := person(name)
	must(t, "CreateUser", s.CreateUser(ctx, u, a))
	return u, a
}

// link gives the user one more account.
func link(ctx context.Context, t testing.TB, s store.Store, u *store.User, k store.Key) *store.Account {
	t.Helper()
	a := &store.Account{Key: k, UserID: u.ID, CreatedAt: moment()}
	must(t, "AddAccount", s.AddAccount(ctx, a))
	return a
}

// visit returns a session of u, nowhere stored, with something in every field.
func visit(u *store.User, id string) *store.Session {
	at := moment()
	return &store.Session{
		ID: id, UserID: u.ID, Key: key("s-" + id), SID: "sid-" + id, AuthTime: at.Add(-time.Hour), Reauthed: true,
		CreatedAt: at.Add(-2 * time.Minute), SeenAt: at.Add(-time.Minute), ExpiresAt: at.Add(time.Hour),
		UserAgent: "Mozilla/5.0", IP: "2001:db8::1",
	}
}

// whole returns such a session with what only some stores keep.
func whole(u *store.User, id string) *store.Session {
	session := visit(u, id)
	session.Issuer, session.Family = "https://acme.example/"+id, "family-"+id
	return session
}

func logIn(ctx context.Context, t testing.TB, s store.Store, u *store.User, id string) *store.Session {
	t.Helper()
	session := visit(u, id)
	must(t, "CreateSession", s.CreateSession(ctx, session))
	return session
}

func token(text string) *store.Token {
	at := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC) // the same for the same text
	return &store.Token{Sealed: []byte(text), Expiry: at, Scopes: []string{"mail", "repo:read"}}
}

func putToken(ctx context.Context, t testing.TB, s store.Store, k store.Key, text string) {
	t.Helper()
	must(t, "PutToken", s.PutToken(ctx, k, token(text)))
}

// wantToken fails unless the token under k is the one with that text.
func wantToken(ctx context.Context, t testing.TB, s store.Store, k store.Key, text string) {
	t.Helper()
	got, err := s.Token(ctx, k)
	must(t, "Token", err)
	if string(got.Sealed) != text {
		t.Errorf("Token: got %q, want %q", got.Sealed, text)
	}
}

// must ends the test if a call failed that the rule is not about.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: got error %v, want none", what, err)
	}
}

// wantErr fails unless err is the one that the rule names.
func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// wantSame fails unless got and want are the same, with times compared to the
// millisecond.
func wantSame(t testing.TB, what string, got, want any) {
	t.Helper()
	got, want = plain(got), plain(want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// plain returns a copy of a record in which equal times are the same value, and
// an empty list or text is the same as none.
func plain(v any) any {
	cut := func(times ...*time.Time) {
		for _, t := range times {
			*t = t.UTC().Truncate(time.Millisecond)
		}
	}
	switch v := v.(type) {
	case *store.User:
		c := *v
		cut(&c.CreatedAt, &c.UpdatedAt)
		return c
	case *store.Account:
		c := *v
		if len(c.Profile) == 0 {
			c.Profile = nil
		}
		cut(&c.CreatedAt, &c.UpdatedAt)
		return c
	case *store.Session:
		c := *v
		cut(&c.AuthTime, &c.CreatedAt, &c.SeenAt, &c.ExpiresAt)
		return c
	case *store.Remembered:
		c := *v
		if len(c.Former) == 0 {
			c.Former = nil
		}
		cut(&c.CreatedAt, &c.UsedAt, &c.ExpiresAt)
		return c
	case *store.Token:
		c := *v
		if len(c.Scopes) == 0 {
			c.Scopes = nil
		}
		if len(c.Sealed) == 0 {
			c.Sealed = nil
		}
		cut(&c.Expiry)
		return c
	}
	return v
}

// needs is the check of a rule that is skipped for a store that is no T.
func needs[T any](name string, check func(context.Context, testing.TB, store.Store, T)) func(context.Context, testing.TB, store.Store) {
	return func(ctx context.Context, t testing.TB, s store.Store) {
		able, ok := s.(T)
		if !ok {
			t.Skip("the store is no " + name)
		}
		check(ctx, t, s, able)
	}
}

// wantSession fails unless the session is there as it is wanted.
func wantSession(ctx context.Context, t testing.TB, s store.Sessions, want *store.Session) {
	t.Helper()
	got, err := s.Session(ctx, want.ID)
	must(t, "Session "+want.ID, err)
	wantSame(t, "session "+want.ID, got, want)
}

// wantEnded fails if a session is there.
func wantEnded(ctx context.Context, t testing.TB, s store.Sessions, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := s.Session(ctx, id)
		gone(t, "Session "+id, err)
	}
}

// gone fails unless a call found nothing. It is for what a method has removed.
func gone(t testing.TB, what string, err error) {
	t.Helper()
	wantErr(t, what, err, store.ErrNotFound)
}

// atOnce runs f n times at the same moment and returns the errors.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// oneOf fails unless exactly one call succeeded and the others got want.
func oneOf(t testing.TB, what string, errs []error, want error) {
	t.Helper()
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		} else if !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want none or %v", what, err, want)
		}
	}
	if n != 1 {
		t.Errorf("%s: %d of %d calls succeeded, want 1", what, n, len(errs))
	}
}

// subjects lists the accounts' subjects.
func subjects(list []store.Account) []string {
	names := []string{}
	for _, a := range list {
		names = append(names, a.Subject)
	}
	return names
}

// ids lists the sessions' IDs.
func ids(list []store.Session) []string {
	names := []string{}
	for _, s := range list {
		names = append(names, s.ID)
	}
	return names
}
