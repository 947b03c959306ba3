package memstore

import (
	"hash/maphash"
	"sync"
)

// rows is a table, or a table as a transaction sees it. A row is never changed
// once it is in one: to change it is to put another in its place. So a reader
// needs no lock once it has a row.
type rows[K comparable, V any] interface {
	get(k K) *V                // nil if not there
	members(group string) []*V // in no order
}

const shards = 64

// A table is a map in shards, so that readers do not meet at one lock, with an
// index on one property of its rows. Only one writer at a time changes it.
type table[K comparable, V any] struct {
	group  func(*V) string // what the index finds a row by; "" leaves it out
	seed   maphash.Seed
	shards [shards]struct {
		sync.RWMutex
		rows map[K]*V
		_    [24]byte // keeps neighbours out of one cache line
	}

	mu    sync.RWMutex
	index map[string]map[K]struct{}
}

func newTable[K comparable, V any](group func(*V) string) *table[K, V] {
	return &table[K, V]{group: group, seed: maphash.MakeSeed(), index: map[string]map[K]struct{}{}}
}

func (t *table[K, V]) get(k K) *V {
	s := &t.shards[maphash.Comparable(t.seed, k)%shards]
	s.RLock()
	v := s.rows[k]
	s.RUnlock()
	return v
}

func (t *table[K, V]) keys(group string) []K {
	t.mu.RLock()
	defer t.mu.RUnlock()
	keys := make([]K, 0, len(t.index[group]))
	for k := range t.index[group] {
		keys = append(keys, k)
	}
	return keys
}

func (t *table[K, V]) members(group string) []*V {
	var list []*V
	for _, k := range t.keys(group) {
		// The row may have gone, or changed, since the index was read.
		if v := t.get(k); v != nil && t.group(v) == group {
			list = append(list, v)
		}
	}
	return list
}

// set puts v under k, or removes what is there if v is nil.
func (t *table[K, V]) set(k K, v *V) {
	s := &t.shards[maphash.Comparable(t.seed, k)%shards]
	s.Lock()
	old := s.rows[k]
	if v == nil {
		delete(s.rows, k)
	} else {
		if s.rows == nil {
			s.rows = map[K]*V{}
		}
		s.rows[k] = v
	}
	s.Unlock()

	var from, to string
	if old != nil {
		from = t.group(old)
	}
	if v != nil {
		to = t.group(v)
	}
	if from == to {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if from != "" {
		delete(t.index[from], k)
		if len(t.index[from]) == 0 {
			delete(t.index, from)
		}
	}
	if to != "" {
		if t.index[to] == nil {
			t.index[to] = map[K]struct{}{}
		}
		t.index[to][k] = struct{}{}
	}
}

// find returns the keys of the rows that f picks.
func (t *table[K, V]) find(f func(*V) bool) []K {
	var keys []K
	for i := range t.shards {
		s := &t.shards[i]
		s.RLock()
		for k, v := range s.rows {
			if f(v) {
				keys = append(keys, k)
			}
		}
		s.RUnlock()
	}
	return keys
}
