package session_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
)

const flowPrefix = "__Host-session-flow-"

func newFlow() session.Flow {
	return session.Flow{Purpose: session.Login, Provider: "test", State: session.NewState(), Memo: "memo", ReturnTo: "/there?x=y"}
}

func beginFlow(t testing.TB, b *browser, m *session.Manager) session.Flow {
	t.Helper()
	f := newFlow()
	if err := b.begin(m, f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNewState(t *testing.T) {
	seen := map[string]bool{}
	for range 100_000 {
		s := session.NewState()
		if b, err := b64.Strict().DecodeString(s); len(s) != 43 || err != nil || len(b) != 32 || seen[s] {
			t.Fatalf("got %q: %v", s, err)
		}
		seen[s] = true
	}
}

func TestFlow(t *testing.T) {
	for _, purpose := range []session.Purpose{session.Login, session.Link, session.Reauth} {
		w, b := newWorld(t), newBrowser(t)
		f := newFlow()
		f.Purpose, f.UserID, f.SessionID, f.Issuer, f.CallbackURL = purpose, "u", "s", "https://issuer", "https://app/callback"
		f.Reauth = purpose == session.Reauth
		if err := b.begin(w.m, f); err != nil {
			t.Fatal(err)
		}
		line := b.header.Get("Set-Cookie")
		name := flowName(f.State)
		if got := strings.Replace(line, b.value(name), "V", 1); got != name+"=V; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax" {
			t.Errorf("got %s", got)
		}
		if strings.Contains(line, f.State) || b.header.Get("Cache-Control") != "no-store" {
			t.Errorf("got header %v", b.header)
		}
		w.clock.add(time.Minute)
		got, err := b.callback(w.m, f.State)
		f.Began = noon
		if err != nil || got != f {
			t.Errorf("got %+v, %v, want %+v", got, err, f)
		}
		if c := b.got[name]; c == nil || c.MaxAge != -1 || b.value(name) != "" {
			t.Errorf("the cookie is not expired: %v", b.header)
		}
		if n := w.store.count(); n != 1 || w.store.count("Mark") != 1 {
			t.Errorf("%d calls, want one Mark", n)
		}
	}
}

func TestTabsFinishInReverseOrder(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	var flows []session.Flow
	for range 5 {
		flows = append(flows, beginFlow(t, b, w.m))
	}
	for _, f := range slices.Backward(flows) {
		if got, err := b.callback(w.m, f.State); err != nil || got.State != f.State {
			t.Errorf("got %v, %v", got, err)
		}
		if len(b.got) != 1 {
			t.Errorf("the answer touches other tabs: %v", b.header)
		}
	}
}

func TestManyFlows(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	var flows []session.Flow
	for range 50 {
		w.clock.add(time.Second)
		flows = append(flows, beginFlow(t, b, w.m))
		if n := len(b.names(flowPrefix)); n > 5 {
			t.Fatalf("%d flows in the browser", n)
		}
	}
	for i, f := range flows {
		_, err := b.clone().callback(w.m, f.State)
		if gone := i < 45; gone {
			wantReason(t, err, "tx_missing")
		} else if err != nil {
			t.Errorf("flow %d: %v", i, err)
		}
	}
}

func TestFlowsBudget(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	for range 20 {
		w.clock.add(time.Second)
		f := newFlow()
		f.Memo, f.ReturnTo = strings.Repeat("m", 1024), strings.Repeat("/", 1024)
		if err := b.begin(w.m, f); err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, name := range b.names(flowPrefix) {
			if n := len(b.value(name)); n > 3600 {
				t.Fatalf("a cookie of %d bytes", n)
			}
			total += len(name) + 1 + len(b.value(name))
		}
		if total > 6000 {
			t.Fatalf("%d bytes of flows", total)
		}
		if got, err := b.clone().callback(w.m, f.State); err != nil || got.ReturnTo != f.ReturnTo {
			t.Fatalf("the newest: got %v", err)
		}
	}
}

func TestFlowLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*session.Flow)
		reason string
	}{
		{"memo", func(f *session.Flow) { f.Memo = strings.Repeat("m", 1025) }, "too_long"},
		{"return to", func(f *session.Flow) { f.ReturnTo = strings.Repeat("/", 1025) }, "too_long"},
		{"provider", func(f *session.Flow) { f.Provider = strings.Repeat("p", 41) }, "too_long"},
		{"user", func(f *session.Flow) { f.UserID = strings.Repeat("u", 65) }, "too_long"},
		{"session", func(f *session.Flow) { f.SessionID = strings.Repeat("s", 65) }, "too_long"},
		{"all together", func(f *session.Flow) {
			f.Memo, f.ReturnTo, f.CallbackURL = strings.Repeat("m", 1024), strings.Repeat("/", 1024), strings.Repeat("c", 1024)
		}, "too_long"},
		{"no purpose", func(f *session.Flow) { f.Purpose = 0 }, "purpose"},
		{"unknown purpose", func(f *session.Flow) { f.Purpose = 4 }, "purpose"},
		{"no state", func(f *session.Flow) { f.State = "" }, "state_malformed"},
		{"state of one's own", func(f *session.Flow) { f.State = "attacker" }, "state_malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newWorld(t), newBrowser(t)
			f := newFlow()
			test.change(&f)
			err := b.begin(w.m, f)
			wantReason(t, err, test.reason)
			if len(b.header) != 0 {
				t.Errorf("got header %v", b.header)
			}
		})
	}
}

