// Package wire is what is between a client and a server in tests: it can be cut,
// lose answers and hold them back.
package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A Wire dials, and is what it dialled. It is safe for concurrent use.
type Wire struct {
	mu    sync.Mutex
	conns map[*conn]struct{}
	cut   bool
	lose  int           // how many answers are to be lost
	hold  chan struct{} // answers wait until it is closed, if not nil
}

var errCut = errors.New("the wire is cut")

// Dial connects to a server. It is for redis.Options and what is like it.
func (w *Wire) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errCut}
	}
	inner, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, wire: w, closed: make(chan struct{})}
	if w.conns == nil {
		w.conns = map[*conn]struct{}{}
	}
	w.conns[c] = struct{}{}
	return c, nil
}

// Cut ends all connections, and lets nobody dial until Mend is called.
func (w *Wire) Cut() {
	w.mu.Lock()
	w.cut = true
	conns := w.conns
	w.conns = nil
	w.mu.Unlock()
	for c := range conns {
		c.Close()
	}
}

// Mend undoes Cut.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// Lose loses the next n answers, and their connections with them.
func (w *Wire) Lose(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose = n
}

// Lost reports whether all answers are lost that were to be.
func (w *Wire) Lost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lose == 0
}

// Hold holds answers back until release is called.
func (w *Wire) Hold() (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hold := make(chan struct{})
	w.hold = hold
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hold = nil
		close(hold)
	})
}

type conn struct {
	net.Conn
	wire   *Wire
	once   sync.Once
	closed chan struct{}

	mu       sync.Mutex
	deadline time.Time
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline also limits how long an answer is held back.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) late() <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deadline.IsZero() {
		return nil
	}
	return time.After(time.Until(c.deadline))
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// Read reads what the server has answered, so that it has done what it was asked
// for, before it is lost or held.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	c.wire.mu.Lock()
	lost, hold := c.wire.lose > 0, c.wire.hold
	if lost {
		c.wire.lose--
	}
	c.wire.mu.Unlock()
	if lost {
		c.Close()
		return 0, io.EOF
	}
	if hold != nil {
		select {
		case <-hold:
		case <-c.late():
			return 0, os.ErrDeadlineExceeded
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	return n, nil
}
