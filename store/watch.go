package store

// A Watcher tells what is changed through it, so that whoever remembers records
// for a moment can forget them at once.
type Watcher interface {
	// Watch has f called after each change through this Store, or one that it
	// was given to a transaction, that ends a session or changes or removes a
	// user: once it can be seen by others, and also if it may have happened and
	// nobody knows. It need not be called for what other processes do. F must be
	// quick, safe for concurrent use, and must not use the Store. It is not called
	// any more once stop has returned.
	Watch(f func(Change)) (stop func())
}

// A Change is one of a user, or of a session of which only the ID may be known.
// A change of a user may also be one of all sessions that they have.
type Change struct {
	UserID    string
	SessionID string
}

// Watch has f called for what is changed through s, if that is a [Watcher], and
// reports whether it is.
func Watch(s any, f func(Change)) (stop func(), ok bool) {
	w, ok := s.(Watcher)
	if !ok {
		return func() {}, false
	}
	return w.Watch(f), true
}
