package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"time"
)

const (
	familySize   = 16
	familyText   = 22
	familyBegan  = 6 // bytes of a family's ID that say when it began
	rememberText = 86
)

// A rememberToken is the browser's half of a store.Remembered: the ID of one of
// our secrets, the family's ID, 32 bytes that change whenever it is used, and a
// mark made with our secret. Only the 32 bytes restore anyone; the mark keeps
// forgeries from costing a query, and from ending a family that someone knows
// the ID of.
type rememberToken [1 + familySize + randomSize + markSize]byte

// newRememberToken begins a family. Its ID says when, so that a session of the
// family is known to be over with it without a query.
func newRememberToken(k *keys, now time.Time) rememberToken {
	var t rememberToken
	rand.Read(t[1 : 1+familySize+randomSize]) // never fails
	var began [8]byte
	binary.BigEndian.PutUint64(began[:], uint64(now.UnixMilli()))
	copy(t[1:], began[8-familyBegan:])
	t.markWith(k)
	return t
}

// body is what of t is not about the secret that it is marked with.
func (t *rememberToken) body() []byte { return t[1 : 1+familySize+randomSize] }

// family is the ID of the store.Remembered that t is of.
func (t *rememberToken) family() string { return b64.EncodeToString(t[1 : 1+familySize]) }

func (t *rememberToken) text() string { return b64.EncodeToString(t[:]) }

// validator is what the store holds of t. A copy of the table restores nobody.
func (t *rememberToken) validator() []byte {
	sum := sha256.Sum256(append([]byte("gatepass remembered v1\x00"), t.body()...))
	return sum[:]
}

func (t *rememberToken) markWith(k *keys) {
	t[0] = k.rememberKid
	copy(t[1+familySize+randomSize:], k.rememberMarkOf(t))
}

func (k *keys) rememberMarkOf(t *rememberToken) []byte {
	return hmacOf(k.rememberMark[:], t[:1+familySize+randomSize])[:markSize]
}

func hmacOf(key, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}

// heirs returns the token that takes t's place when it is used, and the key of
// the session that begins then. Requests that a browser sends at once, with one
// t, reach the same two in whatever process, and so does one that is sent again
// because the answer was lost.
func (k *keys) heirs(t *rememberToken, first *keys) (next rememberToken, s token) {
	copy(next[1:], t[1:1+familySize])
	copy(next[1+familySize:], hmacOf(k.rememberNext[:], t.body()))
	next.markWith(first)
	copy(s[1:], hmacOf(k.rememberSession[:], t.body()))
	s.markWith(first)
	return next, s
}

// parseRemembered decodes s, and returns the index of the secret that it is
// marked with, or -1 if it is none of ours.
func (m *Manager) parseRemembered(s string, t *rememberToken) int {
	if len(s) != rememberText {
		return -1
	}
	// The decoder skips newlines, so that its count must be compared.
	if n, err := b64.Decode(t[:], []byte(s)); err != nil || n != len(t) {
		return -1
	}
	for i, k := range m.keys {
		if k.rememberKid == t[0] && equal(k.rememberMarkOf(t), t[1+familySize+randomSize:]) {
			return i
		}
	}
	return -1
}

// heldRemembered returns the remember tokens of ours that the request has: one,
// but for a browser in which someone put another.
func (m *Manager) heldRemembered(r *http.Request) []rememberToken {
	if _, ok := m.byHeader(r); ok || m.cfg.Remembers == nil {
		return nil
	}
	var held []rememberToken
	eachCookie(r, m.rememberCookie+"=", func(_, value string) bool {
		var t rememberToken
		if m.parseRemembered(value, &t) >= 0 {
			held = append(held, t)
		}
		return len(held) < 4
	})
	return held
}

// familyEnd returns when the family with that ID is over, however much its
// browser is used, and false if no family ends.
func (m *Manager) familyEnd(id string) (time.Time, bool) {
	if m.cfg.Remember <= 0 || len(id) != familyText {
		return time.Time{}, false
	}
	b, err := b64.DecodeString(id)
	if err != nil || len(b) != familySize {
		return time.Time{}, false
	}
	var began [8]byte
	copy(began[8-familyBegan:], b)
	return time.UnixMilli(int64(binary.BigEndian.Uint64(began[:]))).UTC().Add(m.cfg.Remember), true
}
