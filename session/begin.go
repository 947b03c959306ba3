package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatepass/gatepass/store"
)

const (
	maxUserAgent = 256
	maxIP        = 45

	// maxCrowd is how many sessions of a user end at a login at most, beside the
	// browser's own. If there are more too many, since MaxPerUser was lowered, the
	// next logins end them.
	maxCrowd = 100

	firstSweep = time.Minute // after New, so that a program that runs for a moment does not sweep
	sweepEvery = 10 * time.Minute
	sweepLimit = 30 * time.Second
)

var errNobody = errors.New("the session is nobody's")

// Begin logs s.UserID in, always under a new key. It sets s's ID and times, the
// browser's name and address; the caller sets who, with which provider, and
// AuthTime. The session that the browser had before ends, and so does the
// user's least recently seen one if there are too many. The browser is no
// longer remembered, nor is that of such a session.
//
// If Begin fails, nobody is logged in by it, and the browser is told nothing. Its
// session is as it was, unless the store ended that one and could not say so, or
// failed twice in what follows, or Config.Cookies failed: then the person logs in
// anew.
func (m *Manager) Begin(w http.ResponseWriter, r *http.Request, s *store.Session) error {
	return m.begin(w, r, s, nil, nil)
}

// begin begins a session of the family that f begins, or of none, which keep
// stores, if that is given.
func (m *Manager) begin(w http.ResponseWriter, r *http.Request, s *store.Session, f *rememberToken, keep keepFunc) error {
	if s.UserID == "" && keep == nil {
		return &Error{Op: "begin", Reason: "no_user", Err: errNobody}
	}
	before, err := m.held(r)
	if err != nil {
		return &Error{Op: "begin", Reason: "cookies", Err: err}
	}
	if keep != nil && len(before) > 0 {
		return fmt.Errorf("session: the browser has one, which cannot end in the step that keep makes: %w", errors.ErrUnsupported)
	}
	now, t := m.cfg.Now(), newToken(m.keys[0])
	s.ID = t.id()
	s.Family = ""
	if f != nil {
		s.Family = f.family()
	}
	m.describe(s, r, now)

	ctx, held := r.Context(), m.heldRemembered(r)
	stays, err := m.plugStays(r, s, before)
	if err == nil {
		err = m.succeedRemembered(ctx, s, before, held, f, keep)
	}
	if err != nil {
		return failed("begin", err)
	}
	if err := m.give(w, r, &t, s, now, stays); err != nil {
		return &Error{Op: "begin", Reason: "cookies", Err: errors.Join(err, m.undo(ctx, s.ID), m.unremember(ctx, s.Family))}
	}
	switch {
	case f != nil:
		m.setCookie(w, m.rememberCookie, f.text(), m.cfg.Remember)
	case len(held) > 0:
		m.expireCookie(w, m.rememberCookie)
	}
	m.sweepNow(ctx, now)
	return nil
}

// describe sets the times of a session that begins, and the browser's name and
// address.
func (m *Manager) describe(s *store.Session, r *http.Request, now time.Time) {
	s.CreatedAt = wall(now)
	s.SeenAt = s.CreatedAt
	m.see(s, now)
	s.UserAgent = clean(r.UserAgent(), maxUserAgent)
	s.IP = m.address(r)
}

// succession finds out which sessions end when s begins in a browser that has
// those before, and whose families in over end, and what s is given of them.
func (m *Manager) succession(ctx context.Context, s *store.Session, before []token, over []string) (*succession, error) {
	crowd, err := m.crowd(ctx, s.UserID, before, over)
	if err != nil {
		return nil, err
	}
	ids, families := idsOf(crowd)
	values, err := m.inherit(ctx, s, before)
	if err != nil {
		return nil, err
	}
	return &succession{session: s, values: values, before: before, crowd: ids, families: families}, nil
}

// held returns the tokens of ours that the request has, also those of
// visitors: one, but for a browser in which someone put another.
func (m *Manager) held(r *http.Request) ([]token, error) {
	var tokens []token
	add := func(value string) {
		var t token
		if m.parseToken(value, &t) && m.signer(&t) >= 0 || m.visitor(value, &t) >= 0 {
			tokens = append(tokens, t)
		}
	}
	if lines, ok := m.byHeader(r); ok {
		for _, value := range lines[:min(len(lines), 4)] {
			add(value)
		}
		return tokens, nil
	}
	if m.cfg.Cookies != nil {
		for _, r := range m.apart(r) {
			value, err := m.plugged(r)
			if err != nil {
				return nil, err
			}
			add(value)
		}
		return tokens, nil
	}
	eachCookie(r, m.cookie+"=", func(_, value string) bool {
		add(value)
		return len(tokens) < 4
	})
	return tokens, nil
}

// crowd returns which of the user's sessions must end before one more begins,
// beside those in going and those of the families in over.
func (m *Manager) crowd(ctx context.Context, userID string, going []token, over []string) ([]store.Session, error) {
	list, err := m.cfg.Store.UserSessions(ctx, userID)
	if err != nil {
		return nil, err
	}
	for i := range going {
		id := going[i].id()
		list = slices.DeleteFunc(list, func(s store.Session) bool { return s.ID == id })
	}
	list = slices.DeleteFunc(list, func(s store.Session) bool { return slices.Contains(over, s.Family) })
	return m.crowded(list), nil
}

// crowded returns which of a user's sessions must end before one more begins.
func (m *Manager) crowded(list []store.Session) []store.Session {
	n := min(len(list)+1-m.cfg.MaxPerUser, maxCrowd)
	if n <= 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b store.Session) int { return a.SeenAt.Compare(b.SeenAt) })
	return list[:n]
}

// idsOf returns the IDs of sessions, and of the families that they are of.
func idsOf(list []store.Session) (ids, families []string) {
	for i := range list {
		ids = append(ids, list[i].ID)
		if list[i].Family != "" {
			families = append(families, list[i].Family)
		}
	}
	return ids, families
}

// give sends the browser its half of s. Stays says that what CarryOver lists of
// the app's own gorilla session, if that keeps it, does.
func (m *Manager) give(w http.ResponseWriter, r *http.Request, t *token, s *store.Session, now time.Time, stays bool) error {
	if _, ok := m.byHeader(r); ok {
		m.setHeader(w, t.text())
		return nil
	}
	if m.cfg.Cookies != nil {
		return m.plug(w, r, t.text(), m.remains(s, now), stays)
	}
	m.setCookie(w, m.cookie, t.text(), m.remains(s, now))
	return nil
}

// remains is how long the browser should keep its half of s. The store decides
// when the session is over.
func (m *Manager) remains(s *store.Session, now time.Time) time.Duration {
	return max(m.last(s).Sub(wall(now)), time.Second)
}

// sweepNow removes what is over, at times, beside the request.
func (m *Manager) sweepNow(ctx context.Context, now time.Time) {
	elapsed, due := int64(m.elapsed(now)), m.sweep.Load()
	if elapsed < due || !m.sweep.CompareAndSwap(due, elapsed+int64(sweepEvery)) {
		return
	}
	go func() {
		// Nobody waits for it: neither an error nor a panic of the store is
		// anyone's, and the next sweep does what this one did not.
		defer func() { _ = recover() }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepLimit)
		defer cancel()
		_ = m.cfg.Store.DeleteExpired(ctx)
		if m.remembersElsewhere() {
			_ = m.cfg.Remembers.DeleteExpired(ctx)
		}
	}()
}

// clean makes s fit for a record that people are shown.
func clean(s string, limit int) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == utf8.RuneError {
			return -1
		}
		return c
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