func TestFlowIsUsedOnce(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	f := beginFlow(t, b, w.m)
	captured := b.clone()
	if _, err := b.callback(w.m, f.State); err != nil {
		t.Fatal(err)
	}
	// The browser's own second click comes without the cookie; a captured cookie
	// is refused by the store's mark, in this process and in others, as long as
	// it opens.
	_, err := b.callback(w.m, f.State)
	wantReason(t, err, "tx_missing")
	for _, m := range []*session.Manager{w.m, w.manager()} {
		again := captured.clone()
		got, err := again.callback(m, f.State)
		wantReason(t, err, "tx_used")
		if !errors.Is(err, session.ErrUsed) || !errors.Is(err, session.ErrFlow) || got.State != f.State || got.ReturnTo != f.ReturnTo {
			t.Errorf("got %+v, %v", got, err)
		}
		if again.value(flowName(f.State)) != "" {
			t.Error("the cookie stays")
		}
		w.clock.add(9 * time.Minute)
	}
}

func TestCallbackTwiceAtOnce(t *testing.T) {
	for range 50 {
		w, b := newWorld(t), newBrowser(t)
		f := beginFlow(t, b, w.m)
		errs := make(chan error, 8)
		var wg sync.WaitGroup
		for range cap(errs) {
			c := b.clone()
			wg.Go(func() {
				_, err := c.callback(w.m, f.State)
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		good := 0
		for err := range errs {
			if err == nil {
				good++
			} else if !errors.Is(err, session.ErrUsed) {
				t.Errorf("got %v, want ErrUsed", err)
			}
		}
		if good != 1 {
			t.Fatalf("%d of the callbacks were taken", good)
		}
	}
}

func TestStoreFailsAtMark(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	f := beginFlow(t, b, w.m)
	w.store.failAt("Mark", errDown)
	got, err := b.callback(w.m, f.State)
	if !errors.Is(err, errDown) || errors.Is(err, session.ErrFlow) || got != (session.Flow{}) {
		t.Errorf("got %+v, %v, want the store's error alone", got, err)
	}
	wantReason(t, err, "store")
	if len(b.header) != 0 {
		t.Errorf("the flow is not as it was: %v", b.header)
	}
	w.store.failAt("Mark", nil)
	w.clock.add(9 * time.Minute)
	if _, err := b.callback(w.m, f.State); err != nil {
		t.Errorf("after the store has recovered: %v", err)
	}
}

func TestCallbackGivenUp(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	f := beginFlow(t, b, w.m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.do("GET", func(rw http.ResponseWriter, r *http.Request) error {
		_, err := w.m.EndFlow(rw, r.WithContext(ctx), f.State)
		return err
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrFlow) {
		t.Errorf("got %v", err)
	}
	if _, err := b.callback(w.m, f.State); err != nil {
		t.Errorf("the next try: %v", err)
	}
}

func TestFlowTimes(t *testing.T) {
	for _, test := range []struct {
		name   string
		began  time.Time
		after  time.Duration
		reason string
	}{
		{"at once", noon, 0, ""},
		{"ten minutes", noon, 10 * time.Minute, ""},
		{"over ten minutes", noon, 10*time.Minute + time.Millisecond, "tx_expired"},
		{"eleven minutes", noon, 11 * time.Minute, "tx_expired"},
		{"over midnight", time.Date(2031, 5, 17, 23, 59, 30, 0, time.UTC), 3*time.Minute + 30*time.Second, ""},
		{"the clock went back a minute", noon, -time.Minute, ""},
		{"the clock went back further", noon, -time.Minute - time.Millisecond, "tx_invalid"},
		{"back over midnight", time.Date(2031, 5, 18, 0, 0, 5, 0, time.UTC), -10 * time.Second, ""},
		{"the next day", noon, 24 * time.Hour, "tx_expired"},
		{"two days", noon, 48 * time.Hour, "tx_invalid"},
		{"another time zone", noon.In(time.FixedZone("", 14*3600)), time.Minute, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newWorld(t), newBrowser(t)
			w.clock.t = test.began
			f := beginFlow(t, b, w.m)
			w.clock.add(test.after)
			before := w.store.count()
			_, err := b.callback(w.m, f.State)
			if test.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, test.reason)
			if !errors.Is(err, session.ErrFlow) || w.store.count() != before {
				t.Errorf("got %v and %d calls", err, w.store.count()-before)
			}
		})
	}
}

// Cookies of the name that do not open, or are over, make room first.
func TestBeginFlowCleansUp(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	stale := beginFlow(t, b, w.m)
	w.clock.add(11 * time.Minute)
	for _, name := range []string{"AAAAAAAA", "x", "y(z"} {
		b.set(flowPrefix+name, "garbage")
	}
	b.set("__Host-session-other", "kept")
	f := beginFlow(t, b, w.m)
	if got, want := b.names(flowPrefix), []string{flowPrefix + "y(z", flowName(f.State)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v without %s", got, want, flowName(stale.State))
	}
	if b.value("__Host-session-other") != "kept" {
		t.Error("a cookie that is not ours is gone")
	}
}

// The work for a header full of flows, and the answer, are bounded.
func TestFlowFlood(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	var line strings.Builder
	for range 3000 {
		line.WriteString(flowPrefix + session.NewState()[:8] + "=AAAA; ")
	}
	f := newFlow()
	for _, op := range []func(http.ResponseWriter, *http.Request) error{
		func(rw http.ResponseWriter, r *http.Request) error { return w.m.BeginFlow(rw, r, f) },
		func(rw http.ResponseWriter, r *http.Request) error { w.m.EndFlows(rw, r); return nil },
	} {
		if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			r.Header.Set("Cookie", line.String())
			return op(rw, r)
		}); err != nil {
			t.Fatal(err)
		}
		if n := len(b.header["Set-Cookie"]); n > 65 {
			t.Errorf("%d cookies in the answer", n)
		}
	}
}

func TestEndFlows(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	beginFlow(t, b, w.m)
	f := beginFlow(t, b, w.m)
	if err := b.keepPost(w.m, map[string][]string{"state": {f.State}}); err != nil {
		t.Fatal(err)
	}
	_ = b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { w.m.EndFlows(rw, r); return nil })
	if len(b.cookies) != 1 || b.value(cookieName) == "" {
		t.Errorf("left: %v", b.cookies)
	}
}

func TestFlowWithoutHTTPS(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.Insecure = true }), newBrowser(t)
	f := beginFlow(t, b, w.m)
	name := strings.TrimPrefix(flowName(f.State), "__Host-")
	if got := strings.Replace(b.header.Get("Set-Cookie"), b.value(name), "V", 1); got != name+"=V; Path=/; Max-Age=600; HttpOnly; SameSite=Lax" {
		t.Errorf("got %s", got)
	}
	if _, err := b.callback(w.m, f.State); err != nil {
		t.Error(err)
	}
}
