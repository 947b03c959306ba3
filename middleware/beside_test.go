package middleware_test

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// A course is what a benchmark does n times. Prepare, if not nil, comes before
// and is not measured.
type course struct {
	prepare func(n int)
	do      func(n int)
}

// each is a course of f, again and again.
func each(f func()) course {
	return course{do: func(n int) {
		for range n {
			f()
		}
	}}
}

// beside measures ours and ideal by turns, in runs of some milliseconds, so that
// both meet the same machine and each run pays for the garbage that it makes. It
// reports the fastest run of each, since a machine that is shared makes runs
// longer and never shorter, how many times the ideal ours takes, and what ours
// allocates. Only the ratio can be compared between machines.
func beside(b *testing.B, ideal, ours course) {
	b.Helper()
	b.ReportAllocs()
	n := [2]int{ideal.enough(), ours.enough()}
	var least [2]float64
	for first := true; b.Loop(); first = false {
		for i, t := range [2]course{ideal, ours} {
			if took := float64(t.run(n[i])) / float64(n[i]); first || took < least[i] {
				least[i] = took
			}
		}
	}
	idealObjects, _ := ideal.garbage(n[0])
	objects, bytes := ours.garbage(n[1])
	b.ReportMetric(least[1], "ns/op")
	b.ReportMetric(least[0], "ideal-ns")
	b.ReportMetric(least[1]/least[0], "x-ideal")
	b.ReportMetric(idealObjects, "ideal-allocs")
	b.ReportMetric(objects, "allocs/op")
	b.ReportMetric(bytes, "B/op")
}

func (t course) run(n int) time.Duration {
	if t.prepare != nil {
		t.prepare(n)
	}
	begun := time.Now()
	t.do(n)
	return time.Since(begun)
}

// enough is how often t is to be done for a run of some milliseconds.
func (t course) enough() int {
	for n := 1; ; n *= 2 {
		// Twice, since a machine that is busy may be away for as long.
		if min(t.run(n), t.run(n)) > 20*time.Millisecond {
			return n
		}
	}
}

// garbage is what each of n allocates.
func (t course) garbage(n int) (objects, bytes float64) {
	if t.prepare != nil {
		t.prepare(n)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	t.do(n)
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / uint64(n)), float64((after.TotalAlloc - before.TotalAlloc) / uint64(n))
}

// atOnce is a course in many goroutines, each of which does what worker returns
// to it with one number after the other.
func atOnce(goroutines int, worker func() func(i int)) course {
	return course{do: func(n int) {
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				f := worker()
				for i := g; i < n; i += goroutines {
					f(i)
				}
			})
		}
		wg.Wait()
	}}
}
