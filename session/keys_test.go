package session_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
)

// The schedule of the tests is HMAC by hand. It is checked against numbers from
// elsewhere, and the library against it: another spelling of a label or of a
// format would log everybody out.
func TestScheduleOfTheTests(t *testing.T) {
	s := newSchedule(secretA, audience)
	for _, test := range []struct{ got, want string }{
		{hex.EncodeToString(s.prk), "9d6d4591272fd173d4446cf355c4d8f737a2cc687a385b35ea755dc5c0674125"},
		{hex.EncodeToString(s.key("session kid", 1)), "d4"},
		{hex.EncodeToString(s.key("flow kid", 1)), "af"},
		{hex.EncodeToString(s.key("session mark", 22)), "e747ac36d2841bf4405835e05987a4754024a5fc5ed6"},
		{hex.EncodeToString(s.key("csrf", 32)), "31e19a1d83b23397f26b9d512851daf3a2f7bfd49390a4c25d12cf97bccbf0d8"},
		{hex.EncodeToString(s.key("flow\x57\x96", 32)), "0db13081c04b74a48ad32995e2bc9dab3b70350ca73c103ec77025912a5b0add"},
		{s.token([]byte(strings.Repeat("r", 32))), "1HJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJy7XDL8Ipi_v3FgkiiOx-B"},
		{sessionID([]byte(strings.Repeat("r", 32))), "K2nNz6eWgVgim8Fp_cjOnA4T1z8ESHHp3rc2ibadGbc"},
	} {
		if test.got != test.want {
			t.Errorf("got %s, want %s", test.got, test.want)
		}
	}
}

func TestSessionKeyFormat(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	seen := map[string]bool{}
	for range 1000 {
		b.cookies = nil
		s := w.login(b)
		raw, err := b64.Strict().DecodeString(b.value(cookieName))
		if err != nil || len(raw) != 48 {
			t.Fatalf("got %d bytes, %v", len(raw), err)
		}
		if want := newSchedule(secretA, audience).token(raw[1:33]); b.value(cookieName) != want {
			t.Fatalf("got %s, want %s", b.value(cookieName), want)
		}
		if want := sessionID(raw[1:33]); s.ID != want {
			t.Fatalf("ID: got %s, want %s", s.ID, want)
		}
		if seen[s.ID] {
			t.Fatal("a key twice")
		}
		seen[s.ID] = true
	}
}

func TestFlowFormat(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	f := session.Flow{
		Purpose: session.Reauth, Provider: "github", State: session.NewState(), Memo: "verifier", ReturnTo: "/a?b=c",
		UserID: "u1", SessionID: "s1", Issuer: "https://github.com", CallbackURL: "https://app.example.com/auth/callback/github", Reauth: true,
	}
	if err := b.begin(w.m, f); err != nil {
		t.Fatal(err)
	}
	name, s := flowName(f.State), newSchedule(secretA, audience)
	raw, err := b64.Strict().DecodeString(b.value(name))
	if err != nil {
		t.Fatalf("no cookie %s: %v", name, err)
	}
	day := dayOf(noon)
	if want := []byte{1, s.key("flow kid", 1)[0], byte(day >> 8), byte(day)}; !slices.Equal(raw[:4], want) {
		t.Errorf("head: got %x, want %x", raw[:4], want)
	}
	plain, err := s.gcm("flow", day).Open(nil, raw[4:16], raw[16:], flowAAD(f.State))
	if err != nil {
		t.Fatal(err)
	}
	if want := flowPlain(f, noon, 3, 1); string(plain) != string(want) {
		t.Errorf("got  %q\nwant %q", plain, want)
	}
	// And one that was sealed by hand is read.
	other := f
	other.State = session.NewState()
	b.set(flowName(other.State), s.seal("flow", day, make([]byte, 12), flowAAD(other.State), flowPlain(other, noon, 3, 1)))
	got, err := b.callback(w.m, other.State)
	other.Began = noon
	if err != nil || got != other {
		t.Errorf("got %+v, %v, want %+v", got, err, other)
	}
}

