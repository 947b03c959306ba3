package session_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// Each benchmark reports how many times as long it takes as a floor that is
// measured in the same run: the least that the same idea needs, without limits,
// clock, revocation or rotation. Only such ratios can be compared between
// machines.

// against benchmarks f, and compares it with floor.
func against(b *testing.B, floor, f func()) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	repeat := func(f func()) func(int) {
		return func(n int) {
			for range n {
				f()
			}
		}
	}
	compare(b, repeat(floor), repeat(f))
}

// compare runs both by turns and takes the shortest time of each, because the
// machine may have other things to do.
func compare(b *testing.B, floor, f func(n int)) {
	b.Helper()
	n := min(max(b.N/20, 1), 5000)
	took := func(f func(n int)) time.Duration {
		begun := time.Now()
		f(n)
		return max(time.Since(begun), 1)
	}
	least, base := took(f), took(floor)
	for range 20 {
		least, base = min(least, took(f)), min(base, took(floor))
	}
	b.ReportMetric(float64(least)/float64(base), "x-floor")
}

// A prototype finds a user by an opaque key: scan, decode, hash, sharded map.
type prototype struct {
	key   [22]byte
	shard [256]struct {
		mu sync.RWMutex
		m  map[[32]byte]*store.User
	}
}

func (p *prototype) put(value string, u *store.User) {
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		panic(err)
	}
	sum := p.hash((*[48]byte)(raw))
	s := &p.shard[sum[0]]
	if s.m == nil {
		s.m = map[[32]byte]*store.User{}
	}
	s.m[sum] = u
}

func (p *prototype) hash(raw *[48]byte) [32]byte {
	var b [55]byte
	copy(b[:], p.key[:])
	copy(b[22:], raw[:33])
	return sha256.Sum256(b[:])
}

func (p *prototype) find(r *http.Request) *store.User {
	value := scan(r, cookieName)
	if len(value) != 64 {
		return nil
	}
	var src [64]byte
	var raw [48]byte
	copy(src[:], value)
	if n, err := base64.RawURLEncoding.Decode(raw[:], src[:]); err != nil || n != 48 {
		return nil
	}
	sum := p.hash(&raw)
	s := &p.shard[sum[0]]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[sum]
}

func scan(r *http.Request, name string) string {
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			pair, rest, _ := strings.Cut(line, ";")
			if line = rest; strings.HasPrefix(line, " ") {
				line = line[1:]
			}
			if len(pair) > len(name) && pair[len(name)] == '=' && pair[:len(name)] == name {
				return pair[len(name)+1:]
			}
		}
	}
	return ""
}

// A benchWorld has n sessions, all in the cache.
type benchWorld struct {
	m        *session.Manager
	requests []*http.Request
	floor    *prototype
}

func newBenchWorld(b *testing.B, n int) *benchWorld {
	b.Helper()
	w := newWorld(b)
	begun := time.Now()
	w.clock.t = begun
	all := &fresh{anyone{w}, begun}
	m, err := session.New(session.Config{
		Store: all, Users: all, Secret: secretA, Audience: audience, Cache: 10 * time.Second, Now: w.benchClock(),
	})
	if err != nil {
		b.Fatal(err)
	}
	bw := &benchWorld{m: m, floor: &prototype{}}
	ours := newSchedule(secretA, audience)
	for i := range n {
		value := ours.token(hmacSum([]byte(fmt.Sprint(i))))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookieName+"="+value)
		bw.requests = append(bw.requests, r)
		bw.floor.put(value, w.user)
		if _, err := m.Resolve(r); err != nil {
			b.Fatal(err)
		}
	}
	return bw
}

// benchClock costs what time.Now costs, and stands still, so that the cache
// stays warm however long the benchmark runs.
func (w *world) benchClock() func() time.Time {
	t := w.clock.t
	return func() time.Time {
		_ = time.Now()
		return t
	}
}

type fresh struct {
	anyone
	at time.Time
}

func (f *fresh) SessionUser(_ context.Context, id string) (*store.Session, *store.User, error) {
	s := &store.Session{ID: id, UserID: f.user.ID, CreatedAt: f.at, SeenAt: f.at, ExpiresAt: f.at.Add(time.Hour)}
	return s, f.user, nil
}

func (w *benchWorld) resolve(b testing.TB, i int) {
	if f, err := w.m.Resolve(w.requests[i%len(w.requests)]); err != nil || f.User == nil {
		b.Fatalf("got %v, %v", f, err)
	}
}

func BenchmarkResolve(b *testing.B) {
	for _, n := range []int{1, 1000, 30_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			w := newBenchWorld(b, n)
			i, j := 0, 0
			against(b, func() {
				if w.floor.find(w.requests[j%n]) == nil {
					b.Fatal("the floor found nobody")
				}
				j++
			}, func() { w.resolve(b, i); i++ })
		})
	}
}

func BenchmarkResolveParallel(b *testing.B) {
	for _, sessions := range []int{1, 1000} {
		for _, goroutines := range []int{1, 2, 8, 64} {
			b.Run(fmt.Sprintf("sessions=%d/goroutines=%d", sessions, goroutines), func(b *testing.B) {
				w := newBenchWorld(b, sessions)
				b.ReportAllocs()
				b.ResetTimer()
				atOnce(goroutines, b.N, func(i int) { w.resolve(b, i) })
				b.StopTimer()
				compare(b, func(n int) {
					atOnce(goroutines, n, func(i int) { w.floor.find(w.requests[i%sessions]) })
				}, func(n int) {
					atOnce(goroutines, n, func(i int) { w.resolve(b, i) })
				})
			})
		}
	}
}

