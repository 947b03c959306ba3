package session

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gatepass/gatepass/store"
)

const touchEvery = time.Minute

// Touch notes that f, which Resolve or ResolveNow returned for r, was used: at
// most once a minute it moves the session's SeenAt and ExpiresAt, and gives the
// browser a key made with Secret if the one it has was made with an old one. It
// must be called before the answer is begun. If the store fails, Touch does
// nothing: the request is as good as it was.
func (m *Manager) Touch(w http.ResponseWriter, r *http.Request, f Found) {
	if !f.due || f.Session == nil {
		return
	}
	now := m.cfg.Now()
	undo, ok := m.touches.take(f.Session.ID, now)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	s := *f.Session
	m.see(&s, now)
	err := m.cfg.Store.TouchSession(ctx, s.ID, s.SeenAt, s.ExpiresAt)
	switch {
	case errors.Is(err, store.ErrNotFound):
		m.forgetSession(s.ID, nil)
	case err != nil:
		undo()
	case f.old:
		m.resend(w, r, &s, now)
	}
}

// see moves s's times to now, never backwards.
func (m *Manager) see(s *store.Session, now time.Time) {
	now = wall(now)
	if now.After(s.SeenAt) {
		s.SeenAt = now
	}
	s.ExpiresAt = s.SeenAt.Add(m.cfg.Idle)
	if last := m.last(s); last.Before(s.ExpiresAt) {
		s.ExpiresAt = last
	}
}

// last is when s is over however much it is used: with its family at the latest,
// which must not live on in the last session that it began.
func (m *Manager) last(s *store.Session) time.Time {
	last := s.CreatedAt.Add(m.cfg.Lifetime)
	if end, ok := m.familyEnd(s.Family); ok && end.Before(last) {
		return end
	}
	return last
}

// wall is t as a store keeps it.
func wall(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// resend marks the browser's token with the first secret. Its random bytes, and
// so the session's ID, stay.
func (m *Manager) resend(w http.ResponseWriter, r *http.Request, s *store.Session, now time.Time) {
	var t token
	if ok, err := m.read(r, &t); !ok || err != nil || m.signer(&t) < 0 || t.id() != s.ID {
		return
	}
	t.markWith(m.keys[0])
	life := m.remains(s, now)
	if _, ok := m.byHeader(r); ok {
		m.setHeader(w, t.text())
	} else if m.cfg.Cookies == nil {
		m.setCookie(w, m.cookie, t.text(), life)
	} else if m.replug(w, r, t.text(), life) != nil {
		return
	}
	w.Header().Set("Cache-Control", "private, no-store")
}

// touches remembers which sessions this process has touched within a minute. It
// may forget one early, which costs a write.
type touches struct {
	seed maphash.Seed
	slot [4096]atomic.Uint64 // half a hash of the ID, and seconds
}

func newTouches() *touches { return &touches{seed: maphash.MakeSeed()} }

// take reports whether the caller is the one to touch the session, and returns
// what gives it back.
func (c *touches) take(id string, now time.Time) (undo func(), ok bool) {
	h := maphash.String(c.seed, id)
	slot := &c.slot[h%uint64(len(c.slot))]
	was, is := slot.Load(), h&^(1<<32-1)|uint64(uint32(now.Unix()))
	if was>>32 == is>>32 && uint32(is)-uint32(was) < uint32(touchEvery/time.Second) {
		return nil, false
	}
	return func() { slot.CompareAndSwap(is, was) }, slot.CompareAndSwap(was, is)
}
