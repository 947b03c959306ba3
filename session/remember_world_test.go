package session_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

const (
	rememberName = "__Host-session-remember"
	rememberFor  = 90 * 24 * time.Hour
	idle         = 7 * 24 * time.Hour // the default
)

func remembering(c *session.Config) { c.Remember = rememberFor }

func (b *backend) CreateRemembered(ctx context.Context, r *store.Remembered) error {
	if err := b.call("CreateRemembered"); err != nil {
		return err
	}
	err := b.Store.CreateRemembered(ctx, r)
	if err == nil {
		err = b.lost("CreateRemembered")
	}
	b.done("CreateRemembered")
	return err
}

func (b *backend) Remembered(ctx context.Context, id string) (*store.Remembered, error) {
	if err := b.call("Remembered"); err != nil {
		return nil, err
	}
	r, err := b.Store.Remembered(ctx, id)
	b.done("Remembered")
	return r, err
}

func (b *backend) SwapRemembered(ctx context.Context, validator []byte, r *store.Remembered) error {
	if err := b.call("SwapRemembered"); err != nil {
		return err
	}
	defer b.done("SwapRemembered")
	return b.Store.SwapRemembered(ctx, validator, r)
}

func (b *backend) UserRemembered(ctx context.Context, userID string) ([]store.Remembered, error) {
	if err := b.call("UserRemembered"); err != nil {
		return nil, err
	}
	return b.Store.UserRemembered(ctx, userID)
}

func (b *backend) SIDRemembered(ctx context.Context, provider, sid string) ([]store.Remembered, error) {
	if err := b.call("SIDRemembered"); err != nil {
		return nil, err
	}
	return b.Store.SIDRemembered(ctx, provider, sid)
}

func (b *backend) DeleteRemembered(ctx context.Context, id string) error {
	if err := b.call("DeleteRemembered"); err != nil {
		return err
	}
	return b.Store.DeleteRemembered(ctx, id)
}

func (b *backend) DeleteUserRemembered(ctx context.Context, userID, except string) error {
	if err := b.call("DeleteUserRemembered"); err != nil {
		return err
	}
	return b.Store.DeleteUserRemembered(ctx, userID, except)
}

func (b *backend) User(ctx context.Context, id string) (*store.User, error) {
	if err := b.call("User"); err != nil {
		return nil, err
	}
	return b.Store.User(ctx, id)
}

// newRemembering returns a world that remembers browsers, and one that is.
func newRemembering(t testing.TB, change ...func(*session.Config)) (*world, *browser) {
	t.Helper()
	w, b := newWorld(t, append([]func(*session.Config){remembering}, change...)...), newBrowser(t)
	w.remember(b)
	return w, b
}

func (w *world) remember(b *browser) *store.Session {
	w.t.Helper()
	s := &store.Session{
		UserID: w.user.ID, Key: store.Key{Provider: "test", Subject: w.user.Name}, Issuer: "https://test.example.com",
		SID: "sid", AuthTime: w.clock.now(),
	}
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.BeginRemembered(rw, r, s) }); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (b *browser) restore(m *session.Manager) (f session.Found, err error) {
	b.t.Helper()
	err = b.do("GET", func(w http.ResponseWriter, r *http.Request) error {
		f, _, err = m.Restore(w, r)
		return err
	})
	return f, err
}

// wantRestored restores b, which must work.
func (w *world) wantRestored(b *browser, m *session.Manager) session.Found {
	w.t.Helper()
	f, err := b.restore(m)
	if err != nil {
		w.t.Fatalf("got error %v, want a session", err)
	}
	if f.User.ID != w.user.ID || f.Session.UserID != w.user.ID || !f.Session.AuthTime.IsZero() || f.Session.Reauthed {
		w.t.Fatalf("got %+v of %+v", f.Session, f.User)
	}
	if got := w.wantUser(b, m); got.Session.ID != f.Session.ID {
		w.t.Fatalf("the browser is in session %s, want %s", got.Session.ID, f.Session.ID)
	}
	return f
}

// sessions returns what the store has of the world's user.
func (w *world) sessions() []store.Session {
	w.t.Helper()
	list, err := w.store.Store.UserSessions(w.t.Context(), w.user.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// families is like sessions.
func (w *world) families() []store.Remembered {
	w.t.Helper()
	list, err := w.store.Store.UserRemembered(w.t.Context(), w.user.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// wantNothing fails if the user has a session or a remembered browser.
func (w *world) wantNothing() {
	w.t.Helper()
	if s, f := w.sessions(), w.families(); len(s)+len(f) > 0 {
		w.t.Fatalf("got %d sessions and %d families, want none", len(s), len(f))
	}
}

// rememberToken marks a family's ID and a secret, as only someone with the
// schedule's secret can.
func (s schedule) rememberToken(family, secret []byte) string {
	head := slices.Concat(s.key("remember kid", 1), family, secret)
	return b64.EncodeToString(append(head, hmacSum(s.key("remember mark", 32), head)[:15]...))
}

// heirs returns what takes the place of a family's secret, and the random bytes
// of the session that begins then.
func (s schedule) heirs(family, secret []byte) (next, random []byte) {
	return hmacSum(s.key("remember next", 32), family, secret), hmacSum(s.key("remember session", 32), family, secret)
}

func validator(family, secret []byte) []byte {
	sum := sha256.Sum256(slices.Concat([]byte("gatepass remembered v1\x00"), family, secret))
	return sum[:]
}

// parts returns the family's ID and the secret in b's remember cookie.
func (b *browser) parts() (family, secret []byte) {
	b.t.Helper()
	raw, err := b64.Strict().DecodeString(b.value(rememberName))
	if err != nil || len(raw) != 64 {
		b.t.Fatalf("the remember cookie has %d bytes, %v", len(raw), err)
	}
	return raw[1:17], raw[17:49]
}

func setCookies(h http.Header) string { return strings.Join(h["Set-Cookie"], "\n") }

// A swapped store answers with a family whose ID is another to us.
type swapped struct{ *backend }

func (s swapped) Remembered(ctx context.Context, id string) (*store.Remembered, error) {
	r, err := s.backend.Remembered(ctx, id)
	if err == nil {
		r.ID, r.Validator = strings.ToUpper(r.ID), nil
	}
	return r, err
}

// An empty store answers with nothing at all.
type empty struct{ *backend }

func (empty) Remembered(context.Context, string) (*store.Remembered, error) { return nil, nil }
