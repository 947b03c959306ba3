package session

import (
	"crypto/hmac"
	"crypto/sha256"
)

const csrfSize = 16

// CSRF returns a token that shows that a form is a page's of ours: it is of one
// session, and of the route that the form is sent to. A session's new key makes
// it worthless. There is none, "", without a session.
func (m *Manager) CSRF(sessionID, route string) string {
	if sessionID == "" {
		return ""
	}
	return m.keys[0].csrfToken(sessionID, route)
}

// ValidCSRF reports whether token is what [Manager.CSRF] returned for that
// session and route.
func (m *Manager) ValidCSRF(sessionID, route, token string) bool {
	if sessionID == "" {
		return false
	}
	for _, k := range m.keys {
		if equal([]byte(k.csrfToken(sessionID, route)), []byte(token)) {
			return true
		}
	}
	return false
}

func (k *keys) csrfToken(sessionID, route string) string {
	mac := hmac.New(sha256.New, k.csrf[:])
	mac.Write([]byte(sessionID + "\x00" + route))
	return b64.EncodeToString(mac.Sum(nil)[:csrfSize])
}
