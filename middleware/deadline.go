package middleware

import (
	"context"
	"sync"
	"time"
)

// A deadline is a context that ends some time after it is first waited for, or
// with its parent. Nearly every login begins without asking anybody, and then no
// timer is made.
type deadline struct {
	context.Context // the parent
	limit           time.Duration

	mu    sync.Mutex
	timed context.Context // nil until somebody waits
	stop  context.CancelFunc
	ended bool
}

// end releases what d holds. Whoever still has d finds it canceled.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.stop != nil {
		d.stop()
	}
}

// wait returns the context that has a timer.
func (d *deadline) wait() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.stop = context.WithTimeout(d.Context, d.limit)
		if d.ended {
			d.stop()
		}
	}
	return d.timed
}

// Deadline implements [context.Context].
func (d *deadline) Deadline() (time.Time, bool) { return d.wait().Deadline() }

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} { return d.wait().Done() }

// Err implements [context.Context].
func (d *deadline) Err() error { return d.wait().Err() }

// Value asks the context with the timer once there is one, so that package
// context knows what it made and starts no goroutine to watch it.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	timed := d.timed
	d.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return d.Context.Value(key)
}
