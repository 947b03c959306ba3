package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// Whatever the Cookie header is, it is someone's session only if the one cookie
// of that name is their key, byte for byte. A name without a value is none of
// that name: to browsers it is the value of a cookie without a name.
func FuzzSessionCookie(f *testing.F) {
	// Fuzzing runs in several processes: the key must be the same in all.
	w, random := newWorld(f), []byte(strings.Repeat("r", 32))
	good := newSchedule(secretA, audience).token(random)
	if err := w.store.Store.CreateSession(f.Context(), &store.Session{
		ID: sessionID(random), UserID: w.user.ID, CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(time.Hour),
	}); err != nil {
		f.Fatal(err)
	}
	line := cookieName + "=" + good
	for _, seed := range []string{
		"", line, "a=b; " + line, line + "; " + line, line + ";", " " + line + "\t", `__Host-session="` + good + `"`,
		cookieName + "=", cookieName, strings.ToUpper(line), line[:70] + "\n", strings.Repeat(";", 100),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{header}
		for range 2 {
			found, err := w.m.Resolve(r)
			if err != nil && (!errors.Is(err, session.ErrNone) || found.Session != nil) {
				t.Fatalf("got %v, %v", found, err)
			}
			var named []string
			for pair := range strings.SplitSeq(header, ";") {
				if value, ok := strings.CutPrefix(strings.Trim(pair, " \t"), cookieName+"="); ok {
					named = append(named, value)
				}
			}
			if want := len(named) == 1 && named[0] == good; want != (err == nil) {
				t.Fatalf("%q: got %v, want found=%t", header, err, want)
			}
			if err == nil && (found.User.ID != w.user.ID || !slices.ContainsFunc(r.CookiesNamed(cookieName), func(c *http.Cookie) bool { return c.Value == good })) {
				t.Fatalf("%q logs %v in", header, found.User)
			}
		}
	})
}

// No cookie makes a flow but one that was sealed for that state; what is sealed
// well but makes no sense is refused as well.
func FuzzFlow(f *testing.F) {
	w, ours := newWorld(f), newSchedule(secretA, audience)
	flow := newFlow()
	flow.State, flow.Began = strings.Repeat("s", 42)+"A", noon
	plain := flowPlain(flow, noon, 1, 0)
	good := ours.seal("flow", dayOf(noon), make([]byte, 12), flowAAD(flow.State), plain)
	for _, seed := range []string{"", good, good[:40], good + "A", "AQAA", strings.Repeat("A", 4000)} {
		f.Add(seed, []byte{})
	}
	f.Add("", plain)
	f.Add("", flowPlain(flow, noon, 3, 1))
	f.Add("", flowPlain(flow, noon, 1, 3))
	f.Add("", flowPlain(flow, noon, 1, 4))
	f.Add("", plain[:42])
	f.Fuzz(func(t *testing.T, value string, inner []byte) {
		c := newBrowser(t)
		open := func(value string) (session.Flow, error) {
			r := c.request("GET")
			r.Header["Cookie"] = []string{flowName(flow.State) + "=" + value}
			return w.m.EndFlow(httptest.NewRecorder(), r, flow.State)
		}
		// The first to open it gets nil, later ones ErrUsed, both with the flow.
		got, err := open(value)
		if opened := err == nil || errors.Is(err, session.ErrUsed); opened != (strings.Trim(value, " \t") == good) || opened && got != flow {
			t.Fatalf("%q: got %+v, %v", value, got, err)
		}
		got, err = open(ours.seal("flow", dayOf(noon), make([]byte, 12), flowAAD(flow.State), inner))
		if err == nil || errors.Is(err, session.ErrUsed) {
			if got.State != flow.State || got.Purpose < session.Login || got.Purpose > session.Reauth || len(got.Memo) > 1024 || len(got.ReturnTo) > 1024 {
				t.Fatalf("%q: got %+v", inner, got)
			}
			flags := byte(0)
			if got.Reauth {
				flags |= 1
			}
			if got.Remember {
				flags |= 2
			}
			if again := flowPlain(got, got.Began, byte(got.Purpose), flags); string(again) != string(inner) {
				t.Fatalf("two spellings of one flow: %q and %q", inner, again)
			}
		}
	})
}

