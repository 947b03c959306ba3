package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"
)

const (
	loadTimeout = 10 * time.Second
	firstPause  = 5 * time.Second // after a failed load; doubles with each
	lastPause   = time.Minute     // the longest pause, and that between two forced loads
)

// A cached keeps one document of a service, such as its metadata or its keys.
// It is loaded when it is first wanted, by one request however many want it,
// and again when it is older than fresh. A copy that cannot be renewed is used
// until it is older than keep. A service that fails is left alone for a while.
type cached[T any] struct {
	load  func(ctx context.Context) (T, error)
	now   func() time.Time
	fresh time.Duration
	keep  time.Duration

	mu       sync.Mutex
	value    T
	turn     int       // counts the values
	loadedAt time.Time // of value
	err      error     // of the last load, nil if it went well
	failures int       // in a row
	resumeAt time.Time // no load before, after a failure
	forcedAt time.Time
	flight   *flight[T]
}

// A flight is a load under way. Its fields are read when done is closed.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// get returns the value. Its turn is for [cached.again], and is zero if the value
// was loaded for this very call: it is the newest then.
func (c *cached[T]) get(ctx context.Context) (value T, turn int, err error) {
	c.mu.Lock()
	now := c.now()
	age := now.Sub(c.loadedAt) // negative if the clock was put back, which makes nothing older
	usable := c.turn > 0 && age < c.keep
	value, turn = c.value, c.turn
	if usable && (age < c.fresh || c.flight != nil || c.resting(now)) {
		c.mu.Unlock()
		return value, turn, nil
	}
	if c.flight == nil && c.resting(now) {
		err := c.err
		c.mu.Unlock()
		return *new(T), 0, fmt.Errorf("not asked again yet after: %w", err)
	}
	f := c.start(ctx)
	c.mu.Unlock()

	loaded, err := f.wait(ctx)
	if err != nil && usable {
		return value, turn, nil
	}
	return loaded, 0, err
}

// again returns a value of a later turn than the given one. It loads one at most
// once a minute; in between it reports false at once, so that tokens with
// made-up key IDs cost the service nothing.
func (c *cached[T]) again(ctx context.Context, turn int) (value T, ok bool, err error) {
	c.mu.Lock()
	if c.turn > turn {
		value := c.value
		c.mu.Unlock()
		return value, true, nil
	}
	if c.flight == nil {
		now := c.now()
		since := now.Sub(c.forcedAt)
		if c.resting(now) || since >= 0 && since < lastPause {
			err := c.err
			c.mu.Unlock()
			return *new(T), false, err
		}
		c.forcedAt = now
	}
	f := c.start(ctx)
	c.mu.Unlock()

	value, err = f.wait(ctx)
	return value, err == nil, err
}

// resting reports whether a service that failed is to be left alone.
func (c *cached[T]) resting(now time.Time) bool {
	left := c.resumeAt.Sub(now)
	return c.err != nil && left > 0 && left <= lastPause
}

// start returns the load under way, or begins one. The load does not end with
// the request that began it, since others wait for it too. The lock is held.
func (c *cached[T]) start(ctx context.Context) *flight[T] {
	if c.flight != nil {
		return c.flight
	}
	f := &flight[T]{done: make(chan struct{})}
	c.flight = f
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	go func() {
		defer cancel()
		value, err := c.guarded(ctx)
		c.land(f, value, err)
	}()
	return f
}

// guarded keeps a parser that panics from ending the program, as there is no
// handler above this goroutine to recover.
func (c *cached[T]) guarded(ctx context.Context) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return c.load(ctx)
}

func (c *cached[T]) land(f *flight[T], value T, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if err == nil {
		c.value, c.loadedAt = value, now
		c.turn++
		c.failures = 0
	} else {
		c.failures++
		c.resumeAt = now.Add(pause(c.failures))
	}
	c.err = err
	c.flight = nil
	f.value, f.err = value, err
	close(f.done)
}

// wait returns what f loaded, or the error of ctx if that ends first.
func (f *flight[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}

// pause is how long to leave a service alone after so many failures. Up to a
// quarter is taken off at random, lest all instances of an app ask at once.
func pause(failures int) time.Duration {
	d := lastPause
	if failures < 5 {
		d = min(lastPause, firstPause<<(failures-1))
	}
	var b [1]byte
	rand.Read(b[:])
	return d - d/4*time.Duration(b[0])/255
}
