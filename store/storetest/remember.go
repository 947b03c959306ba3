package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// browser returns a remembered browser of u, nowhere stored, with something in
// every field.
func browser(u *store.User, id string) *store.Remembered {
	at := moment()
	return &store.Remembered{
		ID: id, UserID: u.ID, Key: key("r-" + id), Issuer: "https://acme.example/" + id, SID: "sid-" + id,
		Validator: bytesOf(32), Former: []byte("\x00\xff former of " + id),
		CreatedAt: at.Add(-time.Hour), UsedAt: at.Add(-time.Minute), ExpiresAt: at.Add(time.Hour),
		UserAgent: "Mozilla/5.0", IP: "2001:db8::1",
	}
}

// remember stores a remembered browser of u.
func remember(ctx context.Context, t testing.TB, r store.Rememberer, u *store.User, id string) *store.Remembered {
	t.Helper()
	b := browser(u, id)
	must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
	return b
}

// wantRemembered fails unless the browsers are remembered as they are wanted.
func wantRemembered(ctx context.Context, t testing.TB, r store.Rememberer, wants ...*store.Remembered) {
	t.Helper()
	for _, want := range wants {
		got, err := r.Remembered(ctx, want.ID)
		must(t, "Remembered "+want.ID, err)
		wantSame(t, "browser "+want.ID, got, want)
	}
}

// wantForgotten fails if a browser is remembered.
func wantForgotten(ctx context.Context, t testing.TB, r store.Rememberer, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := r.Remembered(ctx, id)
		gone(t, "Remembered "+id, err)
	}
}

func browserIDs(list []store.Remembered) []string {
	names := []string{}
	for _, b := range list {
		names = append(names, b.ID)
	}
	return names
}

// remembers is the check of a rule for a store that remembers browsers.
func remembers(check func(context.Context, testing.TB, store.Store, store.Rememberer)) func(context.Context, testing.TB, store.Store) {
	return needs("Rememberer", check)
}

