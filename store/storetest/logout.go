package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// began stores a session that began with one of the provider.
func began(ctx context.Context, t testing.TB, s store.Store, u *store.User, id, provider, sid string) *store.Session {
	t.Helper()
	session := visit(u, id)
	session.Provider, session.SID = provider, sid
	must(t, "CreateSession", s.CreateSession(ctx, session))
	return session
}

// wantSID fails unless the sessions that began with that one of the provider
// have those IDs, in any order.
func wantSID(ctx context.Context, t testing.TB, f store.SIDFinder, provider, sid string, want ...string) {
	t.Helper()
	list, err := f.SIDSessions(ctx, provider, sid)
	must(t, "SIDSessions", err)
	got := ids(list)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("SIDSessions(%q, %q): got %q, want %q", provider, sid, got, want)
	}
}

func sidRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.SIDFinder)) func(context.Context, testing.TB, store.Store) {
		return needs("SIDFinder", check)
	}
	return []rule{
		{"SIDSessionsFinds", "SIDSessions returns the sessions that began with one of the provider, of whichever user and issuer, as Session does.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.SIDFinder) {
				ann, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				want := map[string]*store.Session{}
				for id, u := range map[string]*store.User{"a": ann, "b": ann, "c": bob} {
					session := whole(u, id) // each with an issuer of its own
					session.SID = "one"
					session.Family = ""
					must(t, "CreateSession", s.CreateSession(ctx, session))
					want[id] = session
				}
				began(ctx, t, s, ann, "d", home, "two")
				wantSID(ctx, t, f, home, "one", "a", "b", "c")
				wantSID(ctx, t, f, home, "two", "d")
				wantSID(ctx, t, f, home, "three")
				list, err := f.SIDSessions(ctx, home, "one")
				must(t, "SIDSessions", err)
				for _, got := range list {
					wantSame(t, "session "+got.ID, &got, want[got.ID])
				}
			})},
		{"SIDSessionsLive", "SIDSessions leaves out sessions that have ended.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.SIDFinder) {
				u, _ := signUp(ctx, t, s, "ann")
				expired := visit(u, "expired")
				expired.SID, expired.ExpiresAt = "one", moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, expired))
				began(ctx, t, s, u, "deleted", home, "one")
				began(ctx, t, s, u, "live", home, "one")
				must(t, "DeleteSession", s.DeleteSession(ctx, "deleted"))
				wantSID(ctx, t, f, home, "one", "live")
			})},
		{"SIDSessionsBytes", "SIDSessions compares provider and SID byte for byte.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.SIDFinder) {
				u, _ := signUp(ctx, t, s, "ann")
				keys := [][2]string{
					{home, "one"}, {home, "One"}, {home, "one "}, {home, "on"}, {home, "%"}, {home, "o_e"}, {home, "oné"}, {home, "one\u0301"},
					{"Acme", "one"}, {home + "o", "ne"}, {home + "2", "one"}, {"", "one"},
				}
				for i, k := range keys {
					began(ctx, t, s, u, string(rune('a'+i)), k[0], k[1])
				}
				for i, k := range keys {
					wantSID(ctx, t, f, k[0], k[1], string(rune('a'+i)))
				}
			})},
		{"SIDSessionsEmpty", "No session begins with an empty SID.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.SIDFinder) {
				u, _ := signUp(ctx, t, s, "ann")
				began(ctx, t, s, u, "a", home, "")
				began(ctx, t, s, u, "b", "", "")
				wantSID(ctx, t, f, home, "")
				wantSID(ctx, t, f, "", "")
			})},
		{"SIDSessionsAfterRenewal", "SIDSessions finds a session that took the place of others by the SID that it has itself.",
			needs("SIDFinder and SessionReplacer", func(ctx context.Context, t testing.TB, s store.Store, f interface {
				store.SIDFinder
				store.SessionReplacer
			}) {
				u, _ := signUp(ctx, t, s, "ann")
				began(ctx, t, s, u, "a", home, "one")
				renewed, replaced := whole(u, "b"), whole(u, "c")
				renewed.SID, replaced.SID = "two", "three"
				must(t, "RenewSession", f.RenewSession(ctx, "a", renewed))
				wantSID(ctx, t, f, home, "one")
				wantSID(ctx, t, f, home, "two", "b")
				must(t, "ReplaceSessions", f.ReplaceSessions(ctx, replaced, nil, []string{"b"}))
				wantSID(ctx, t, f, home, "two")
				wantSID(ctx, t, f, home, "three", "c")
			})},
		{"SIDFinderKeepsIssuer", "A SIDFinder keeps Issuer, however a session is found.",
			with(func(ctx context.Context, t testing.TB, s store.Store, _ store.SIDFinder) {
				u, _ := signUp(ctx, t, s, "ann")
				for _, id := range []string{"a", "b"} {
					want := whole(u, id)
					must(t, "CreateSession", s.CreateSession(ctx, want))
					wantKept(ctx, t, s, want, issuerOf)
				}
			})},
	}
}

func markedRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.MarkFinder)) func(context.Context, testing.TB, store.Store) {
		return needs("MarkFinder", check)
	}
	return []rule{
		{"MarkedTells", "Marked returns nil for an ID that is marked, and ErrNotFound for any other.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.MarkFinder) {
				wantErr(t, "Marked, in an empty store", f.Marked(ctx, "m:one"), store.ErrNotFound)
				must(t, "Mark", s.Mark(ctx, "m:one", moment().Add(time.Hour)))
				must(t, "Marked", f.Marked(ctx, "m:one"))
				for _, id := range []string{"m:two", "m:on", "M:one", "m:one ", "m:%", ""} {
					wantErr(t, "Marked("+id+")", f.Marked(ctx, id), store.ErrNotFound)
				}
			})},
		{"MarkedOneOf", "Marked returns nil if one of the IDs is marked, however many there are, and ErrNotFound if none is.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.MarkFinder) {
				must(t, "Mark", s.Mark(ctx, "m:past", moment().Add(-time.Second)))
				wantErr(t, "Marked, of none", f.Marked(ctx), store.ErrNotFound)
				ids := []string{"m:0", "m:past", "m\x00", ""}
				for len(ids) < 20 {
					ids = append(ids, fmt.Sprint("m:", len(ids)))
				}
				given := slices.Clone(ids)
				for n := range len(given) + 1 {
					wantErr(t, fmt.Sprintf("Marked, of %d", n), f.Marked(ctx, given[:n]...), store.ErrNotFound)
				}
				if !slices.Equal(given, ids) {
					t.Errorf("Marked has changed what it was given: %q", given)
				}
				for _, id := range []string{"m:19", "m:8", "m:0"} {
					must(t, "Mark", s.Mark(ctx, id, moment().Add(time.Hour)))
					must(t, "Marked with "+id, f.Marked(ctx, ids...))
					ids = slices.DeleteFunc(ids, func(other string) bool { return other == id })
					must(t, "Marked with "+id+" at the end", f.Marked(ctx, append(ids, id)...))
					wantErr(t, "Marked without "+id, f.Marked(ctx, ids...), store.ErrNotFound)
				}
			})},
		{"MarkedOver", "Marked returns ErrNotFound once the time of a mark has come.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.MarkFinder) {
				must(t, "Mark", s.Mark(ctx, "m:over", moment().Add(-time.Second)))
				wantErr(t, "Marked", f.Marked(ctx, "m:over"), store.ErrNotFound)
			})},
		{"MarkedMarksNothing", "Marked marks nothing, and takes no mark away.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.MarkFinder) {
				wantErr(t, "Marked", f.Marked(ctx, "m:late"), store.ErrNotFound)
				must(t, "Mark", s.Mark(ctx, "m:late", moment().Add(time.Hour)))
				for range 2 {
					must(t, "Marked", f.Marked(ctx, "m:late"))
				}
				wantErr(t, "Mark", s.Mark(ctx, "m:late", moment().Add(time.Hour)), store.ErrExists)
			})},
	}
}
