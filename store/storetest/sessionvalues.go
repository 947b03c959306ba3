package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// bytesOf returns n bytes with each value that a byte can have: zero, and much
// that is not UTF-8.
func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

// wantValues fails unless the session has those values.
func wantValues(ctx context.Context, t testing.TB, v store.SessionValuer, id string, want []byte) {
	t.Helper()
	session, got, err := v.SessionValues(ctx, id)
	must(t, "SessionValues of "+id, err)
	if session.ID != id {
		t.Errorf("SessionValues of %s: got session %q", id, session.ID)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("SessionValues of %s: got %d bytes %.40q, want %d bytes %.40q", id, len(got), got, len(want), want)
	}
}

func sessionValueRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.SessionValuer)) func(context.Context, testing.TB, store.Store) {
		return needs("SessionValuer", check)
	}
	return []rule{
		{"SessionValuesWhole", "SessionValues returns the session as Session does, and no values if it has none.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				want := logIn(ctx, t, s, u, "a")
				for _, values := range [][]byte{nil, []byte("cart")} {
					must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, values))
					got, _, err := v.SessionValues(ctx, "a")
					must(t, "SessionValues", err)
					wantSame(t, "the session", got, want)
					wantValues(ctx, t, v, "a", values)
					wantSession(ctx, t, s, want)
				}
			})},
		{"SessionValuesNotThere", "SessionValues returns ErrNotFound for a session that is not there or has ended.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "deleted")
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "deleted", nil, []byte("cart")))
				must(t, "DeleteSession", s.DeleteSession(ctx, "deleted"))
				expired := visit(u, "expired")
				expired.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, expired))
				for _, id := range []string{"none", "", "%", "deleted", "expired"} {
					_, _, err := v.SessionValues(ctx, id)
					wantErr(t, "SessionValues("+id+")", err, store.ErrNotFound)
				}
			})},
		{"SwapSessionValuesStores", "SwapSessionValues stores any bytes, up to MaxValues of them, for each session on its own.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				logIn(ctx, t, s, u, "b")
				var old []byte
				for _, values := range [][]byte{
					[]byte("cart"), {0}, bytesOf(300), bytesOf(store.MaxValues), []byte("spaces   "), []byte("spaces"), []byte(" \t\r\n"), {0xff, 0xfe}, []byte("x"),
				} {
					must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", old, values))
					wantValues(ctx, t, v, "a", values)
					old = values
				}
				wantValues(ctx, t, v, "b", nil)
			})},
		{"SwapSessionValuesCompares", "SwapSessionValues returns ErrExists if the values are not old, byte for byte, and then changes nothing.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				wantErr(t, "SwapSessionValues of none", v.SwapSessionValues(ctx, "a", []byte("x"), []byte("y")), store.ErrExists)
				wantValues(ctx, t, v, "a", nil)
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, []byte("cart")))
				for _, old := range []string{"", "Cart", "cart ", "cart\x00", "car", "%"} {
					wantErr(t, "SwapSessionValues of "+old, v.SwapSessionValues(ctx, "a", []byte(old), []byte("y")), store.ErrExists)
					wantValues(ctx, t, v, "a", []byte("cart"))
				}
			})},
		{"SwapSessionValuesNone", "No values are the same as empty ones, as old and as new.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				var old []byte
				for i, values := range [][]byte{{}, nil, {}, []byte("x"), {}, []byte("x"), nil, []byte("x")} {
					must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", old, values))
					wantValues(ctx, t, v, "a", values)
					if old = values; len(values) == 0 && i%2 == 1 {
						old = []byte{}
					} else if len(values) == 0 {
						old = nil
					}
				}
			})},
		{"SwapSessionValuesSame", "To swap values for the same ones is no error.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				for _, values := range [][]byte{nil, []byte("cart")} {
					must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, values))
					for range 2 {
						must(t, "SwapSessionValues for the same", v.SwapSessionValues(ctx, "a", values, bytes.Clone(values)))
						wantValues(ctx, t, v, "a", values)
					}
				}
			})},
		{"SwapSessionValuesAfterItsEnd", "SwapSessionValues returns ErrNotFound for a session that was not there or has ended: it never brings one back.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "deleted")
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "deleted", nil, []byte("cart")))
				must(t, "DeleteSession", s.DeleteSession(ctx, "deleted"))
				expired := visit(u, "expired")
				expired.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, expired))
				for _, id := range []string{"none", "", "deleted", "expired"} {
					for _, old := range [][]byte{nil, []byte("cart")} {
						wantErr(t, "SwapSessionValues, "+id, v.SwapSessionValues(ctx, id, old, []byte("new")), store.ErrNotFound)
						wantEnded(ctx, t, s, id)
					}
				}
			})},
		{"SwapSessionValuesAtOnce", "Of many swaps at once that read, add and try again when they get ErrExists, none is lost.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "counter")
				const n = 8
				for _, err := range atOnce(n, func(i int) error {
					for {
						_, old, err := v.SessionValues(ctx, "counter")
						if err != nil {
							return err
						}
						err = v.SwapSessionValues(ctx, "counter", old, append(bytes.Clone(old), byte('a'+i)))
						if !errors.Is(err, store.ErrExists) {
							return err
						}
					}
				}) {
					must(t, "SwapSessionValues", err)
				}
				_, got, err := v.SessionValues(ctx, "counter")
				must(t, "SessionValues", err)
				for i := range n {
					if bytes.Count(got, []byte{byte('a' + i)}) != 1 {
						t.Errorf("got %q, want each of %d letters once", got, n)
						break
					}
				}
			})},
		{"SwapSessionValuesLogout", "Of a session whose values are swapped while it is ended, nothing remains.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				for round := range 5 {
					id := fmt.Sprint("logout", round)
					logIn(ctx, t, s, u, id)
					errs := atOnce(2, func(i int) error {
						if i == 0 {
							return s.DeleteSession(ctx, id)
						}
						return v.SwapSessionValues(ctx, id, nil, []byte("cart"))
					})
					must(t, "DeleteSession", errs[0])
					if errs[1] != nil && !errors.Is(errs[1], store.ErrNotFound) {
						t.Errorf("SwapSessionValues: got error %v, want none or %v", errs[1], store.ErrNotFound)
					}
					wantEnded(ctx, t, s, id)
				}
			})},
		{"SwapSessionValuesTooMuch", "More than MaxValues bytes are kept whole or refused with ErrBadText; then nothing has changed.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, []byte("cart")))
				much := bytesOf(store.MaxValues + 1)
				err := v.SwapSessionValues(ctx, "a", []byte("cart"), much)
				if err == nil {
					wantValues(ctx, t, v, "a", much)
					return
				}
				wantErr(t, "SwapSessionValues", err, store.ErrBadText)
				wantValues(ctx, t, v, "a", []byte("cart"))
			})},
		{"TouchSessionKeepsValues", "TouchSession leaves a session's values as they are.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				a := logIn(ctx, t, s, u, "a")
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, []byte("cart")))
				must(t, "TouchSession", s.TouchSession(ctx, "a", a.SeenAt.Add(time.Minute), a.ExpiresAt.Add(time.Hour)))
				wantValues(ctx, t, v, "a", []byte("cart"))
			})},
		{"SessionValuesEnd", "A session's values end with it: another that gets the same ID later has none.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				for range 2 {
					logIn(ctx, t, s, u, "a")
					wantValues(ctx, t, v, "a", nil)
					must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, []byte("cart")))
					must(t, "DeleteSession", s.DeleteSession(ctx, "a"))
				}
				logIn(ctx, t, s, u, "a")
				wantValues(ctx, t, v, "a", nil)
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, []byte("cart")))
				must(t, "DeleteUserSessions", s.DeleteUserSessions(ctx, u.ID, ""))
				logIn(ctx, t, s, u, "a")
				wantValues(ctx, t, v, "a", nil)
			})},
		{"ReturnedValuesAreCopies", "To change values that were given or returned changes nothing that is stored.",
			with(func(ctx context.Context, t testing.TB, s store.Store, v store.SessionValuer) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "a")
				given := []byte("cart")
				must(t, "SwapSessionValues", v.SwapSessionValues(ctx, "a", nil, given))
				given[0] = 'X'
				for range 2 {
					_, got, err := v.SessionValues(ctx, "a")
					must(t, "SessionValues", err)
					if string(got) != "cart" {
						t.Fatalf("got %q, want cart", got)
					}
					got[0] = 'X'
				}
			})},
	}
}
