package redisstore

import (
	"sync"

	"github.com/gatepass/gatepass/store"
)

// watchers are whom a Store tells of changes.
type watchers struct {
	mu  sync.RWMutex
	all map[*func(store.Change)]struct{}
}

// Watch implements [store.Watcher]. It tells of what this Store does; what other
// processes do is seen by whoever asks.
func (s *Store) Watch(f func(store.Change)) (stop func()) {
	w := &s.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[*func(store.Change)]struct{}{}
	}
	w.all[&f] = struct{}{}
	return func() {
		// The lock waits for calls of f that are under way.
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, &f)
	}
}

// tell tells of changes, which may have happened or not.
func (w *watchers) tell(changes ...store.Change) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, c := range changes {
		for f := range w.all {
			(*f)(c)
		}
	}
}

// ended tells of sessions that have ended, as far as they were there.
func (w *watchers) ended(ids ...string) {
	for _, id := range ids {
		w.tell(store.Change{SessionID: id})
	}
}
