package session_test

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
)

// BenchmarkGoals is what remembering a session takes.
func BenchmarkGoals(b *testing.B) {
	b.Run("bytes of a session in the cache", benchCacheSize)
	b.Run("eviction", benchEviction)
}

// A filler resolves another session each time.
type filler struct {
	m    *session.Manager
	ours schedule
	r    *http.Request
	i    uint64
}

func newFiller(b *testing.B) *filler {
	b.Helper()
	w := newWorld(b)
	w.clock.t = time.Now()
	all := &fresh{anyone{w}, w.clock.t}
	m, err := session.New(session.Config{
		Store: all, Users: all, Secret: secretA, Audience: audience, Cache: 10 * time.Second, Now: w.benchClock(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return &filler{m: m, ours: newSchedule(secretA, audience), r: httptest.NewRequest("GET", "/", nil)}
}

// cookies returns those of n sessions that were not there before.
func (f *filler) cookies(n int) []string {
	all := make([]string, n)
	for i := range all {
		f.i++
		all[i] = cookieName + "=" + f.ours.token(hmacSum([]byte("filler"), binary.BigEndian.AppendUint64(nil, f.i)))
	}
	return all
}

func (f *filler) resolve(b *testing.B, cookies []string) {
	for _, c := range cookies {
		f.r.Header["Cookie"] = []string{c}
		if _, err := f.m.Resolve(f.r); err != nil {
			b.Fatal(err)
		}
	}
}

// How many bytes of memory a session in the cache takes, beside its user: the
// record, with an ID of its own, the key, and the cache's share. The cache is as
// full as it can be without having to forget.
func benchCacheSize(b *testing.B) {
	const n = 60_000
	for b.Loop() {
		var before, after runtime.MemStats
		f := newFiller(b)
		cookies := f.cookies(n)
		runtime.GC()
		runtime.ReadMemStats(&before)
		f.resolve(b, cookies)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/session")
		b.ReportMetric(0, "ns/op")
		runtime.KeepAlive(cookies)
		runtime.KeepAlive(f)
	}
}

// A session more, when there are as many as the cache has room for, beside one
// when there is room. The store answers at once.
func benchEviction(b *testing.B) {
	const most, some = 65_536, 1000
	full, empty := newFiller(b), newFiller(b)
	full.resolve(b, full.cookies(2*most))
	var least [2]time.Duration
	room := 0
	for first := true; b.Loop(); first = false {
		if room += some; room > most/2 {
			b.StopTimer()
			empty, room = newFiller(b), some
			b.StartTimer()
		}
		for i, f := range []*filler{empty, full} {
			b.StopTimer()
			cookies := f.cookies(some)
			b.StartTimer()
			begun := time.Now()
			f.resolve(b, cookies)
			if took := time.Since(begun); first || took < least[i] {
				least[i] = took
			}
		}
	}
	b.ReportMetric(float64(least[1])/some, "ns/op")
	b.ReportMetric(float64(least[0])/some, "with-room-ns")
	b.ReportMetric(float64(least[1])/float64(least[0]), "x-with-room")
}