// What is taken is what was kept, and nothing else opens.
func FuzzPost(f *testing.F) {
	w, state := newWorld(f), strings.Repeat("s", 42)+"A"
	f.Add("", "code=abc&state=S", []byte{})
	f.Add("AAAA", "error=access_denied&error_description=no&x=y", []byte("\x01\x00\x01c"))
	f.Add(strings.Repeat("A", 5000), "code="+strings.Repeat("c", 2048)+"&user="+strings.Repeat("u", 1024), []byte("\x20"))
	ours := newSchedule(secretA, audience)
	f.Fuzz(func(t *testing.T, value, form string, inner []byte) {
		b := newBrowser(t)
		take := func(value string) (url.Values, error) {
			r := b.request("GET")
			r.Header["Cookie"] = []string{postName + "=" + value}
			return w.m.TakePost(httptest.NewRecorder(), r, state)
		}
		if got, err := take(value); !errors.Is(err, session.ErrFlow) {
			t.Fatalf("%q: got %v, %v", value, got, err)
		}
		sealed := ours.seal("post", dayOf(noon), make([]byte, 12), postAAD(state), append(binaryTime(noon), inner...))
		if got, err := take(sealed); err == nil && (got.Get("state") != state || len(got) > 6) {
			t.Fatalf("%q: got %v", inner, got)
		}
		posted, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		posted.Set("state", state)
		if err := b.keepPost(w.m, posted); err != nil {
			if !errors.Is(err, session.ErrFlow) || len(b.header) != 0 {
				t.Fatalf("got %v, header %v", err, b.header)
			}
			return
		}
		got, err := b.takePost(w.m, state)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range got {
			if posted.Get(name) != values[0] {
				t.Errorf("%s: got %q, posted %q", name, values, posted[name])
			}
		}
		for _, name := range []string{"code", "iss", "error"} {
			if posted.Has(name) != got.Has(name) {
				t.Errorf("%s: posted %q, got %q", name, posted[name], got[name])
			}
		}
	})
}

// Whatever the Cookie header is, it restores someone only if the one remember
// cookie is their token, byte for byte, and it costs a query only if it is
// marked.
func FuzzRememberCookie(f *testing.F) {
	w, family, secret := newWorld(f, remembering), []byte(strings.Repeat("f", 16)), []byte(strings.Repeat("s", 32))
	ours := newSchedule(secretA, audience)
	good := ours.rememberToken(family, secret)
	next, _ := ours.heirs(family, secret)
	if err := w.store.Store.CreateRemembered(f.Context(), &store.Remembered{
		ID: b64.EncodeToString(family), UserID: w.user.ID, Validator: validator(family, next), Former: validator(family, secret),
		CreatedAt: noon, UsedAt: noon, ExpiresAt: noon.Add(rememberFor),
	}); err != nil {
		f.Fatal(err)
	}
	_, random := ours.heirs(family, secret)
	if err := w.store.Store.CreateSession(f.Context(), &store.Session{
		ID: sessionID(random), UserID: w.user.ID, Family: b64.EncodeToString(family), CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(idle),
	}); err != nil {
		f.Fatal(err)
	}
	line := rememberName + "=" + good
	for _, seed := range []string{
		"", line, "a=b; " + line, line + "; " + line, line + ";", " " + line + "\t", rememberName + `="` + good + `"`,
		rememberName + "=", rememberName, strings.ToUpper(line), line[:90] + "\n" + line[90:], line[:len(line)-1] + "B", rememberName + "=" + good[:64],
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{header}
		w.store.reset()
		found, carrying, err := w.m.Restore(httptest.NewRecorder(), r)
		if err != nil && (!errors.Is(err, session.ErrNone) || found.Session != nil || carrying != r) {
			t.Fatalf("got %v, %v", found, err)
		}
		var named []string
		for pair := range strings.SplitSeq(header, ";") {
			if value, ok := strings.CutPrefix(strings.Trim(pair, " \t"), rememberName+"="); ok {
				named = append(named, value)
			}
		}
		if want := len(named) == 1 && named[0] == good; want != (err == nil) || !want && w.store.count() > 0 {
			t.Fatalf("%q: got %v, want found=%t; %d queries", header, err, want, w.store.count())
		}
		if err == nil {
			if s, err := w.m.Find(carrying); err != nil || s.ID != found.Session.ID {
				t.Fatalf("%q: the request carries %q, which is session %v, %v", header, carrying.Header["Cookie"], s, err)
			}
		}
	})
}
