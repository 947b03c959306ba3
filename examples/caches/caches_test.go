package caches_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// loggedIn returns a Manager and requests of that many sessions.
func loggedIn(tb testing.TB, n int) (*session.Manager, []*http.Request) {
	tb.Helper()
	s, begun := memstore.New(), time.Now()
	s.Now = func() time.Time { return begun }
	m, err := session.New(session.Config{
		Store: s, Secret: rand.Text() + rand.Text(), Cache: 10 * time.Second,
		// What was seen stays so, and the clock costs what it costs.
		Now: func() time.Time { _ = time.Now(); return begun },
	})
	if err != nil {
		tb.Fatal(err)
	}
	all := make([]*http.Request, n)
	for i := range all {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
		if err := m.Begin(w, r, &store.Session{UserID: fmt.Sprint(i), Key: store.Key{Provider: "p", Subject: fmt.Sprint(i)}}); err != nil {
			tb.Fatal(err)
		}
		value, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		all[i] = &http.Request{Method: http.MethodGet, Header: http.Header{"Cookie": {value}}}
		all[i] = all[i].WithContext(r.Context())
	}
	return m, all
}

// resolvers are the candidates and package session, with those sessions in them.
// Bytes are what one takes in each. Those of package session hold the session as
// the store gave it, of 256 bytes, and its ID.
func resolvers(tb testing.TB, n int) (names []string, resolve map[string]func(*http.Request) bool, bytes map[string]float64, requests []*http.Request) {
	tb.Helper()
	m, requests := loggedIn(tb, n)
	resolve, bytes = map[string]func(*http.Request) bool{}, map[string]float64{}
	measure := func(name string, fill func()) {
		names = append(names, name)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		fill()
		runtime.GC()
		runtime.ReadMemStats(&after)
		bytes[name] = (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(n)
	}
	for _, c := range candidates {
		var get func(key) *record
		measure(c.name, func() {
			var put func(key, *record)
			var settle func()
			get, put, settle = c.new(tb)
			for _, r := range requests {
				var k key
				value := r.Header["Cookie"][0][len(name)+1:]
				if _, err := base64.RawURLEncoding.Decode(k[:], []byte(value)); err != nil {
					tb.Fatal(err)
				}
				put(k, &record{until: time.Now().Add(life)})
			}
			settle()
		})
		resolve[c.name] = func(r *http.Request) bool { return find(r, get) != nil }
	}
	measure("session", func() {
		for _, r := range requests {
			if _, err := m.Resolve(r); err != nil {
				tb.Fatal(err)
			}
		}
	})
	resolve["session"] = func(r *http.Request) bool { _, err := m.Resolve(r); return err == nil }
	return names, resolve, bytes, requests
}

func run(goroutines, n int, requests []*http.Request, resolve func(*http.Request) bool) time.Duration {
	begun := time.Now()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n; i += goroutines {
				resolve(requests[i*7919%len(requests)])
			}
		})
	}
	wg.Wait()
	return time.Since(begun)
}

// BenchmarkCaches finds the session of one request after the other. All
// candidates take turns with the ideal, and the shortest run of each counts.
func BenchmarkCaches(b *testing.B) {
	for _, n := range []int{1000, 60_000} {
		names, resolve, bytes, requests := resolvers(b, n)
		for _, goroutines := range []int{1, 64} {
			for _, name := range names {
				b.Run(fmt.Sprintf("entries=%d/goroutines=%d/%s", n, goroutines, name), func(b *testing.B) {
					const many = 20_000
					var least [2]time.Duration
					for first := true; b.Loop(); first = false {
						for i, name := range []string{"ideal", name} {
							if took := run(goroutines, many, requests, resolve[name]); first || took < least[i] {
								least[i] = took
							}
						}
					}
					b.ReportMetric(float64(least[1])/many, "ns/op")
					b.ReportMetric(float64(least[1])/float64(least[0]), "x-ideal")
					b.ReportMetric(bytes[name], "B/entry")
					b.ReportMetric(testing.AllocsPerRun(100, func() { resolve[name](requests[0]) }), "allocs")
				})
			}
		}
	}
}

// Whoever reads the numbers should know that all of them found what they sought.
func TestCandidatesFind(t *testing.T) {
	names, resolve, _, requests := resolvers(t, 1000)
	stranger := &http.Request{Method: http.MethodGet, Header: http.Header{"Cookie": {name + "=" + strings.Repeat("A", 64)}}}
	for _, name := range names {
		for i, r := range requests {
			if !resolve[name](r) {
				t.Errorf("%s: did not find session %d", name, i)
				break
			}
		}
		if resolve[name](stranger) {
			t.Errorf("%s: found the session of a key that nobody has", name)
		}
	}
}
