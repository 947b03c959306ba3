package session

import (
	"reflect"
	"runtime"
	"weak"

	"github.com/gatepass/gatepass/store"
)

// A watch waits for what is changed through a store. Nobody closes a Manager, and
// a store may live longer: so the store's hold on it is weak, and the watch ends
// when the Manager is garbage.
type watch struct {
	manager weak.Pointer[Manager]
	stop    func()
}

// watchStores has m forget at once what is changed through its Store or Users.
func (m *Manager) watchStores() {
	if m.cache == nil {
		return // there is nothing to forget
	}
	m.watch(m.cfg.Store)
	if m.cfg.Users != nil && !sameStore(m.cfg.Store, m.cfg.Users) {
		m.watch(m.cfg.Users)
	}
}

func (m *Manager) watch(s any) {
	w := &watch{manager: weak.Make(m)}
	var ok bool
	w.stop, ok = store.Watch(s, func(c store.Change) {
		if m := w.manager.Value(); m != nil {
			m.forgetChange(c)
		}
	})
	if !ok {
		return
	}
	// The cleanup must not hold w either: its stop is the store's, which may hold
	// what holds m. While the store lives, it holds w.
	runtime.AddCleanup(m, func(p weak.Pointer[watch]) {
		if w := p.Value(); w != nil {
			w.stop()
		}
	}, weak.Make(w))
}

func (m *Manager) forgetChange(c store.Change) {
	if c.SessionID != "" {
		m.forgetSession(c.SessionID, nil)
		return
	}
	m.Forget(c.UserID)
}

// sameStore reports whether a and b are one. To watch one twice is no harm, so
// that those of a type that cannot be compared count as two.
func sameStore(a, b any) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
