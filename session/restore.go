package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// rememberGrace is for how long the token before may still be used, by requests
// that were sent at once with it, or again because the answer was lost.
const rememberGrace = 30 * time.Second

// restoreTries bounds how often Restore looks again because another request was
// quicker.
const restoreTries = 4

// ErrStolen means that a browser showed a remember token that was used before:
// it, or whoever used it, has stolen it. It is an [ErrNone]. Nothing tells the
// thief from the user, so that both are logged out, and the browser is
// remembered no more. [Error] says whose it was.
var ErrStolen = fmt.Errorf("%w: a remember token was used twice", ErrNone)

// errAgain is what a try of Restore returns to which another request was
// quicker.
var errAgain = errors.New("another request was quicker")

// Restore begins a session for a request for which Resolve has found none, if
// [Manager.BeginRemembered] remembered its browser. It returns the session, and
// the request as the browser will send the next: whatever looks for a session in
// it finds this one. Only Get and Save do so for a request that came too late to
// know the browser's key, which has another since. The session's AuthTime is zero,
// since nobody has proved who they are, until Reauthenticated.
//
// The error is ErrNone for a browser that is not remembered, and [ErrStolen],
// which is an ErrNone, for a token that was used before. Any other means that
// the store failed, which says nothing about who is asking; the browser is told
// nothing then, and may try again. It must be called before the answer is begun.
//
// Requests at the same time get the same session, and so does one that is sent
// again within 30 seconds. What is after that taken for theft may also be an
// answer that never arrived: its user has to log in.
func (m *Manager) Restore(w http.ResponseWriter, r *http.Request) (Found, *http.Request, error) {
	if _, ok := m.byHeader(r); ok || m.cfg.Remember <= 0 {
		return Found{}, r, ErrNone
	}
	value, n := findCookie(r, m.rememberCookie)
	if n != 1 {
		return Found{}, r, ErrNone // of two, whose is it?
	}
	return m.comeBack(w, r, value)
}

