package session

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepass/gatepass/store"
)

const (
	shards  = 256
	buckets = 32 // in a shard
	ways    = 8  // in a bucket; all together 65,536 entries
)

// A cache remembers what the store said about tokens a moment ago, and never
// that it knew nothing. Readers take no lock.
//
// What is ended here must not come back by a query that was under way
// meanwhile: a fill notes the generation of its shard before it asks, and is
// dropped if that has moved. What is ended by its ID or its user's, so that its
// place is not known, is noted in ended.
type cache struct {
	life  time.Duration
	ended *recent
	shard [shards]shard
}

type shard struct {
	table   atomic.Pointer[[buckets * ways]slot] // made at the first fill
	mu      sync.Mutex
	gen     uint64
	flights map[[randomSize]byte]*flight
}

// A slot's tag is a part of its entry's token, so that a search seldom follows
// a pointer in vain. Only the comparison of the whole token counts.
type slot struct {
	tag   atomic.Uint64
	entry atomic.Pointer[entry]
}

type entry struct {
	token   token
	old     bool // marked with an old secret
	session *store.Session
	user    *store.User
	seq     uint64        // of ended, before the store was asked
	asked   time.Duration // elapsed time before the store was asked
	until   int64         // milliseconds since 1970, as is seen
	seen    int64         // of session, which need not be fetched from memory for it
}

func newCache(life time.Duration) *cache {
	return &cache{life: life, ended: newRecent(life + askTimeout)}
}

func (c *cache) at(t *token) *shard { return &c.shard[t[1]] }

func bucketOf(table *[buckets * ways]slot, t *token) []slot {
	i := int(t[2]%buckets) * ways
	return table[i : i+ways]
}

func tagOf(t *token) uint64 { return binary.LittleEndian.Uint64(t[9:]) }

// find returns t's entry, or nil. It may be good no more.
func (c *cache) find(t *token) *entry {
	table := c.at(t).table.Load()
	if table == nil {
		return nil
	}
	tag, bucket := tagOf(t), bucketOf(table, t)
	for i := range bucket {
		if bucket[i].tag.Load() != tag {
			continue
		}
		if e := bucket[i].entry.Load(); e != nil && equal(e.token[:], t[:]) {
			return e
		}
	}
	return nil
}

// good reports whether e still holds.
func (c *cache) good(e *entry, now time.Time, elapsed time.Duration) bool {
	// A clock that was put back must not make it live longer.
	if age := elapsed - e.asked; age < 0 || age >= c.life || now.UnixMilli() >= e.until {
		return false
	}
	return c.ended.seq.Load() == e.seq || !c.ended.since(e.seq, e.session.ID, e.session.UserID)
}

// put stores e, unless something in its shard ended since gen.
func (s *shard) put(e *entry, gen uint64, life time.Duration, elapsed time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gen != gen {
		return
	}
	table := s.table.Load()
	if table == nil {
		table = new([buckets * ways]slot)
		s.table.Store(table)
	}
	bucket := bucketOf(table, &e.token)
	// Of two that the random bytes pick, the one asked for longer ago makes
	// room, if nothing else does.
	place, other := int(e.token[3]%ways), int(e.token[4]%ways)
	if a, b := bucket[place].entry.Load(), bucket[other].entry.Load(); a != nil && b != nil && b.asked < a.asked {
		place = other
	}
	free := -1
	for i := range bucket {
		old := bucket[i].entry.Load()
		if old != nil && equal(old.token[:], e.token[:]) {
			free = i
			break
		}
		if old != nil && elapsed-old.asked >= life {
			bucket[i].entry.Store(nil) // no use keeping people in memory
			old = nil
		}
		if old == nil && free < 0 {
			free = i
		}
	}
	if free >= 0 {
		place = free
	}
	bucket[place].entry.Store(e)
	bucket[place].tag.Store(tagOf(&e.token))
}

// drop forgets the session with t's random bytes, however it is marked, and
// what is being asked about it.
func (c *cache) drop(t *token) {
	s := c.at(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gen++
	table := s.table.Load()
	if table == nil {
		return
	}
	bucket := bucketOf(table, t)
	for i := range bucket {
		if e := bucket[i].entry.Load(); e != nil && equal(e.token.random()[:], t.random()[:]) {
			bucket[i].entry.Store(nil)
			bucket[i].tag.Store(0)
		}
	}
}
