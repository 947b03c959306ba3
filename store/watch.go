package store

// A Watcher tells what is changed through it, so that whoever remembers records
// for a moment can forget them at once.
type Watcher interface {
	// Watch has f called after each change through this Store, or one that it
	// was given to a transaction, that ends a session or changes or removes a
	// user: once it can be seen by others and before the method that made it
	// returns, Transact if it was in one, and also if it may have happened and
	// nobody knows. It may be called once too often, as for what a transaction that
	// failed has undone. It need not be called for what other processes do, nor when
	// a session expires. F must be quick, safe for concurrent use, and must neither
	// use the Store nor call stop. It is not called any more once stop has returned.
	Watch(f func(Change)) (stop func())
}

// A Change is one of a session, of which only the ID may be known, or of a user,
// if SessionID is empty, and of all sessions that they have.
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
