package session

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gatepass/gatepass/store"
)

// checkCarryOver returns what is wrong with each entry.
func checkCarryOver(list []string, wrong func(format string, args ...any)) {
	seen := map[string]bool{}
	for i, entry := range list {
		name, key, cut := strings.Cut(entry, "/")
		switch {
		case name == "" || strings.ContainsFunc(name, notToken):
			wrong("CarryOver[%d]: want the name of a gorilla session, of the letters of a cookie's name; got %q", i, entry)
		case cut && (key == "" || strings.Contains(key, "/")):
			wrong(`CarryOver[%d]: want a name, or a name and a key as in "shop/cart"; got %q`, i, entry)
		case seen[entry]:
			wrong("CarryOver[%d]: %q is there twice", i, entry)
		}
		seen[entry] = true
	}
}

// inherit returns the values that s, which begins, gets from what its browser
// has: of a visitor's those in CarryOver, and all of the same user's, who is
// where they were. It gets nothing of another user's, nor of a browser that has
// two keys, of which one may be someone else's. A store that forwards to another
// learns only now that that one keeps none.
func (m *Manager) inherit(ctx context.Context, s *store.Session, before []token) ([]byte, error) {
	if m.noValues != nil || len(before) != 1 {
		return nil, nil
	}
	k, visitor := &keeper{id: before[0].id()}, m.isVisitor(&before[0])
	if !visitor {
		k.userID = s.UserID
	} else if len(m.cfg.CarryOver) == 0 {
		return nil, nil
	}
	_, blob, err := m.kept(ctx, k)
	switch {
	case errors.Is(err, ErrNone), errors.Is(err, errors.ErrUnsupported):
		return nil, nil
	case err == nil && visitor:
		blob = only(blob, m.cfg.CarryOver)
	}
	return blob, err
}

// only returns what of blob is in the list. What cannot be read is not carried:
// it must not keep anyone from logging in.
func only(blob []byte, list []string) []byte {
	out := []byte{blobVersion}
	err := eachPart(blob, func(name, body, whole []byte) bool {
		all, keys := listed(list, string(name))
		if all {
			out = append(out, whole...)
			return true
		}
		var pairs []pair
		_ = eachPair(body, func(p pair) {
			if k, err := readKey(p.key); err == nil && keys(k) {
				pairs = append(pairs, p)
			}
		})
		if len(pairs) > 0 {
			out = appendPart(out, string(name), pairs)
		}
		return true
	})
	if err != nil || len(out) == 1 {
		return nil
	}
	return out
}

// listed says what CarryOver lists of the gorilla session of that name: all of
// it, or the keys for which keys returns true.
func listed(list []string, name string) (all bool, keys func(any) bool) {
	set := map[any]bool{}
	for _, entry := range list {
		n, key, cut := strings.Cut(entry, "/")
		switch {
		case n != name:
		case cut:
			set[key] = true
		default:
			all = true
		}
	}
	return all, func(k any) bool { return all || set[k] }
}

// staying returns what CarryOver lists of the app's own gorilla session that
// keeps the browser's half.
func (m *Manager) staying(values map[any]any) map[any]any {
	all, keys := listed(m.cfg.CarryOver, m.cookie)
	kept := make(map[any]any)
	for k, v := range values {
		if all || keys(k) {
			kept[k] = v
		}
	}
	delete(kept, plugValue)
	return kept
}

// plugStays reports whether that stays for s: if a visitor had it, or the same
// user.
func (m *Manager) plugStays(r *http.Request, s *store.Session, before []token) (bool, error) {
	_, byHeader := m.byHeader(r)
	switch {
	case m.cfg.Cookies == nil || len(m.cfg.CarryOver) == 0 || byHeader:
		return false, nil
	case len(before) == 0:
		// A key that none of the secrets has marked may have been anyone's.
		text, err := m.plugged(r)
		return text == "", err
	case m.isVisitor(&before[0]):
		return true, nil
	}
	old, err := m.cfg.Store.Session(r.Context(), before[0].id())
	if err == nil && old == nil {
		err = errNil
	}
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && old.UserID == s.UserID, err
}
