package session_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gatepass/gatepass/store"
)

// loginAt begins a session of the world's user that has this of the service.
func (w *world) loginAt(b *browser, s store.Session) {
	w.t.Helper()
	s.UserID, s.Subject, s.AuthTime = w.user.ID, w.user.Name, w.clock.now()
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.Begin(rw, r, &s) }); err != nil {
		w.t.Fatal(err)
	}
}

func TestEndSID(t *testing.T) {
	const issuer = "https://test.example.com"
	w := newWorld(t)
	at := func(provider, issuer, sid string) *browser {
		b := newBrowser(t)
		w.loginAt(b, store.Session{Key: store.Key{Provider: provider}, Issuer: issuer, SID: sid})
		return b
	}
	one, same := at("test", issuer, "sid"), at("test", issuer, "sid")
	others := []*browser{
		at("test", issuer, "SID"), at("test", issuer, ""), at("test", "https://other.example.com", "sid"),
		at("test", "", "sid"), at("other", issuer, "sid"),
	}
	w.wantUser(one, w.m) // from here on it is in the cache
	// What is not named is nobody's: not of those either who have no SID or issuer.
	for _, args := range [][3]string{{"test", issuer, ""}, {"test", "", "sid"}, {"", issuer, "sid"}} {
		wantReason(t, w.m.EndSID(t.Context(), args[0], args[1], args[2]), "no_sid")
	}
	for _, b := range append(others, one, same) {
		w.wantUser(b, w.m)
	}
	for range 2 {
		if err := w.m.EndSID(t.Context(), "test", issuer, "sid"); err != nil {
			t.Fatal(err)
		}
		w.wantNone(one, w.m)
		w.wantNone(same, w.m)
		for _, b := range others {
			w.wantUser(b, w.m)
		}
	}
}

// A browser that is remembered since then does not come back.
func TestEndSIDForgetsBrowsers(t *testing.T) {
	for name, idleFirst := range map[string]bool{"open": false, "over": true} {
		t.Run(name, func(t *testing.T) {
			w, b := newRemembering(t)
			if idleFirst {
				w.clock.add(idle)
			}
			for _, at := range [][3]string{{"other", "https://test.example.com", "sid"}, {"test", "https://other.example.com", "sid"}, {"test", "https://test.example.com", "other"}} {
				if err := w.m.EndSID(t.Context(), at[0], at[1], at[2]); err != nil || len(w.families()) != 1 {
					t.Fatalf("%v: got %v and %d families, want the one there is", at, err, len(w.families()))
				}
			}
			if err := w.m.EndSID(t.Context(), "test", "https://test.example.com", "sid"); err != nil {
				t.Fatal(err)
			}
			w.wantNothing()
			w.wantNone(b, w.m)
		})
	}
}

func TestEndSIDThatFails(t *testing.T) {
	w, b := newRemembering(t)
	w.store.failAt("SIDRemembered", errDown)
	if err := w.m.EndSID(t.Context(), "test", "https://test.example.com", "sid"); !errors.Is(err, errDown) {
		t.Errorf("got %v, want %v", err, errDown)
	}
	w.store.failAt("SIDRemembered", nil)
	if err := w.m.EndSID(t.Context(), "test", "https://test.example.com", "sid"); err != nil {
		t.Error(err)
	}
	w.wantNothing()
	w.wantNone(b, w.m)

	lesser := newWorld(t, least)
	other := newBrowser(t)
	lesser.loginAt(other, store.Session{Key: store.Key{Provider: "test"}, SID: "sid"})
	if err := lesser.m.EndSID(t.Context(), "test", "https://test.example.com", "sid"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a store that finds none: got %v, want %v", err, errors.ErrUnsupported)
	}
	lesser.wantUser(other, lesser.m)
}