// comeBack is Restore for a browser that has that remember cookie.
func (m *Manager) comeBack(w http.ResponseWriter, r *http.Request, value string) (Found, *http.Request, error) {
	var t rememberToken
	i := m.parseRemembered(value, &t)
	if i < 0 {
		return Found{}, r, ErrNone // it may be of another app on the same host
	}
	before, err := m.held(r)
	if err != nil {
		return Found{}, r, &Error{Op: "restore", Reason: "cookies", Err: err}
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	c := &comeback{m: m, r: r, t: t, signer: m.keys[i], before: before, now: m.cfg.Now(), header: http.Header{}}
	f, err := c.restore(ctx)
	var e *Error
	switch {
	case errors.Is(err, ErrNone), err == nil:
	case !errors.As(err, &e):
		return Found{}, r, failed("restore", err)
	default:
		return Found{}, r, err
	}
	if c.over {
		m.expireCookie(w, m.rememberCookie)
	}
	if err != nil {
		return Found{}, r, err
	}
	m.sweepNow(ctx, c.now)
	if len(c.header) == 0 {
		return f, r.WithContext(context.WithValue(r.Context(), lateKey{}, late{m, f.Session.ID, f.Session.UserID})), nil
	}
	return f, m.tell(w, r, c.header), nil
}

// A comeback is a Restore under way.
type comeback struct {
	m      *Manager
	r      *http.Request
	t      rememberToken
	signer *keys // of t
	before []token
	now    time.Time

	header http.Header // of the answer, if it succeeds
	made   string      // ID of the session that was stored, if one was or may have been
	over   bool        // the browser's token is of no use any more
}

func (c *comeback) restore(ctx context.Context) (f Found, err error) {
	for range restoreTries {
		if f, err = c.try(ctx); !errors.Is(err, errAgain) {
			break
		}
	}
	if c.made == "" || err == nil && f.Session.ID == c.made {
		return f, err
	}
	if endErr := c.takeBack(ctx, err); endErr != nil {
		return Found{}, endErr // never an ErrNone: nobody knows what is left
	}
	return f, err
}

// takeBack ends the session that was stored, after a Restore that led to none or
// to another.
//
// Of two requests that came while the secret was being changed, each may have
// stored a session: that of the token which was kept is the family's. Or it had
// a new key already when this request stored it once more. After a failure it
// stays, since the browser's token leads to it again; but if the family was ended
// meanwhile, so was the session, which must not be back because the browser did
// not wait. So this does not end with the request.
func (c *comeback) takeBack(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	if err != nil && !errors.Is(err, ErrNone) {
		_, goneErr := c.m.cfg.Remembers.Remembered(ctx, c.t.family())
		if !errors.Is(goneErr, store.ErrNotFound) {
			return nil
		}
	}
	return c.m.finish(ctx, c.made, nil)
}

func (c *comeback) try(ctx context.Context) (Found, error) {
	rec, u, err := c.recall(ctx)
	if err != nil {
		return Found{}, err
	}
	v := c.t.validator()
	isNow, wasOnce := equal(rec.Validator, v), equal(rec.Former, v)
	// Another machine's clock may be ahead of ours.
	age := c.now.Sub(rec.UsedAt)
	switch {
	case isNow:
		s, err := c.rotate(ctx, rec, v)
		return Found{Session: s, User: u}, err
	case wasOnce && -maxAhead <= age && age < rememberGrace:
		s, err := c.repeat(ctx, rec)
		return Found{Session: s, User: u}, err
	}
	if err := c.m.endFamily(ctx, rec.ID); err != nil {
		return Found{}, err
	}
	c.over = true
	return Found{}, &Error{Op: "restore", Reason: "stolen", UserID: rec.UserID, Err: ErrStolen}
}

// recall returns the family that the token is of and its user, or ErrNone if
// either is over.
func (c *comeback) recall(ctx context.Context) (*store.Remembered, *store.User, error) {
	over := func() (*store.Remembered, *store.User, error) {
		c.over = true
		return nil, nil, ErrNone
	}
	rec, err := c.m.cfg.Remembers.Remembered(ctx, c.t.family())
	if err == nil && rec == nil {
		err = errNil
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return over()
	case err != nil:
		return nil, nil, err
	case rec.ID != c.t.family() || !c.m.remembered(rec, c.now):
		return over()
	case c.m.cfg.Users == nil:
		return rec, nil, nil
	}
	u, err := c.m.cfg.Users.User(ctx, rec.UserID)
	if err == nil && u == nil {
		err = errNil
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return over()
	case err != nil:
		return nil, nil, err
	case u.ID != rec.UserID || u.Disabled:
		return over()
	}
	return rec, u, nil
}

// rotate begins the session and then gives the family its next token. In this
// order whatever fails in between can be done again with the same token, which
// leads to the same session: nobody is taken for a thief because a store failed.
func (c *comeback) rotate(ctx context.Context, rec *store.Remembered, v []byte) (*store.Session, error) {
	m := c.m
	next, key := c.signer.heirs(&c.t, m.keys[0])
	s := &store.Session{ID: key.id(), UserID: rec.UserID, Key: rec.Key, Issuer: rec.Issuer, SID: rec.SID, Family: rec.ID}
	m.describe(s, c.r, c.now)
	ends, families, err := m.predecessors(ctx, s, append(slices.Clone(c.before), key))
	if err != nil {
		return nil, err
	}
	values, err := m.inherit(ctx, s, c.before)
	if err != nil {
		return nil, err
	}
	if s, err = c.create(ctx, s); err != nil {
		return nil, err
	}
	if len(values) > 0 {
		// It has some already if another request was quicker.
		err := store.SwapSessionValues(ctx, m.cfg.Store, s.ID, nil, values)
		if err != nil && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	if err := m.forgetEach(ctx, families); err != nil {
		return nil, err
	}
	for _, id := range ends {
		if err := m.finish(ctx, id, nil); err != nil {
			return nil, err
		}
	}
	for i := range c.before {
		if id := c.before[i].id(); id != s.ID {
			if err := m.finish(ctx, id, &c.before[i]); err != nil {
				return nil, err
			}
		}
	}
	if err := c.give(&next, &key, s, rec); err != nil {
		return nil, err
	}
	renewed := *rec
	renewed.Former, renewed.Validator, renewed.UsedAt = v, next.validator(), wall(c.now)
	renewed.UserAgent, renewed.IP = s.UserAgent, s.IP
	err = m.cfg.Remembers.SwapRemembered(ctx, v, &renewed)
	switch {
	case errors.Is(err, store.ErrExists):
		clear(c.header)
		return nil, errAgain
	case errors.Is(err, store.ErrNotFound):
		c.over = true
		return nil, ErrNone // it was ended meanwhile
	case err != nil:
		return nil, err
	}
	return s, nil
}

// create stores s. It may be there already, by a request with the same token
// that came at the same time, or by one that was stopped halfway. If the store
// fails, s is not taken back: other requests may be using it, and the browser's
// token leads to it again.
func (c *comeback) create(ctx context.Context, s *store.Session) (*store.Session, error) {
	sessions := c.m.cfg.Store
	for range 2 {
		err := sessions.CreateSession(ctx, s)
		if !errors.Is(err, store.ErrExists) {
			c.made = s.ID // also if only the answer was lost
			return s, err
		}
		there, err := c.sibling(ctx, s.ID, s.Family, s.UserID)
		if there != nil || err != nil {
			return there, err
		}
		if err := c.m.finish(ctx, s.ID, nil); err != nil { // it is over, and yet to be swept
			return nil, err
		}
	}
	return nil, store.ErrExists
}

// sibling returns the live session with that ID if it is of that family and
// user, or nil.
func (c *comeback) sibling(ctx context.Context, id, family, userID string) (*store.Session, error) {
	s, err := c.m.cfg.Store.Session(ctx, id)
	if err == nil && s == nil {
		err = errNil
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case s.ID != id || s.Family != family || s.UserID != userID || !c.m.live(s, c.now):
		return nil, nil
	}
	return s, nil
}

// repeat answers a token that was used a moment ago as the first answer did. It
// begins no session: that one was stored before the token was swapped.
func (c *comeback) repeat(ctx context.Context, rec *store.Remembered) (*store.Session, error) {
	var s *store.Session
	var next rememberToken
	var key token
	// Whoever was first may have had another secret for the first one, or have
	// got the token when it bore another mark.
	for _, k := range c.m.keys {
		if next, key = k.heirs(&c.t, c.m.keys[0]); !equal(next.validator(), rec.Validator) {
			continue
		}
		var err error
		if s, err = c.sibling(ctx, key.id(), rec.ID, rec.UserID); err != nil {
			return nil, err
		}
		break
	}
	if s != nil && s.ID != c.made {
		return s, c.give(&next, &key, s, rec)
	}
	// The session has a new key since, or the token was made with a secret that
	// only others have. What the browser was given then is on its way, so that
	// this request is answered in the same session, and its cookies stay as they
	// are. It is not fresh, whatever the session is by now: the token proves no
	// more than it did.
	list, err := c.m.cfg.Store.UserSessions(ctx, rec.UserID)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if other := &list[i]; other.Family == rec.ID && other.ID != c.made && c.m.live(other, c.now) {
			other.AuthTime, other.Reauthed = time.Time{}, false
			return other, nil
		}
	}
	if s == nil {
		return nil, ErrNone
	}
	// This request stored the session, and another one was quicker to swap the
	// token.
	return s, c.give(&next, &key, s, rec)
}

// give puts the browser's halves into the answer.
func (c *comeback) give(next *rememberToken, key *token, s *store.Session, rec *store.Remembered) error {
	m, h := c.m, headerOnly{c.header}
	stays, err := m.plugStays(c.r, s, c.before)
	if err == nil {
		err = m.give(h, c.r, key, s, c.now, stays)
	}
	if err != nil {
		return &Error{Op: "restore", Reason: "cookies", Err: err}
	}
	m.setCookie(h, m.rememberCookie, next.text(), rec.CreatedAt.Add(m.cfg.Remember).Sub(c.now))
	return nil
}
