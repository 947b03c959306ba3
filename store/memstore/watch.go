package memstore

import (
	"sync"

	"github.com/gatepass/gatepass/store"
)

// watchers are those who are told of changes.
type watchers struct {
	mu  sync.RWMutex
	all map[*func(store.Change)]struct{}
}

// Watch implements [store.Watcher]. F is told of what is changed through any
// Store of the same New.
func (s *Store) Watch(f func(store.Change)) (stop func()) {
	w := &s.db.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[*func(store.Change)]struct{}{}
	}
	w.all[&f] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, &f)
	}
}

// tell holds the lock while it calls, so that nobody is called once their stop
// has returned.
func (w *watchers) tell(changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	for f := range w.all {
		for _, c := range changes {
			(*f)(c)
		}
	}
}

// changedUser notes a change of a user, or of all their sessions.
func (tx *transaction) changedUser(id string) {
	tx.changes = append(tx.changes, store.Change{UserID: id})
}

// endSession removes a session, if it is there, and notes that it ended.
func (tx *transaction) endSession(id string) {
	row := tx.sessions.get(id)
	if row == nil {
		return
	}
	tx.sessions.set(id, nil)
	tx.changes = append(tx.changes, store.Change{UserID: row.UserID, SessionID: id})
}
