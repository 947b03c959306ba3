package session_test

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
)

const postName = "__Host-session-post"

func TestPost(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	state := session.NewState()
	posted := url.Values{
		"state": {state}, "code": {"abc"}, "iss": {"https://issuer"}, "user": {`{"name":"Ada"}`},
		"error_description": {""}, "id_token": {"dropped"}, "other": {"dropped"},
	}
	if err := b.keepPost(w.m, posted); err != nil {
		t.Fatal(err)
	}
	if got := strings.Replace(b.header.Get("Set-Cookie"), b.value(postName), "V", 1); got != postName+"=V; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("got %s", got)
	}
	w.clock.add(time.Minute)
	got, err := b.takePost(w.m, state)
	want := url.Values{"state": {state}, "code": {"abc"}, "iss": {"https://issuer"}, "user": {`{"name":"Ada"}`}, "error_description": {""}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if b.value(postName) != "" {
		t.Error("the cookie stays")
	}
	_, err = b.takePost(w.m, state)
	wantReason(t, err, "post_missing")
	if n := w.store.count(); n != 0 {
		t.Errorf("%d calls of the store", n)
	}
}

func TestPostLimits(t *testing.T) {
	state := session.NewState()
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name   string
		posted url.Values
		reason string
		want   url.Values
	}{
		{"no state", url.Values{"code": {"c"}}, "state_missing", nil},
		{"empty state", url.Values{"state": {""}}, "state_missing", nil},
		{"foreign state", url.Values{"state": {"x"}}, "state_malformed", nil},
		{"code twice", url.Values{"state": {state}, "code": {"a", "b"}}, "duplicate_param", nil},
		{"state twice", url.Values{"state": {state, state}}, "duplicate_param", nil},
		{"anything twice", url.Values{"state": {state}, "x": {"", ""}}, "duplicate_param", nil},
		{"long code", url.Values{"state": {state}, "code": {long(2049)}}, "too_long", nil},
		{"long iss", url.Values{"state": {state}, "iss": {long(257)}}, "too_long", nil},
		{"longest code", url.Values{"state": {state}, "code": {long(2048)}}, "", url.Values{"state": {state}, "code": {long(2048)}}},
		{"long user", url.Values{"state": {state}, "code": {"c"}, "user": {long(1025)}}, "", url.Values{"state": {state}, "code": {"c"}}},
		{"long description", url.Values{"state": {state}, "error": {"e"}, "error_description": {long(257)}}, "", url.Values{"state": {state}, "error": {"e"}}},
		{
			"all at once", url.Values{"state": {state}, "code": {long(2048)}, "iss": {long(256)}, "error_description": {long(256)}, "user": {long(1024)}},
			"", url.Values{"state": {state}, "code": {long(2048)}, "iss": {long(256)}, "error_description": {long(256)}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newWorld(t), newBrowser(t)
			err := b.keepPost(w.m, test.posted)
			if test.reason != "" {
				wantReason(t, err, test.reason)
				if !errors.Is(err, session.ErrFlow) || len(b.header) != 0 {
					t.Errorf("got %v, header %v", err, b.header)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(postName) + len(b.value(postName)); n > 4000 {
				t.Errorf("a cookie of %d bytes", n)
			}
			if got, err := b.takePost(w.m, state); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestPostIsOfOneLogin(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	one, two := session.NewState(), session.NewState()
	if err := b.keepPost(w.m, url.Values{"state": {one}, "code": {"attacker's"}}); err != nil {
		t.Fatal(err)
	}
	_, err := b.takePost(w.m, two)
	wantReason(t, err, "post_invalid")
	if len(b.header) != 0 {
		t.Errorf("the other login's answer is gone: %v", b.header)
	}
	for _, state := range []string{"", "x"} {
		if _, err := b.takePost(w.m, state); !errors.Is(err, session.ErrFlow) {
			t.Errorf("%q: got %v", state, err)
		}
	}
	if _, err := b.takePost(w.m, one); err != nil {
		t.Error(err)
	}
}

// One name only: a flood leaves one cookie.
func TestPostFlood(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	var last string
	for range 100 {
		last = session.NewState()
		if err := b.keepPost(w.m, url.Values{"state": {last}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.cookies) != 1 {
		t.Errorf("%d cookies", len(b.cookies))
	}
	if _, err := b.takePost(w.m, last); err != nil {
		t.Error(err)
	}
}

func TestPostTimes(t *testing.T) {
	for _, test := range []struct {
		after  time.Duration
		reason string
	}{
		{-time.Minute, ""},
		{-time.Minute - time.Millisecond, "post_invalid"},
		{time.Minute, ""},
		{time.Minute + time.Millisecond, "post_expired"},
		{48 * time.Hour, "post_invalid"},
	} {
		w, b := newWorld(t), newBrowser(t)
		state := session.NewState()
		if err := b.keepPost(w.m, url.Values{"state": {state}}); err != nil {
			t.Fatal(err)
		}
		w.clock.add(test.after)
		_, err := b.takePost(w.m, state)
		if test.reason == "" && err != nil {
			t.Errorf("%v: %v", test.after, err)
		} else if test.reason != "" {
			wantReason(t, err, test.reason)
		}
	}
}

// A login that cannot be finished now is kept for another try.
func TestPostKeptAgain(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	state := session.NewState()
	if err := b.keepPost(w.m, url.Values{"state": {state}, "code": {"c"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.doKeepAfterTake(w.m, state); err != nil {
		t.Fatal(err)
	}
	if n := len(b.header["Set-Cookie"]); n != 1 {
		t.Errorf("%d cookies in the answer: %v", n, b.header)
	}
	if got, err := b.takePost(w.m, state); err != nil || got.Get("code") != "c" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTamperedPost(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	state := session.NewState()
	if err := b.keepPost(w.m, url.Values{"state": {state}, "code": {"c"}}); err != nil {
		t.Fatal(err)
	}
	good := b.value(postName)
	raw, _ := b64.DecodeString(good)
	ours := newSchedule(secretA, audience)
	seal := func(plain string) string {
		return ours.seal("post", dayOf(noon), make([]byte, 12), postAAD(state), []byte(plain))
	}
	at := string(binaryTime(noon))
	values := []string{
		"", "A", good + "AAAA", seal(""), seal(at), seal(at + "\x20"), seal(at + "\x01"), seal(at + "\x01\x00\x02c"), seal(at + "\x01\x00\x01cc"),
		ours.seal("flow", dayOf(noon), make([]byte, 12), postAAD(state), []byte(at+"\x00")),
		newSchedule(secretB, audience).seal("post", dayOf(noon), make([]byte, 12), postAAD(state), []byte(at+"\x00")),
	}
	for i := range raw {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 0x10
		values = append(values, b64.EncodeToString(bad), b64.EncodeToString(raw[:i]))
	}
	for _, value := range values {
		c := newBrowser(t)
		c.set(postName, value)
		_, err := c.takePost(w.m, state)
		wantReason(t, err, "post_invalid")
	}
	c := newBrowser(t)
	c.set(postName, seal(at+"\x00"))
	if _, err := c.takePost(w.m, state); err != nil {
		t.Errorf("sealed by hand: %v", err)
	}
}

// A callback that came by GET is kept whole, or not at all.
func TestKeepCallback(t *testing.T) {
	state := session.NewState()
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name   string
		params url.Values
		reason string
	}{
		{"no state", url.Values{"code": {"c"}}, "state_missing"},
		{"foreign state", url.Values{"state": {"x"}}, "state_malformed"},
		{"anything twice", url.Values{"state": {state}, "x": {"", ""}}, "duplicate_param"},
		{"too long a value", url.Values{"state": {state}, "code": {long(2700)}}, "too_long"},
		{"far too long a value", url.Values{"state": {state}, "code": {long(1 << 17)}}, "too_long"},
		{"far too long a name", url.Values{"state": {state}, long(1 << 17): {"x"}}, "too_long"},
		{"a state alone", url.Values{"state": {state}}, ""},
		{"names of all kinds", url.Values{"state": {state}, "code": {"c"}, "sso": {"a+/=&"}, "empty": {""}, "": {"nameless"}, "ä\x00": {"\xff"}}, ""},
		{"a long code", url.Values{"state": {state}, "code": {long(2600)}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newWorld(t), newBrowser(t)
			err := b.do("GET", func(rw http.ResponseWriter, r *http.Request) error { return w.m.KeepCallback(rw, r, test.params) })
			if test.reason != "" {
				wantReason(t, err, test.reason)
				if !errors.Is(err, session.ErrFlow) || len(b.header) != 0 {
					t.Errorf("got %v, header %v", err, b.header)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(postName) + len(b.value(postName)); n > 4000 {
				t.Errorf("a cookie of %d bytes", n)
			}
			if _, err := b.takePost(w.m, session.NewState()); !errors.Is(err, session.ErrFlow) {
				t.Errorf("for another login: got %v", err)
			}
			if got, err := b.takePost(w.m, state); err != nil || !reflect.DeepEqual(got, test.params) {
				t.Errorf("got %v, %v, want %v", got, err, test.params)
			}
		})
	}
}

func (b *browser) keepCallback(m *session.Manager, params url.Values) error {
	b.t.Helper()
	return b.do("GET", func(w http.ResponseWriter, r *http.Request) error { return m.KeepCallback(w, r, params) })
}

// flows begins a login in each of n tabs.
func (b *browser) flows(m *session.Manager, n int) []string {
	b.t.Helper()
	states := make([]string, n)
	for i := range states {
		states[i] = session.NewState()
		if err := b.begin(m, session.Flow{Purpose: session.Login, Provider: "test", State: states[i]}); err != nil {
			b.t.Fatal(err)
		}
	}
	return states
}

// Tabs that come back at once do not disturb each other, in whatever order they
// go on.
func TestKeepCallbackInTabs(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	states := b.flows(w.m, 5)
	for _, state := range states {
		if err := b.keepCallback(w.m, url.Values{"state": {state}, "code": {"of " + state}}); err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(flowName(state), "-flow-", "-flow-post-", 1)
		if got := strings.Replace(b.header.Get("Set-Cookie"), b.value(name), "V", 1); got != name+"=V; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax" {
			t.Errorf("got %s", got)
		}
	}
	// One that begins takes away the oldest flow, and nothing of what is kept.
	b.flows(w.m, 1)
	for _, state := range slices.Backward(states) {
		got, err := b.takePost(w.m, state)
		if want := (url.Values{"state": {state}, "code": {"of " + state}}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		_, err = b.takePost(w.m, state)
		wantReason(t, err, "post_missing")
	}
	if left := b.names("__Host-session-flow-post-"); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// Links from elsewhere, and however long their parameters are, fill one cookie of
// a browser, beside those of the logins that it has begun.
func TestKeepCallbackFlood(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	code := strings.Repeat("x", 1000)
	states := b.flows(w.m, 5)
	for range 20 {
		if err := b.keepCallback(w.m, url.Values{"state": {session.NewState()}, "code": {code}}); err != nil {
			t.Fatal(err)
		}
		if b.got[postName] == nil {
			t.Errorf("got %v, want the one cookie, also if all of them come at once", b.header)
		}
	}
	if got := b.names("__Host-session"); len(got) != 5+1 {
		t.Errorf("got cookies %v, want the flows and one", got)
	}
	for _, state := range states {
		if err := b.keepCallback(w.m, url.Values{"state": {state}, "code": {code}}); err != nil {
			t.Fatal(err)
		}
	}
	// The first three have their own; of the others, the last.
	for i, state := range states {
		if _, err := b.clone().takePost(w.m, state); (err == nil) != (i < 3 || i == 4) {
			t.Errorf("tab %d: got %v", i, err)
		}
	}
	// What is kept takes the room of flows that begin later, too: a server would
	// refuse all requests of a browser that has more.
	for range 5 {
		if err := b.begin(w.m, session.Flow{Purpose: session.Login, Provider: "test", State: session.NewState(), ReturnTo: "/" + code}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, name := range b.names("__Host-session-flow-") {
			n += len(name) + len("=; ") + len(b.value(name))
		}
		if n > 6000 || n < 4500 {
			t.Errorf("%d bytes, want at most 6,000 and no less than fit", n)
		}
	}
}

// What comes once more takes the place of what was kept: it needs no room beside it.
func TestKeepCallbackTwice(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	state := b.flows(w.m, 1)[0]
	for _, code := range []string{"a", "b"} {
		if err := b.keepCallback(w.m, url.Values{"state": {state}, "code": {strings.Repeat(code, 2600)}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.names("__Host-session-"); len(got) != 2 {
		t.Errorf("got cookies %v, want the flow and one", got)
	}
	if got, err := b.takePost(w.m, state); err != nil || !strings.HasPrefix(got.Get("code"), "b") {
		t.Errorf("got %v, %v", got, err)
	}
}

// What is kept goes with its login at a logout.
func TestKeepCallbackAndLogout(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	for _, state := range b.flows(w.m, 3) {
		if err := b.keepCallback(w.m, url.Values{"state": {state}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.names("__Host-session-flow-post-"); len(got) != 3 {
		t.Errorf("got %v, want those of three logins", got)
	}
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { w.m.EndFlows(rw, r); return nil }); err != nil || len(b.cookies) > 0 {
		t.Errorf("after a logout: got %v, %v", b.cookies, err)
	}
}
