package providertest

// These tests are internal because Run takes a *testing.T, and a rule that a
// broken Provider fails must not fail the test which wants it to.

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

// A recorder is a testing.TB that notes how a test ends.
type recorder struct {
	testing.TB // for Context

	mu              sync.Mutex
	failed, skipped bool
	log             strings.Builder
	cleanups        []func()
}

func (r *recorder) note(text string, failed, skipped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed, r.skipped = r.failed || failed, r.skipped || skipped
	r.log.WriteString(text + "\n")
}

func (r *recorder) Helper()         {}
func (r *recorder) Log(args ...any) { r.note(fmt.Sprint(args...), false, false) }
func (r *recorder) Logf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...), false, false)
}
func (r *recorder) Error(args ...any) { r.note(fmt.Sprint(args...), true, false) }
func (r *recorder) Errorf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...), true, false)
}
func (r *recorder) Fatal(args ...any) { r.note(fmt.Sprint(args...), true, false); runtime.Goexit() }
func (r *recorder) Skip(args ...any)  { r.note(fmt.Sprint(args...), false, true); runtime.Goexit() }
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...), true, false)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// try runs a rule and returns how it ended.
func try(t *testing.T, r rule, keys *keyring, e effort, maker func(srv *Server) provider.Provider) *recorder {
	t.Helper()
	rec := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range rec.cleanups {
				f()
			}
		}()
		srv := newWatched(rec, keys)
		r.run(rec, srv, e, func() provider.Provider { return maker(srv) })
	}()
	<-done
	return rec
}
