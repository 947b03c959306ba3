package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// swapRules are about the secret of a remembered browser, which changes at each
// use.
func swapRules() []rule {
	return []rule{
		{"SwapRememberedReplaces", "SwapRemembered replaces what is stored, save UserID and CreatedAt, and no other browser.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				old, stay := remember(ctx, t, r, ann, "b1"), remember(ctx, t, r, ann, "b2")
				want := browser(bob, "b1")
				want.Key, want.Issuer, want.SID = key("new"), "https://new.example", "new"
				want.Validator, want.Former = []byte("\xff\x00 new"), old.Validator
				want.CreatedAt, want.UsedAt, want.ExpiresAt = moment(), moment(), moment().Add(2*time.Hour)
				want.UserAgent, want.IP = "Other/1.0", "192.0.2.1"
				given := *want
				must(t, "SwapRemembered", r.SwapRemembered(ctx, old.Validator, &given))
				want.UserID, want.CreatedAt = old.UserID, old.CreatedAt
				wantRemembered(ctx, t, r, want, stay)
				list, err := r.SIDRemembered(ctx, home, "new")
				must(t, "SIDRemembered", err)
				if got := browserIDs(list); !slices.Equal(got, []string{"b1"}) {
					t.Errorf("SIDRemembered with the new SID: got %q, want b1", got)
				}
				for u, want := range map[*store.User]int{ann: 2, bob: 0} {
					list, err := r.UserRemembered(ctx, u.ID)
					must(t, "UserRemembered", err)
					if len(list) != want {
						t.Errorf("UserRemembered of %s: got %q, want %d", u.Username, browserIDs(list), want)
					}
				}
			})},
		{"SwapRememberedSame", "To swap a browser for the same one is no error.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				want := remember(ctx, t, r, u, "b1")
				for range 2 {
					must(t, "SwapRemembered", r.SwapRemembered(ctx, want.Validator, want))
				}
				wantRemembered(ctx, t, r, want)
			})},
		{"SwapRememberedCompares", "SwapRemembered returns ErrExists if the Validator is another, byte for byte, and changes nothing.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				want := browser(u, "b1")
				want.Validator, want.Former = []byte("secret"), []byte("before")
				must(t, "CreateRemembered", r.CreateRemembered(ctx, want))
				other := browser(u, "b1")
				other.Validator, other.UserAgent = []byte("other"), "Other/1.0"
				for _, validator := range []string{"Secret", "secret ", "secret\x00", "secre", "", "%", "before", "other"} {
					wantErr(t, "SwapRemembered of "+validator, r.SwapRemembered(ctx, []byte(validator), other), store.ErrExists)
					wantRemembered(ctx, t, r, want)
				}
				wantErr(t, "SwapRemembered of none", r.SwapRemembered(ctx, nil, other), store.ErrExists)
				wantRemembered(ctx, t, r, want)
			})},
		{"SwapRememberedAfterItsEnd", "SwapRemembered returns ErrNotFound for a browser that was not there or is forgotten: it never brings one back.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				remember(ctx, t, r, u, "deleted")
				must(t, "DeleteRemembered", r.DeleteRemembered(ctx, "deleted"))
				remember(ctx, t, r, u, "everywhere")
				must(t, "DeleteUserRemembered", r.DeleteUserRemembered(ctx, u.ID, ""))
				b := browser(u, "over")
				b.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				for _, id := range []string{"none", "deleted", "everywhere", "over"} {
					b := browser(u, id)
					wantErr(t, "SwapRemembered, "+id, r.SwapRemembered(ctx, b.Validator, b), store.ErrNotFound)
					wantForgotten(ctx, t, r, id)
				}
			})},
		{"SwapRememberedAtOnce", "Of many calls of SwapRemembered at once with one Validator, one gets nil and the others ErrExists.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				for round := range 3 {
					old := remember(ctx, t, r, u, fmt.Sprint("once", round))
					errs := atOnce(8, func(i int) error {
						b := browser(u, old.ID)
						b.Validator = fmt.Appendf(nil, "new%d", i)
						return r.SwapRemembered(ctx, old.Validator, b)
					})
					oneOf(t, "SwapRemembered", errs, store.ErrExists)
					got, err := r.Remembered(ctx, old.ID)
					must(t, "Remembered", err)
					for i, err := range errs {
						if now := bytes.Equal(got.Validator, fmt.Appendf(nil, "new%d", i)); now != (err == nil) {
							t.Errorf("call %d returned %v; its Validator is stored: %v", i, err, now)
						}
					}
				}
			})},
		{"SwapRememberedLogout", "Of a browser that is swapped while it is forgotten, nothing remains.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				for round := range 5 {
					b := remember(ctx, t, r, u, fmt.Sprint("logout", round))
					next := *b
					next.Validator = []byte("new")
					errs := atOnce(2, func(i int) error {
						if i == 0 {
							return r.DeleteUserRemembered(ctx, u.ID, "")
						}
						return r.SwapRemembered(ctx, b.Validator, &next)
					})
					must(t, "DeleteUserRemembered", errs[0])
					if errs[1] != nil && !errors.Is(errs[1], store.ErrNotFound) {
						t.Errorf("SwapRemembered: got error %v, want none or %v", errs[1], store.ErrNotFound)
					}
					wantForgotten(ctx, t, r, b.ID)
				}
			})},
		{"RememberedTextsAreNeverCut", "Texts of a remembered browser come back as they were; what is too long for a store, or what it cannot keep, is an error.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				for i, text := range []string{
					"Žofie 👩🏽‍🚀", "O'Brien \"; --", "spaces   ", "e\u0301", strings.Repeat("x", 256), strings.Repeat("ü", 200),
					strings.Repeat("x", 1025), strings.Repeat("x", 70_000), "zero\x00byte", "not UTF-8: \xff\xfe",
				} {
					b := browser(u, fmt.Sprint("t", i))
					b.UserAgent = text
					if err := r.CreateRemembered(ctx, b); err == nil {
						wantRemembered(ctx, t, r, b)
					} else if i < 4 {
						t.Errorf("CreateRemembered with %q: got error %v, want none", text, err)
					}
				}
			})},
		{"ReturnedRememberedAreCopies", "To change a browser that was given or returned changes nothing that is stored.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				want, given := browser(u, "copy"), browser(u, "copy")
				must(t, "CreateRemembered", r.CreateRemembered(ctx, given))
				given.Validator[0]++
				given.Former[0]++
				given = browser(u, "copy")
				must(t, "SwapRemembered", r.SwapRemembered(ctx, want.Validator, given))
				given.Validator[0]++
				given.Former[0]++
				for range 2 {
					got, err := r.Remembered(ctx, "copy")
					must(t, "Remembered", err)
					want.CreatedAt, want.UsedAt, want.ExpiresAt = got.CreatedAt, got.UsedAt, got.ExpiresAt
					wantSame(t, "the browser", got, want)
					users, err := r.UserRemembered(ctx, u.ID)
					must(t, "UserRemembered", err)
					sids, err := r.SIDRemembered(ctx, want.Provider, want.SID)
					must(t, "SIDRemembered", err)
					for _, list := range [][]store.Remembered{{*got}, users, sids} {
						for _, b := range list {
							b.Validator[0]++
							b.Former[0]++
						}
					}
				}
			})},
	}
}

