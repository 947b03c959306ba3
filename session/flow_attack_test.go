package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/session"
)

func TestCallbackOfNoFlow(t *testing.T) {
	w, victim, attacker := newWorld(t), newBrowser(t), newBrowser(t)
	theirs, own := beginFlow(t, attacker, w.m), beginFlow(t, victim, w.m)
	for _, test := range []struct{ name, state, reason string }{
		{"missing", "", "state_missing"},
		{"short", own.State[:42], "state_malformed"},
		{"long", own.State + "A", "state_malformed"},
		{"another spelling", own.State[:42] + "_", "state_malformed"},
		{"a newline", strings.Repeat("A", 42) + "\n", "state_malformed"},
		{"standard base64", strings.Repeat("+", 43), "state_malformed"},
		{"random", session.NewState(), "tx_missing"},
		{"of another browser", theirs.State, "tx_missing"},
	} {
		_, err := victim.callback(w.m, test.state)
		wantReason(t, err, test.reason)
		if !errors.Is(err, session.ErrFlow) || len(victim.header) != 0 {
			t.Errorf("%s: got %v, header %v", test.name, err, victim.header)
		}
		if test.state != "" && strings.Contains(err.Error(), test.state) {
			t.Errorf("%s: the error shows the state", test.name)
		}
	}
	if n := w.store.count(); n != 0 {
		t.Errorf("%d calls", n)
	}
	// Nobody's login has suffered.
	if _, err := victim.callback(w.m, own.State); err != nil {
		t.Error(err)
	}
	if _, err := attacker.callback(w.m, theirs.State); err != nil {
		t.Error(err)
	}
}

func TestTamperedFlow(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	one, two := beginFlow(t, b, w.m), beginFlow(t, b, w.m)
	if err := b.keepPost(w.m, map[string][]string{"state": {one.State}, "code": {"c"}}); err != nil {
		t.Fatal(err)
	}
	good := b.value(flowName(one.State))
	try := func(name, value, reason string) {
		t.Helper()
		c := b.clone()
		c.set(flowName(one.State), value)
		_, err := c.callback(w.m, one.State)
		wantReason(t, err, reason)
		if len(c.header) != 0 {
			t.Errorf("%s: got header %v", name, c.header)
		}
	}
	raw, _ := b64.DecodeString(good)
	for i := range raw {
		bad := slices.Clone(raw)
		bad[i] ^= 1 << (i % 8)
		try("bit", b64.EncodeToString(bad), "tx_invalid")
		try("cut", b64.EncodeToString(raw[:i]), "tx_invalid")
	}
	try("longer", good+"AAAA", "tx_invalid")
	r := newBrowser(t).request("GET")
	r.Header.Set("Cookie", flowName(one.State)+"="+good[:8]+"\n"+good[8:])
	if _, err := w.m.EndFlow(httptest.NewRecorder(), r, one.State); !errors.Is(err, session.ErrFlow) {
		t.Errorf("newline: got %v", err)
	}
	try("padded", good+"=", "tx_invalid")
	try("huge", strings.Repeat("A", 100_000), "tx_invalid")
	try("of the other tab", b.value(flowName(two.State)), "tx_invalid")
	try("the session", b.value(cookieName), "tx_invalid")
	try("what was posted", b.value("__Host-session-post"), "tx_invalid")

	// And the other way round.
	for _, value := range []string{good, b.value("__Host-session-post"), s.ID} {
		c := newBrowser(t)
		c.set(cookieName, value)
		w.wantNone(c, w.m)
		c.set("__Host-session-post", value)
		if value != b.value("__Host-session-post") {
			_, err := c.takePost(w.m, one.State)
			wantReason(t, err, "post_invalid")
		}
	}
	// Sealed well, with nonsense inside.
	ours := newSchedule(secretA, audience)
	plain := flowPlain(one, noon, 1, 0)
	longMemo, longAll := one, one
	longMemo.Memo = strings.Repeat("m", 1025)
	longAll.Memo, longAll.ReturnTo, longAll.CallbackURL = longMemo.Memo[1:], longMemo.Memo[1:], longMemo.Memo[1:]
	for name, p := range map[string][]byte{
		"empty": {}, "short": plain[:41], "cut": plain[:len(plain)-1], "longer": append(slices.Clone(plain), 0),
		"no purpose": flowPlain(one, noon, 0, 0), "purpose": flowPlain(one, noon, 4, 0), "flags": flowPlain(one, noon, 1, 4),
		"of another state": flowPlain(two, noon, 1, 0), "long memo": flowPlain(longMemo, noon, 1, 0), "long": flowPlain(longAll, noon, 1, 0),
	} {
		try(name, ours.seal("flow", dayOf(noon), make([]byte, 12), flowAAD(one.State), p), "tx_invalid")
	}
	if _, err := b.callback(w.m, one.State); err != nil {
		t.Error(err)
	}
}

func TestFlowTwiceInTheHeader(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	f := beginFlow(t, b, w.m)
	twice := b.clone()
	twice.cookies = append(twice.cookies, &http.Cookie{Name: flowName(f.State), Value: "other"})
	_, err := twice.callback(w.m, f.State)
	wantReason(t, err, "tx_duplicate")
	if _, err := b.callback(w.m, f.State); err != nil {
		t.Error(err)
	}
}
