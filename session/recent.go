package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// recent remembers for a while which sessions and users were ended in this
// process, in the order in which it happened. Two maps take turns, so that
// forgetting costs nothing.
type recent struct {
	keep time.Duration
	seq  atomic.Uint64 // of the latest

	mu        sync.RWMutex
	now, then map[ending]uint64
	turned    time.Duration
}

// An ending is that of one session, or of all that a user has.
type ending struct{ session, user string }

func newRecent(keep time.Duration) *recent { return &recent{keep: keep} }

func (c *recent) add(e ending, elapsed time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if passed := elapsed - c.turned; passed >= c.keep {
		c.then, c.now = c.now, nil
		if passed >= 2*c.keep {
			c.then = nil
		}
		c.turned = elapsed
	}
	if c.now == nil {
		c.now = make(map[ending]uint64)
	}
	c.now[e] = c.seq.Add(1)
}

// since reports whether the session or its user was ended after seq was read.
// If c.seq still is that, nothing was, and there is no need to ask.
func (c *recent) since(seq uint64, sessionID, userID string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.after(seq, ending{session: sessionID}) || c.after(seq, ending{user: userID})
}

func (c *recent) after(seq uint64, e ending) bool { return c.now[e] > seq || c.then[e] > seq }
