package session

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

const (
	stateSize = 32
	stateText = 43

	flowLife    = 10 * time.Minute
	flowSkew    = time.Minute // how far another machine's clock may be ahead
	markLife    = flowLife + flowSkew
	maxFlows    = 5
	flowsBudget = 6000 // bytes of the Cookie header, with what is kept for flows; servers refuse more than 8 KB of it
	flowsOpened = 16
	flowsSeen   = 64
	roomSize    = 1024 // for what most flows are written and sealed in; more is no mistake

	flowNameText = 8 // characters, after the prefix
)

// A Flow is a login under way.
type Flow struct {
	Purpose   Purpose
	Provider  string
	State     string
	Memo      string // the provider's; at most 1,024 bytes
	ReturnTo  string // at most 1,024 bytes
	UserID    string // who was logged in when it began, if anyone
	SessionID string // and in which session; for Link and Reauth nobody else may finish it
	Began     time.Time

	Issuer      string // whom the callback must be from, if that was known
	CallbackURL string // where the service was told to return to
	Reauth      bool   // the service was asked to prove the person again
	Remember    bool   // the person wants the browser to be remembered
}

// Purpose is what a flow is for.
type Purpose uint8

const (
	Login  Purpose = iota + 1 // log in, or sign up
	Link                      // add an account to UserID; only a POST begins one
	Reauth                    // prove again that the person is UserID
)

// NewState returns an unguessable state: 43 characters that need no quoting in
// a URL.
func NewState() string {
	var b [stateSize]byte
	rand.Read(b[:]) // never fails
	var text [stateText]byte
	b64.Encode(text[:], b[:])
	return string(text[:])
}

// BeginFlow remembers f in the browser, sealed, for ten minutes. F.State is
// from [NewState]; BeginFlow sets f.Began. A browser has five flows at most, so
// that several tabs can log in at once: the oldest goes first.
func (m *Manager) BeginFlow(w http.ResponseWriter, r *http.Request, f Flow) error {
	now := m.cfg.Now()
	f.Began = now
	room := m.rooms.Get().(*[roomSize]byte)
	defer func() {
		clear(room[:])
		m.rooms.Put(room)
	}()
	plain, reason, err := f.encode(room[:0])
	if err != nil {
		return &Error{Op: "flow", Reason: reason, Err: err}
	}
	name := m.flowName(f.State)
	aad := m.flowAAD(plain[len(plain):], name)
	sealed, err := m.seal(aad[len(aad):], "flow", now, aad, plain)
	if err != nil {
		return &Error{Op: "flow", Reason: "too_long", Err: err}
	}
	m.makeRoom(w, r, now, name, size(name, b64.EncodedLen(len(sealed))))
	m.setSealed(w, name, sealed, flowLife)
	return nil
}

// size is what a cookie takes of the Cookie header.
func size(name string, value int) int { return len(name) + len("=; ") + value }

// makeRoom expires those of the browser's flows for which there is no room
// beside a new one of that size.
func (m *Manager) makeRoom(w http.ResponseWriter, r *http.Request, now time.Time, name string, used int) {
	type held struct {
		name  string
		size  int
		began time.Time
	}
	var flows []held
	seen := 0
	eachCookie(r, m.flowPrefix, func(other, value string) bool {
		switch seen++; {
		case other == name:
			return true // the new one takes its place
		case m.isPost(other):
			used += size(other, len(value)) // it takes room, and is no flow
			return true
		}
		if seen <= flowsOpened {
			if f, ok := m.openFlow(other, value, now); ok && !f.over(now) {
				flows = append(flows, held{other, size(other, len(value)), f.Began})
				return true
			}
		}
		if cookieName(other) {
			m.expireCookie(w, other)
		}
		return seen < flowsSeen
	})
	slices.SortFunc(flows, func(a, b held) int {
		return cmp.Or(b.began.Compare(a.began), cmp.Compare(a.name, b.name))
	})
	for i, f := range flows {
		if used += f.size; i+1 >= maxFlows || used > flowsBudget {
			m.expireCookie(w, f.name)
		}
	}
}

