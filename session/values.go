package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

// A Manager keeps an app's own values as well.
var _ sessions.Store = (*Manager)(nil)

// maxSwaps is how often Save tries again because another request saved first.
const maxSwaps = 32

var (
	errForeign = errors.New("want a session that this Manager's Get or New returned, which sessions.GetRegistry does not keep")
	errBusy    = errors.New("other requests of the browser saved each time")
)

// A copied is the store of one gorilla session that New has returned: what was
// stored when it was read, so that Save can tell what has changed since.
type copied struct {
	*Manager
	keeper *keeper // nil: the browser had no session
	record *store.Session
	blob   []byte // all its values
	base   []pair // those of this name
	bad    []pair // of base, what cannot be read
	err    error  // why the values are not known
}

// Get returns the gorilla session of that name, as the store has it now. An app
// that has kept its values in a gorilla store uses the Manager in its place: the
// values are then kept in the store, with the session of whoever is logged in,
// and end with it. Those of a visitor are kept as well, from the first Save on.
//
// Each call reads the store and returns a session of the caller's own. The
// request is not changed, and two goroutines may ask about one. So
// [sessions.Save], which saves what a request is known to have, knows of none:
// call Save of each session.
//
// IsNew says that nothing is kept under that name, and ID is always empty. Of
// Options only MaxAge means anything, and only if it is negative: Save then
// removes the values of that name, and logs nobody out.
//
// Get never returns nil. If the store failed, it returns a new session, that
// cannot be saved, and an [Error]. If some values cannot be read, as when a type
// was renamed that the app has registered with gob, it returns the others, and an
// Error; Save then leaves those alone that it could not read and that were not
// set anew.
func (m *Manager) Get(r *http.Request, name string) (*sessions.Session, error) {
	return m.New(r, name)
}

// New is [Manager.Get].
func (m *Manager) New(r *http.Request, name string) (*sessions.Session, error) {
	c := &copied{Manager: m}
	s := sessions.NewSession(c, name)
	s.IsNew = true
	*s.Options = sessions.Options{
		Path: "/", Domain: m.cfg.Domain, MaxAge: int(seconds(m.cfg.Lifetime)), HttpOnly: true, Secure: !m.cfg.Insecure,
		SameSite: m.cfg.SameSite, Partitioned: m.cfg.Partitioned,
	}
	return s, m.fill(r, s, c)
}

// fill reads what is stored into s and c.
func (m *Manager) fill(r *http.Request, s *sessions.Session, c *copied) error {
	if s.Name() == "" || strings.ContainsFunc(s.Name(), notToken) {
		c.err = &Error{Op: "values", Reason: "name", Err: fmt.Errorf("gorilla session %q: want the letters of a cookie's name", s.Name())}
		return c.err
	}
	k, err := m.keeper(r, m.Resolve)
	if err != nil {
		return c.unless(err)
	}
	rec, blob, err := m.kept(r.Context(), k)
	if err != nil {
		return c.unless(err)
	}
	if k.userID == "" {
		_ = m.touchVisitor(r.Context(), rec) // who only reads is there as well
	}
	c.keeper, c.record, c.blob = k, rec, blob
	body, found, err := partOf(blob, s.Name())
	if err == nil {
		c.base, err = pairsIn(body)
	}
	s.IsNew = !found
	if err != nil {
		c.err = unreadable(s.Name(), err)
		return c.err
	}
	if c.bad, err = readPairs(c.base, s.Values); err != nil {
		return unreadable(s.Name(), err)
	}
	return nil
}

// unless notes an error that is not that there is no session.
func (c *copied) unless(err error) error {
	if errors.Is(err, ErrNone) {
		return nil
	}
	c.err = err
	return err
}

func unreadable(name string, err error) error {
	return &Error{Op: "values", Reason: "unreadable", Err: fmt.Errorf("gorilla session %q: %w", name, err)}
}