func forgetRules() []rule {
	return []rule{
		{"DeleteRememberedForgets", "DeleteRemembered forgets a browser, and no other.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				remember(ctx, t, r, u, "b1")
				stay := remember(ctx, t, r, u, "b2")
				must(t, "DeleteRemembered", r.DeleteRemembered(ctx, "b1"))
				wantForgotten(ctx, t, r, "b1")
				wantRemembered(ctx, t, r, stay)
			})},
		{"DeleteRememberedNotThere", "To forget a browser that is not there is no error.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				for _, id := range []string{"none", "", "none"} {
					must(t, "DeleteRemembered", r.DeleteRemembered(ctx, id))
				}
			})},
		{"DeleteUserRememberedForgets", "DeleteUserRemembered forgets all of a user's browsers, and nobody else's.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				remember(ctx, t, r, ann, "b1")
				remember(ctx, t, r, ann, "b2")
				his := remember(ctx, t, r, bob, "his")
				must(t, "DeleteUserRemembered", r.DeleteUserRemembered(ctx, ann.ID, ""))
				wantForgotten(ctx, t, r, "b1", "b2")
				must(t, "DeleteUserRemembered of nobody", r.DeleteUserRemembered(ctx, "nobody", ""))
				wantRemembered(ctx, t, r, his)
			})},
		{"DeleteUserRememberedExcept", "DeleteUserRemembered leaves the browser with the ID except.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				remember(ctx, t, r, u, "b1")
				stay := remember(ctx, t, r, u, "b2")
				remember(ctx, t, r, u, "b3")
				must(t, "DeleteUserRemembered", r.DeleteUserRemembered(ctx, u.ID, "b2"))
				wantForgotten(ctx, t, r, "b1", "b3")
				wantRemembered(ctx, t, r, stay)
			})},
		{"DeleteUserForgets", "DeleteUser forgets the user's browsers, and nobody else's.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				b := remember(ctx, t, r, ann, "hers")
				his := remember(ctx, t, r, bob, "his")
				must(t, "DeleteUser", s.DeleteUser(ctx, ann.ID))
				wantForgotten(ctx, t, r, "hers")
				list, err := r.SIDRemembered(ctx, b.Provider, b.SID)
				must(t, "SIDRemembered", err)
				if len(list) != 0 {
					t.Errorf("SIDRemembered: got %q, want none", browserIDs(list))
				}
				wantRemembered(ctx, t, r, his)
			})},
		{"DeleteExpiredRemembered", "DeleteExpired removes browsers that are over, and none that is not.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				b := browser(u, "swept")
				b.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				live := remember(ctx, t, r, u, "live")
				must(t, "DeleteExpired", r.DeleteExpired(ctx))
				wantRemembered(ctx, t, r, live)
				must(t, "CreateRemembered with the ID of one that is over", r.CreateRemembered(ctx, browser(u, "swept")))
			})},
	}
}