func rememberRules() []rule {
	return []rule{
		{"CreateRememberedStores", "CreateRemembered stores the browser, and Remembered returns it, with any bytes as Validator and Former and times in UTC.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				full := browser(u, "b1")
				bare := &store.Remembered{ID: "b2", UserID: u.ID, Validator: []byte{0}, ExpiresAt: moment().Add(time.Hour)}
				for _, want := range []*store.Remembered{full, bare} {
					given := *want
					given.ExpiresAt = given.ExpiresAt.In(time.FixedZone("Kathmandu", 5*3600+45*60))
					must(t, "CreateRemembered", r.CreateRemembered(ctx, &given))
				}
				wantRemembered(ctx, t, r, full, bare)
				got, err := r.Remembered(ctx, "b1")
				must(t, "Remembered", err)
				for _, at := range []time.Time{got.CreatedAt, got.UsedAt, got.ExpiresAt} {
					if at.Location() != time.UTC {
						t.Errorf("got the time %v, want it in UTC", at)
					}
				}
			})},
		{"CreateRememberedExists", "CreateRemembered returns ErrExists if the ID is taken, and changes nothing.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				ann, _ := signUp(ctx, t, s, "ann")
				eve, _ := signUp(ctx, t, s, "eve")
				want := remember(ctx, t, r, ann, "b1")
				other := browser(eve, "b1")
				other.Validator = []byte("hers")
				wantErr(t, "CreateRemembered", r.CreateRemembered(ctx, other), store.ErrExists)
				wantRemembered(ctx, t, r, want)
			})},
		{"RememberedNotThere", "Remembered returns ErrNotFound for an ID that is not there, and never nil, nil. IDs are compared byte for byte.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				remember(ctx, t, r, u, "b1")
				for _, id := range []string{"b2", "", "%", "b1 ", "B1"} {
					got, err := r.Remembered(ctx, id)
					wantErr(t, "Remembered("+id+")", err, store.ErrNotFound)
					if err == nil && got == nil {
						t.Error("Remembered returned nil, nil")
					}
				}
			})},
		{"RememberedExpired", "Remembered returns ErrNotFound for one that has expired.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				b := browser(u, "expired")
				b.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				wantForgotten(ctx, t, r, "expired")
			})},
		{"UserRememberedLatestFirst", "UserRemembered returns a user's browsers, latest used first.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				remember(ctx, t, r, bob, "his")
				for id, age := range map[string]time.Duration{"m": 30 * time.Minute, "a": 50 * time.Minute, "z": 10 * time.Minute, "k": 20 * time.Minute} {
					b := browser(u, id)
					b.UsedAt = moment().Add(-age)
					must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				}
				list, err := r.UserRemembered(ctx, u.ID)
				must(t, "UserRemembered", err)
				if got, want := browserIDs(list), []string{"z", "k", "m", "a"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})},
		{"UserRememberedWhole", "UserRemembered returns browsers as Remembered does, and none of a user who is not there.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				want := remember(ctx, t, r, u, "b1")
				list, err := r.UserRemembered(ctx, u.ID)
				must(t, "UserRemembered", err)
				if len(list) != 1 {
					t.Fatalf("got %d browsers, want 1", len(list))
				}
				wantSame(t, "the browser", &list[0], want)
				for _, id := range []string{"nobody", ""} {
					list, err := r.UserRemembered(ctx, id)
					must(t, "UserRemembered", err)
					if len(list) != 0 {
						t.Errorf("of %q: got %q, want none", id, browserIDs(list))
					}
				}
			})},
		{"UserRememberedLive", "UserRemembered leaves out browsers that have expired.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				b := browser(u, "past")
				b.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				remember(ctx, t, r, u, "live")
				list, err := r.UserRemembered(ctx, u.ID)
				must(t, "UserRemembered", err)
				if got := browserIDs(list); !slices.Equal(got, []string{"live"}) {
					t.Errorf("got %q, want live", got)
				}
			})},
		{"SIDRememberedFinds", "SIDRemembered returns the browsers that began with one session of the provider, of whichever user and issuer and as Remembered does, but none that has expired.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				want := map[string]*store.Remembered{}
				for id, u := range map[string]*store.User{"a": ann, "b": ann, "c": bob, "d": bob} {
					b := browser(u, id)
					if b.SID = "one"; id == "d" {
						b.ExpiresAt = moment().Add(-time.Second)
					} else {
						want[id] = b
					}
					must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				}
				remember(ctx, t, r, ann, "e")
				list, err := r.SIDRemembered(ctx, home, "one")
				must(t, "SIDRemembered", err)
				if len(list) != len(want) {
					t.Errorf("got %q, want a, b and c", browserIDs(list))
				}
				for _, got := range list {
					if want[got.ID] != nil {
						wantSame(t, "browser "+got.ID, &got, want[got.ID])
					}
				}
			})},
		{"SIDRememberedBytes", "SIDRemembered compares provider and SID byte for byte, and none begins with an empty SID.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, r store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				keys := [][2]string{
					{home, "one"}, {home, "One"}, {home, "one "}, {home, "on"}, {home, "%"}, {"Acme", "one"}, {home + "o", "ne"}, {"", "one"}, {home, ""}, {"", ""},
				}
				for i, k := range keys {
					b := browser(u, string(rune('a'+i)))
					b.Provider, b.SID = k[0], k[1]
					must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				}
				for i, k := range keys {
					want := []string{string(rune('a' + i))}
					if k[1] == "" {
						want = nil
					}
					list, err := r.SIDRemembered(ctx, k[0], k[1])
					must(t, "SIDRemembered", err)
					if got := browserIDs(list); !slices.Equal(got, want) {
						t.Errorf("SIDRemembered(%q, %q): got %q, want %q", k[0], k[1], got, want)
					}
				}
			})},
		{"RemembererKeepsFamily", "A Rememberer keeps the Family of sessions, however one is found.",
			remembers(func(ctx context.Context, t testing.TB, s store.Store, _ store.Rememberer) {
				u, _ := signUp(ctx, t, s, "ann")
				for _, id := range []string{"a", "b"} {
					want := whole(u, id)
					must(t, "CreateSession", s.CreateSession(ctx, want))
					wantKept(ctx, t, s, want, familyOf)
				}
			})},
	}
}
