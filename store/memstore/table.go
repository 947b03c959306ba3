package memstore

import (
	"hash/maphash"
	"sync"
)

// rows is a table, or a table as a transaction sees it. A row is never changed
// once it is in one: to change it is to put another in its place. So a reader
// needs no lock once it has a row.
type rows[K comparable, V any] interface {
	get(k K) *V           // nil if not there
	members(g group) []*V // in no order; none if g is zero
}

// A group is what an index finds rows by. No row is in the zero group.
type group struct {
	by             property
	provider, name string
}

type property uint8

const (
	byUser property = iota + 1
	byEmail
	bySID
)

// groups are those that a row is in, the same kind always in the same place.
type groups [2]group

// grouped returns the group with that name, or the zero group if the name is
// empty: visitors, or sessions without a SID, have nothing in common.
func grouped(by property, provider, name string) group {
	if name == "" {
		return group{}
	}
	return group{by: by, provider: provider, name: name}
}

func ofUser(id string) group { return grouped(byUser, "", id) }

func ofEmail(email string) group { return grouped(byEmail, "", lower(email)) }

func ofSID(provider, sid string) group { return grouped(bySID, provider, sid) }

// has reports whether g is among the groups.
func (gs groups) has(g group) bool { return g.by != 0 && (gs[0] == g || gs[1] == g) }

const shards = 64

// A table is a map in shards, so that readers do not meet at one lock, with an
// index of the groups that its rows are in. Only one writer at a time changes it.
type table[K comparable, V any] struct {
	groups func(*V) groups
	seed   maphash.Seed
	shards [shards]struct {
		sync.RWMutex
		rows map[K]*V
		_    [24]byte // keeps neighbours out of one cache line
	}

	mu    sync.RWMutex
	index map[group]map[K]struct{}
}

func newTable[K comparable, V any](of func(*V) groups) *table[K, V] {
	return &table[K, V]{groups: of, seed: maphash.MakeSeed(), index: map[group]map[K]struct{}{}}
}

func (t *table[K, V]) get(k K) *V {
	s := &t.shards[maphash.Comparable(t.seed, k)%shards]
	s.RLock()
	v := s.rows[k]
	s.RUnlock()
	return v
}

func (t *table[K, V]) keys(g group) []K {
	t.mu.RLock()
	defer t.mu.RUnlock()
	keys := make([]K, 0, len(t.index[g]))
	for k := range t.index[g] {
		keys = append(keys, k)
	}
	return keys
}

func (t *table[K, V]) members(g group) []*V {
	for {
		if list, ok := t.look(g); ok {
			return list
		}
	}
}

// look returns the members of a group. It reports false if one has gone since
// the index was read: another row, which the index did not have yet, may have
// taken its place, and a list with neither would hide a session from those who
// want to end it.
func (t *table[K, V]) look(g group) (list []*V, ok bool) {
	for _, k := range t.keys(g) {
		v := t.get(k)
		if v == nil {
			return nil, false
		}
		if t.groups(v).has(g) {
			list = append(list, v)
		}
	}
	return list, true
}

// set puts v under k, or removes what is there if v is nil. What the index has
// is there, save for a moment: rows come before their groups, and go after them.
func (t *table[K, V]) set(k K, v *V) {
	old := t.get(k)
	var from, to groups
	if old != nil {
		from = t.groups(old)
	}
	if v != nil {
		to = t.groups(v)
		t.store(k, v)
	}
	if from != to {
		t.move(k, from, to)
	}
	if v == nil {
		t.store(k, nil)
	}
}

func (t *table[K, V]) store(k K, v *V) {
	s := &t.shards[maphash.Comparable(t.seed, k)%shards]
	s.Lock()
	defer s.Unlock()
	if v == nil {
		delete(s.rows, k)
		return
	}
	if s.rows == nil {
		s.rows = map[K]*V{}
	}
	s.rows[k] = v
}

func (t *table[K, V]) move(k K, from, to groups) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range from {
		if from[i] == to[i] {
			continue
		}
		if g := from[i]; g != (group{}) {
			delete(t.index[g], k)
			if len(t.index[g]) == 0 {
				delete(t.index, g)
			}
		}
		if g := to[i]; g != (group{}) {
			if t.index[g] == nil {
				t.index[g] = map[K]struct{}{}
			}
			t.index[g][k] = struct{}{}
		}
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