func flowPlain(f session.Flow, began time.Time, purpose, flags byte) []byte {
	state, _ := b64.DecodeString(f.State)
	plain := binary.BigEndian.AppendUint64([]byte{purpose, flags}, uint64(began.UnixMilli()))
	plain = append(plain, state...)
	for _, s := range []string{f.Provider, f.Issuer, f.Memo, f.ReturnTo, f.CallbackURL, f.UserID, f.SessionID} {
		plain = append(plain, byte(len(s)>>8), byte(len(s)))
		plain = append(plain, s...)
	}
	return plain
}

func postAAD(state string) []byte {
	sum := sha256.Sum256([]byte(state))
	return slices.Concat([]byte("gatepass post v1\x00__Host-session-post\x00"+audience+"\x00"), sum[:])
}

func TestPostFormat(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	beginFlow(t, b, w.m) // whose key is another
	state := session.NewState()
	if err := b.keepPost(w.m, url.Values{"state": {state}, "code": {"abc"}, "user": {"{}"}}); err != nil {
		t.Fatal(err)
	}
	raw, err := b64.Strict().DecodeString(b.value("__Host-session-post"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := newSchedule(secretA, audience).gcm("post", dayOf(noon)).Open(nil, raw[4:16], raw[16:], postAAD(state))
	if err != nil {
		t.Fatal(err)
	}
	want := binary.BigEndian.AppendUint64(nil, uint64(noon.UnixMilli()))
	want = append(want, "\x11\x00\x03abc\x00\x02{}"...)
	if string(plain) != string(want) {
		t.Errorf("got %q, want %q", plain, want)
	}
}

func TestCSRF(t *testing.T) {
	w := newWorld(t)
	token := w.m.CSRF("session-1", "/auth/logout")
	mac := hmacSum(newSchedule(secretA, audience).key("csrf", 32), []byte("session-1\x00/auth/logout"))
	if want := b64.EncodeToString(mac[:16]); token != want {
		t.Errorf("got %s, want %s", token, want)
	}
	for _, test := range []struct {
		session, route, token string
		valid                 bool
	}{
		{"session-1", "/auth/logout", token, true},
		{"session-2", "/auth/logout", token, false},
		{"session-1", "/auth/link/x", token, false},
		{"session-1", "/auth/logout", "", false},
		{"session-1", "/auth/logout", token + "A", false},
		{"session-1", "/auth/logout", token[:21], false},
		{"", "/auth/logout", w.m.CSRF("", "/auth/logout"), false},
		{"", "/auth/logout", b64.EncodeToString(hmacSum(newSchedule(secretA, audience).key("csrf", 32), []byte("\x00/auth/logout"))[:16]), false},
	} {
		if got := w.m.ValidCSRF(test.session, test.route, test.token); got != test.valid {
			t.Errorf("%q, %q, %q: got %t, want %t", test.session, test.route, test.token, got, test.valid)
		}
	}
}

// Every seal is under another nonce, and every day under another key.
func TestNoncesAndDays(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	f := session.Flow{Purpose: session.Login, Provider: "test", State: session.NewState()}
	nonces := map[string]bool{}
	var kept string
	for i := range 10_000 {
		b.cookies = nil
		if err := b.begin(w.m, f); err != nil {
			t.Fatal(err)
		}
		raw, _ := b64.DecodeString(b.value(flowName(f.State)))
		if nonces[string(raw[4:16])] {
			t.Fatalf("a nonce twice, after %d", i)
		}
		nonces[string(raw[4:16])] = true
		kept = string(raw)
	}
	s := newSchedule(secretA, audience)
	if slices.Equal(s.key("flow\x57\x96", 32), s.key("flow\x57\x97", 32)) {
		t.Error("two days have one key")
	}
	for _, d := range []int{-2, -1, 1, 2} {
		raw := []byte(kept)
		binary.BigEndian.PutUint16(raw[2:], uint16(int(dayOf(noon))+d))
		b.set(flowName(f.State), b64.EncodeToString(raw))
		_, err := b.callback(w.m, f.State)
		wantReason(t, err, "tx_invalid")
	}
}
