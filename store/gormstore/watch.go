package gormstore

import (
	"sync"
	"sync/atomic"

	"github.com/gatepass/gatepass/store"
)

// watchers are whom a Store, and those of its transactions, tell of changes.
type watchers struct {
	some atomic.Bool // so that nobody who has none waits for mu
	mu   sync.RWMutex
	list map[*watcher]struct{}
}

type watcher struct{ f func(store.Change) }

// Watch implements [store.Watcher]. Of what happens in a transaction that was
// given to [New], it tells at once, because it does not see the end.
func (s *Store) Watch(f func(store.Change)) (stop func()) {
	if s.fail != nil {
		return func() {} // nothing is changed through this Store
	}
	w, own := s.sh.watchers, &watcher{f}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = map[*watcher]struct{}{}
	}
	w.list[own] = struct{}{}
	w.some.Store(true)
	return func() {
		// The lock waits for calls of f that are under way.
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.list, own)
		w.some.Store(len(w.list) > 0)
	}
}

// tell tells of changes, at once or when the transaction ends in which they are.
// Whether they have happened may not be known.
func (s *Store) tell(changes ...store.Change) {
	if s.tx != nil && !s.tx.foreign {
		s.tx.mu.Lock()
		defer s.tx.mu.Unlock()
		s.tx.changes = append(s.tx.changes, changes...)
		return
	}
	if s.fail != nil || !s.sh.watchers.some.Load() {
		return
	}
	w := s.sh.watchers
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, c := range changes {
		for own := range w.list {
			own.f(c)
		}
	}
}