func atOnce(goroutines, n int, f func(i int)) {
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n; i += goroutines {
				f(i)
			}
		})
	}
	wg.Wait()
}

func BenchmarkRefuse(b *testing.B) {
	w := newBenchWorld(b, 1000)
	ours := newSchedule(secretA, audience)
	good := scan(w.requests[0], cookieName)
	rightID, wrongID := ours.token(make([]byte, 32)), []byte(good)
	rightID = rightID[:60] + "AAAA"
	wrongID[0] ^= 1
	markOff := good[:60] + "AAAA"
	for _, test := range []struct{ name, header string }{
		{"no header", ""},
		{"no cookie", "theme=dark; _ga=GA1.2.3.4; lang=en; consent=yes; a=b; c=d"},
		{"right ID", cookieName + "=" + rightID},
		{"right ID of a session there", cookieName + "=" + markOff},
		{"wrong ID", cookieName + "=" + string(wrongID)},
		{"20 B", cookieName + "=" + strings.Repeat("A", 20)},
		{"4 KB", cookieName + "=" + strings.Repeat("A", 4096)},
		{"other cookies of 4 KB", strings.Repeat("name=value; ", 340)},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/", nil)
			if test.header != "" {
				r.Header.Set("Cookie", test.header)
			}
			// The floor keeps no mark beside the random bytes, and so finds the
			// session there.
			against(b, func() { w.floor.find(r) }, func() {
				if _, err := w.m.Resolve(r); err != session.ErrNone {
					b.Fatal(err)
				}
			})
		})
	}
}

// Not in the cache: what is ours beside the store's answer.
func BenchmarkResolveMiss(b *testing.B) {
	w := newBenchWorld(b, 1)
	r := w.requests[0].Clone(b.Context())
	r.Method = "POST"
	all := &fresh{anyone{newWorld(b)}, time.Now()}
	against(b, func() {
		if w.floor.find(r) == nil {
			b.Fatal("the floor found nobody")
		}
		if _, _, err := all.SessionUser(r.Context(), "id"); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := w.m.Resolve(r); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkBeginFlow(b *testing.B) {
	w := newWorld(b, func(c *session.Config) { c.Now = time.Now })
	r := httptest.NewRequest("GET", "/auth/login/test", nil)
	f := session.Flow{
		Purpose: session.Login, Provider: "test", Memo: strings.Repeat("m", 86), ReturnTo: "/there",
		CallbackURL: "https://app.example.com/auth/callback/test", Issuer: "https://test.example.com",
	}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	against(b, func() {
		// A state, a nonce, a name, one seal, one cookie.
		var state [32]byte
		var nonce [12]byte
		_, _ = rand.Read(state[:])
		_, _ = rand.Read(nonce[:])
		sum := sha256.Sum256(state[:])
		name := "__Host-session-flow-" + base64.RawURLEncoding.EncodeToString(sum[:6])
		plain := append(make([]byte, 0, 512), state[:]...)
		for _, s := range []string{f.Provider, f.Issuer, f.Memo, f.ReturnTo, f.CallbackURL} {
			plain = append(append(plain, byte(len(s))), s...)
		}
		sealed := gcm.Seal(append(make([]byte, 0, 600), nonce[:]...), nonce[:], plain, []byte(name))
		h := http.Header{}
		h["Set-Cookie"] = []string{name + "=" + base64.RawURLEncoding.EncodeToString(sealed) + "; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"}
	}, func() {
		f.State = session.NewState()
		if err := w.m.BeginFlow(&header{http.Header{}}, r, f); err != nil {
			b.Fatal(err)
		}
	})
}

type header struct{ h http.Header }

func (h *header) Header() http.Header         { return h.h }
func (h *header) Write(p []byte) (int, error) { return len(p), nil }
func (h *header) WriteHeader(int)             {}

// The promises that do not depend on the machine.
func TestAllocations(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	good := b.request("GET")
	request := func(header string) *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", header)
		return r
	}
	value := b.value(cookieName)
	var failed atomic.Int64
	for name, r := range map[string]*http.Request{
		"in the cache": good,
		"no cookie":    httptest.NewRequest("GET", "/", nil),
		"forged":       request(cookieName + "=" + value[:60] + "AAAA"),
		"other secret": request(cookieName + "=" + newSchedule(secretB, audience).token(make([]byte, 32))),
		"4 KB":         request(cookieName + "=" + strings.Repeat("A", 4096)),
		"3,000":        request(strings.Repeat("a=b; ", 3000)),
	} {
		n := testing.AllocsPerRun(100, func() {
			if _, err := w.m.Resolve(r); err != nil && !errors.Is(err, session.ErrNone) {
				failed.Add(1)
			}
		})
		if n != 0 || failed.Load() != 0 {
			t.Errorf("%s: %v allocations, %d failures", name, n, failed.Load())
		}
	}
	// After a revocation, a hit looks at what was revoked.
	for _, other := range []string{"another", "and another"} {
		if err := w.m.Revoke(t.Context(), other); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.add(time.Millisecond)
	if n := testing.AllocsPerRun(100, func() { _, _ = w.m.Resolve(good) }); n != 0 {
		t.Errorf("after a revocation: %v allocations", n)
	}
}