// Save stores what has changed in s since Get returned it, or since it was saved
// last, value by value: of two requests that save at the same time, each changes
// what it has changed. If the browser has no session, and there is something to
// keep, it is given one, of a visitor. Call it before the answer is begun.
//
// It returns ErrNone if the session that s was read of has ended, or is another
// person's now: nothing brings it back. Values may be of any type that a gorilla
// session takes: those that are no basic types, or lists or maps of them, must be
// known to gob ([encoding/gob.Register]). All that a browser has, under all names,
// may be [store.MaxValues] bytes.
func (m *Manager) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	var c *copied
	if s != nil {
		c, _ = s.Store().(*copied)
	}
	if c == nil || c.Manager != m {
		return &Error{Op: "values", Reason: "foreign", Err: errForeign}
	}
	remove := s.Options != nil && s.Options.MaxAge < 0
	if c.err != nil && (!remove || c.keeper == nil) {
		return c.err
	}
	var mine []pair
	if !remove {
		var err error
		if mine, err = c.pairs(s); err != nil {
			return &Error{Op: "values", Reason: "value", Err: fmt.Errorf("gorilla session %q: %w", s.Name(), err)}
		}
	}
	r = m.answered(w, r)
	k, err := m.keeper(r, m.ResolveNow)
	switch {
	case err == nil && c.mayChange(k):
		err = m.swap(r.Context(), k, c, s.Name(), mine, remove)
	case err == nil:
		err = ErrNone
	}
	if errors.Is(err, ErrNone) && c.keeper == nil && (k == nil || k.userID == "") {
		return m.saveFirst(w, r, c, s.Name(), mine)
	}
	if err == nil && k.old {
		err = m.remark(w, r, k, c.record)
	}
	return err
}

// mayChange reports whether what was read into c is still of whoever has k: the
// session itself, or one that has taken its place in this very request. What a
// visitor had is no longer theirs once they have logged in.
func (c *copied) mayChange(k *keeper) bool {
	return c.keeper == nil || k.id == c.keeper.id || k.userID != "" && k.userID == c.keeper.userID
}

// pairs returns what s holds, and what could not be read and is not set anew.
func (c *copied) pairs(s *sessions.Session) ([]pair, error) {
	mine, err := pairsOf(s.Values, 0)
	if err != nil || len(c.bad) == 0 {
		return mine, err
	}
	return merge(c.bad, nil, mine), nil
}

// saveFirst saves the first values of a browser that has no session.
func (m *Manager) saveFirst(w http.ResponseWriter, r *http.Request, c *copied, name string, mine []pair) error {
	if len(mine) == 0 {
		return nil
	}
	blob, err := changed(nil, name, nil, mine, false)
	if err != nil {
		return err
	}
	k, rec, err := m.beginVisitor(w, r, blob)
	if err != nil {
		return err
	}
	c.keeper, c.record, c.blob, c.base = k, rec, blob, mine
	return nil
}

// swap changes what is stored as c was changed. At first it takes what was read
// for what still is there.
func (m *Manager) swap(ctx context.Context, k *keeper, c *copied, name string, mine []pair, remove bool) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	rec, blob := c.record, c.blob
	known := c.keeper != nil && c.keeper.id == k.id
	for range maxSwaps {
		if !known {
			var err error
			if rec, blob, err = m.kept(ctx, k); err != nil {
				return err
			}
		}
		known = false
		next, err := changed(blob, name, c.base, mine, remove)
		if err != nil {
			return err
		}
		if !bytes.Equal(blob, next) {
			err = store.SwapSessionValues(ctx, m.cfg.Store, k.id, blob, next)
		}
		if err == nil && k.userID == "" {
			err = m.touchVisitor(ctx, rec)
		}
		switch {
		case err == nil:
			c.keeper, c.record, c.blob, c.base, c.bad, c.err = k, rec, next, mine, nil, nil
			return nil
		case errors.Is(err, store.ErrNotFound), errors.Is(err, ErrNone):
			return ErrNone
		case !errors.Is(err, store.ErrExists):
			return failed("values", err)
		}
	}
	return failed("values", errBusy)
}

// changed returns blob with what leads from base to mine, or without what has
// that name.
func changed(blob []byte, name string, base, mine []pair, remove bool) ([]byte, error) {
	var pairs []pair
	if !remove {
		body, _, err := partOf(blob, name)
		if err != nil {
			return nil, unreadable(name, err)
		}
		stored, err := pairsIn(body)
		if err != nil {
			return nil, unreadable(name, err)
		}
		pairs = merge(stored, base, mine)
	}
	next, err := withPart(blob, name, pairs)
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(next) > store.MaxValues && len(next) >= len(blob) {
		return nil, &Error{Op: "values", Reason: "too_long", Err: fmt.Errorf(
			"gorilla session %q: want at most %d bytes of values in all of a browser, got %d", name, store.MaxValues, len(next))}
	}
	return next, nil
}