// cookieName reports whether name can stand in our answer as it is.
func cookieName(name string) bool {
	return len(name) <= 128 && !slices.ContainsFunc([]rune(name), notToken)
}

// EndFlow returns the flow with that state, marks it as used in the store and
// forgets it, or returns ErrFlow. Any other error means that the store failed:
// the flow is as it was. If it was used before, EndFlow returns the flow and
// ErrUsed. Errors are [*Error] and say more.
//
// Of two calls for one flow at once, one succeeds.
func (m *Manager) EndFlow(w http.ResponseWriter, r *http.Request, state string) (Flow, error) {
	fail := func(reason string) (Flow, error) {
		return Flow{}, &Error{Op: "callback", Reason: reason, Err: ErrFlow}
	}
	if reason := badState(state); reason != "" {
		return fail(reason)
	}
	now, name := m.cfg.Now(), m.flowName(state)
	value, n := findCookie(r, name)
	switch n {
	case 0:
		return fail("tx_missing")
	case 2:
		return fail("tx_duplicate")
	}
	f, ok := m.openFlow(name, value, now)
	if !ok || !equal([]byte(f.State), []byte(state)) || f.Began.After(now.Add(flowSkew)) {
		return fail("tx_invalid")
	}
	if f.over(now) {
		m.expireCookie(w, name)
		return fail("tx_expired")
	}
	err := m.cfg.Store.Mark(r.Context(), flowMark(state), f.Began.Add(markLife))
	switch {
	case errors.Is(err, store.ErrExists):
		m.expireCookie(w, name)
		return f, &Error{Op: "callback", Reason: "tx_used", Err: ErrUsed}
	case err != nil:
		return Flow{}, failed("callback", err)
	}
	m.expireCookie(w, name)
	return f, nil
}

// flowMark is what the store remembers of a flow that was used.
func flowMark(state string) string {
	const prefix = "gatepass flow mark v1\x00"
	var b [len(prefix) + stateText]byte
	sum := sha256.Sum256(append(append(b[:0], prefix...), state...))
	text := [2 + 43]byte{'f', ':'}
	b64.Encode(text[2:], sum[:])
	return string(text[:])
}

// EndFlows forgets every login under way in the browser, as a logout should.
func (m *Manager) EndFlows(w http.ResponseWriter, r *http.Request) {
	seen := 0
	for _, prefix := range [...]string{m.flowPrefix, m.postCookie + "="} {
		eachCookie(r, prefix, func(name, _ string) bool {
			if seen++; cookieName(name) {
				m.expireCookie(w, name)
			}
			return seen < flowsSeen
		})
	}
}

func badState(state string) (reason string) {
	if state == "" {
		return "state_missing"
	}
	if _, ok := decodeState(state); !ok {
		return "state_malformed"
	}
	return ""
}

func decodeState(state string) (b [stateSize]byte, ok bool) {
	if len(state) != stateText {
		return b, false
	}
	var text [stateText]byte
	copy(text[:], state)
	// The decoder skips newlines, so that its count must be compared.
	n, err := b64.Decode(b[:], text[:])
	return b, err == nil && n == stateSize
}

func (m *Manager) flowName(state string) string {
	const prefix = "gatepass flow name v1\x00"
	var b [len(prefix) + stateText]byte // for a state that has another length, more
	sum := sha256.Sum256(append(append(b[:0], prefix...), state...))
	var text [flowNameText]byte
	b64.Encode(text[:], sum[:6])
	return m.flowPrefix + string(text[:])
}

// flowAAD is what a flow is bound to. It uses the room of b, if that is enough.
func (m *Manager) flowAAD(b []byte, name string) []byte {
	b = append(append(b, "gatepass flow v1\x00"...), name...)
	return append(append(b, 0), m.cfg.Audience...)
}

func (m *Manager) openFlow(name, value string, now time.Time) (Flow, bool) {
	plain, ok := m.open("flow", now, m.flowAAD(nil, name), value)
	if !ok {
		return Flow{}, false
	}
	return decodeFlow(plain)
}

// over reports whether f began too long ago.
func (f Flow) over(now time.Time) bool { return now.Sub(f.Began) > flowLife }
