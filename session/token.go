package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
)

const (
	tokenText  = 64 // characters, no spare bits: a token is spelled in one way only
	randomSize = 32
	markSize   = 15
)

// b64 refuses what another encoder would not have made.
var b64 = base64.RawURLEncoding.Strict()

// A token is the browser's half of a session: the ID of a secret, 32 random
// bytes, and a mark made with that secret. The random bytes are what logs
// someone in; the mark keeps forgeries from costing a query.
type token [1 + randomSize + markSize]byte

func newToken(k *keys) token { return newTokenOf(k, ofSession) }

func newTokenOf(k *keys, of kind) token {
	var t token
	rand.Read(t[1 : 1+randomSize]) // never fails
	t.markAs(k, of)
	return t
}

func (t *token) random() *[randomSize]byte { return (*[randomSize]byte)(t[1 : 1+randomSize]) }

func (t *token) text() string {
	var text [tokenText]byte // EncodeToString would allocate it as well
	b64.Encode(text[:], t[:])
	return string(text[:])
}

// markWith makes t one of k, with the same random bytes.
func (t *token) markWith(k *keys) { t.markAs(k, ofSession) }

func (t *token) markAs(k *keys, of kind) {
	t[0] = k.marker[of].kid
	m := k.marker[of].markOf(t)
	copy(t[1+randomSize:], m[:])
}

// markOf is a hash of one block with the key in front. The input's length never
// varies and the output is cut, so that it cannot be extended; an HMAC would
// take twice as long for every forgery.
func (k *marker) markOf(t *token) [markSize]byte {
	var b [len(k.mark) + 1 + randomSize]byte
	copy(b[:], k.mark[:])
	b[len(k.mark)] = k.kid
	copy(b[len(k.mark)+1:], t[1:1+randomSize])
	sum := sha256.Sum256(b[:])
	return [markSize]byte(sum[:markSize])
}

// id is what the store holds of t.
func (t *token) id() string {
	const prefix = "gatepass session id v1\x00"
	var b [len(prefix) + randomSize]byte
	copy(b[:], prefix)
	copy(b[len(prefix):], t[1:1+randomSize])
	sum := sha256.Sum256(b[:])
	var text [43]byte
	b64.Encode(text[:], sum[:])
	return string(text[:])
}

// parseToken decodes s and reports whether it may be a token of someone who is
// logged in, of one of the secrets. Its mark is yet to be compared.
func (m *Manager) parseToken(s string, t *token) bool { return m.parse(s, t, ofSession) }

// signer returns the index of the secret that t is marked with, or -1.
func (m *Manager) signer(t *token) int { return m.signerOf(t, ofSession) }

func (m *Manager) parse(s string, t *token, of kind) bool {
	if len(s) != tokenText {
		return false
	}
	var src [tokenText]byte
	copy(src[:], s)
	// The decoder skips newlines, so that its count must be compared.
	if n, err := b64.Decode(t[:], src[:]); err != nil || n != len(t) {
		return false
	}
	for _, k := range m.keys {
		if k.marker[of].kid == t[0] {
			return true
		}
	}
	return false
}

func (m *Manager) signerOf(t *token, of kind) int {
	for i, k := range m.keys {
		k := &k.marker[of]
		if k.kid != t[0] {
			continue
		}
		if mark := k.markOf(t); equal(mark[:], t[1+randomSize:]) {
			return i
		}
	}
	return -1
}

// read finds what may be the request's token. Its error means that
// Config.Cookies failed.
func (m *Manager) read(r *http.Request, t *token) (bool, error) {
	value, err := m.half(r)
	return err == nil && m.parseToken(value, t), err
}

// half returns what the browser keeps, or "", also if it sends more than one.
func (m *Manager) half(r *http.Request) (string, error) {
	if lines, ok := m.byHeader(r); ok {
		if len(lines) != 1 {
			return "", nil
		}
		return lines[0], nil
	}
	value, n := findCookie(r, m.cookie)
	if n > 1 {
		return "", nil // whose is it?
	}
	if m.cfg.Cookies != nil {
		return m.plugged(r)
	}
	return value, nil
}

// equal compares what is secret, in a time that does not depend on it.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
