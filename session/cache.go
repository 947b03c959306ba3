package session

import (
	"encoding/binary"
	"math"
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
	table   atomic.Pointer[places] // made at the first fill
	mu      sync.Mutex
	gen     uint64
	flights map[[randomSize]byte]*flight
}

// The tags of places are parts of their entries' tokens, so that a search seldom
// follows a pointer in vain. Only the comparison of the whole token counts.
type places struct {
	tag   [buckets * ways]atomic.Uint32
	entry [buckets * ways]atomic.Pointer[entry]
}

// An entry is small because there may be 65,536: 80 bytes are a size that the
// runtime hands out, and for one more it would take 96.
type entry struct {
	token   token
	seen    uint32        // of session, in seconds since 1970, which need not be fetched from memory for it
	flags   uint32        // see newEntry
	until   time.Duration // elapsed time at which it is good no more, at most a life after the store was asked
	session *store.Session
	user    *store.User
}

// newEntry makes an entry of what was asked when ended was at seq. It keeps the
// lower bits of that, since no entry outlives so many endings, beside whether t
// is marked with an old secret.
func newEntry(t *token, old bool, seq uint64, s *store.Session, u *store.User, until time.Duration) *entry {
	e := &entry{token: *t, flags: uint32(seq << 1), until: until, session: s, user: u}
	if old {
		e.flags |= 1
	}
	// Rounded up, so that the session is touched once a minute at most.
	e.seen = uint32(min(max((s.SeenAt.UnixMilli()+999)/1000, 0), math.MaxUint32))
	return e
}

func (e *entry) old() bool { return e.flags&1 != 0 }

func (e *entry) due(now time.Time) bool {
	return now.UnixMilli()-1000*int64(e.seen) >= touchEvery.Milliseconds()
}

func newCache(life time.Duration) *cache {
	return &cache{life: life, ended: newRecent(life + askTimeout)}
}

func (c *cache) at(t *token) *shard { return &c.shard[t[1]] }

// bucketOf is where in a table the entry of t may be.
func bucketOf(t *token) (from, to int) {
	from = int(t[2]%buckets) * ways
	return from, from + ways
}

func tagOf(t *token) uint32 { return binary.LittleEndian.Uint32(t[9:]) }

// find returns t's entry, or nil. It may be good no more.
func (c *cache) find(t *token) *entry {
	table := c.at(t).table.Load()
	if table == nil {
		return nil
	}
	tag := tagOf(t)
	for i, to := bucketOf(t); i < to; i++ {
		if table.tag[i].Load() != tag {
			continue
		}
		if e := table.entry[i].Load(); e != nil && equal(e.token[:], t[:]) {
			return e
		}
	}
	return nil
}

// good reports whether e still holds.
func (c *cache) good(e *entry, elapsed time.Duration) bool {
	// A clock that was put back must not make it live longer.
	if elapsed >= e.until || elapsed < e.until-c.life {
		return false
	}
	seq := c.ended.seq.Load()
	since := (uint32(seq<<1) - e.flags&^1) >> 1
	return since == 0 || !c.ended.since(seq-uint64(since), e.session.ID, e.session.UserID)
}

// put stores e, unless something in its shard ended since gen.
func (s *shard) put(e *entry, gen uint64, elapsed time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gen != gen {
		return
	}
	t := s.table.Load()
	if t == nil {
		t = new(places)
		s.table.Store(t)
	}
	from, to := bucketOf(&e.token)
	// Of two that the random bytes pick, the one asked for longer ago makes
	// room, if nothing else does.
	place, other := from+int(e.token[3]%ways), from+int(e.token[4]%ways)
	if a, b := t.entry[place].Load(), t.entry[other].Load(); a != nil && b != nil && b.until < a.until {
		place = other
	}
	free := -1
	for i := from; i < to; i++ {
		old := t.entry[i].Load()
		if old != nil && equal(old.token[:], e.token[:]) {
			free = i
			break
		}
		if old != nil && elapsed >= old.until {
			t.entry[i].Store(nil) // no use keeping people in memory
			old = nil
		}
		if old == nil && free < 0 {
			free = i
		}
	}
	if free >= 0 {
		place = free
	}
	t.entry[place].Store(e)
	t.tag[place].Store(tagOf(&e.token))
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
	for i, to := bucketOf(t); i < to; i++ {
		if e := table.entry[i].Load(); e != nil && equal(e.token.random()[:], t.random()[:]) {
			table.entry[i].Store(nil)
			table.tag[i].Store(0)
		}
	}
}
