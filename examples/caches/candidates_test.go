package caches_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/gatepass/gatepass/store"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/maypok86/otter/v2"
	cache "github.com/patrickmn/go-cache"
)

const (
	capacity = 65_536
	life     = time.Hour // so that nothing expires while it is measured
	name     = "__Host-session"
)

// A key is the browser's half of a session.
type key [48]byte

// A record is what is found by it. It is over when the session is, by the app's
// clock and not the cache's.
type record struct {
	Session *store.Session
	User    *store.User
	until   time.Time
}

// A candidate keeps records in memory.
type candidate struct {
	name string
	new  func(tb testing.TB) (get func(k key) *record, put func(k key, r *record), settle func())
}

func nothing() {}

var candidates = []candidate{
	{"ideal", func(testing.TB) (func(key) *record, func(key, *record), func()) {
		var shards [256]struct {
			sync.RWMutex
			m map[key]*record
		}
		get := func(k key) *record {
			s := &shards[k[1]]
			s.RLock()
			defer s.RUnlock()
			return s.m[k]
		}
		return get, func(k key, r *record) {
			s := &shards[k[1]]
			s.Lock()
			defer s.Unlock()
			if s.m == nil {
				s.m = map[key]*record{}
			}
			s.m[k] = r
		}, nothing
	}},
	{"otter", func(tb testing.TB) (func(key) *record, func(key, *record), func()) {
		c, err := otter.New(&otter.Options[key, *record]{MaximumSize: capacity, ExpiryCalculator: otter.ExpiryWriting[key, *record](life)})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { c.StopAllGoroutines() })
		get := func(k key) *record { r, _ := c.GetIfPresent(k); return r }
		return get, func(k key, r *record) { c.Set(k, r) }, c.CleanUp
	}},
	{"golang-lru", func(testing.TB) (func(key) *record, func(key, *record), func()) {
		c := expirable.NewLRU[key, *record](capacity, nil, life)
		get := func(k key) *record { r, _ := c.Get(k); return r }
		return get, func(k key, r *record) { c.Add(k, r) }, nothing
	}},
	{"go-cache", func(testing.TB) (func(key) *record, func(key, *record), func()) {
		c := cache.New(life, 0)
		get := func(k key) *record {
			v, _ := c.Get(string(k[:]))
			r, _ := v.(*record)
			return r
		}
		return get, func(k key, r *record) { c.SetDefault(string(k[:]), r) }, nothing
	}},
	{"ristretto", func(tb testing.TB) (func(key) *record, func(key, *record), func()) {
		c, err := ristretto.NewCache(&ristretto.Config[[]byte, *record]{
			NumCounters: 10 * capacity, MaxCost: capacity, BufferItems: 64, IgnoreInternalCost: true,
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(c.Close)
		get := func(k key) *record { r, _ := c.Get(k[:]); return r }
		return get, func(k key, r *record) {
			for !c.SetWithTTL(k[:], r, 1, life) { // dropped: there was too much to do
				c.Wait()
			}
		}, c.Wait
	}},
}

// find reads the request's cookie and finds what is kept under it.
func find(r *http.Request, get func(key) *record) *record {
	for _, line := range r.Header["Cookie"] {
		i := strings.Index(line, name+"=")
		if i < 0 || len(line) < i+len(name)+1+64 {
			continue
		}
		var k key
		var src [64]byte
		copy(src[:], line[i+len(name)+1:])
		if n, err := base64.RawURLEncoding.Decode(k[:], src[:]); err != nil || n != len(k) {
			return nil
		}
		if found := get(k); found != nil && time.Now().Before(found.until) {
			return found
		}
	}
	return nil
}
