package session

import (
	"context"
	"maps"
	"net/http"
	"strings"
)

// answered returns r as the browser would send it once it had the answer so
// far: who was logged in, or out, or was given a key in this request has
// another now.
func (m *Manager) answered(w http.ResponseWriter, r *http.Request) *http.Request {
	name, value, set := "Cookie", "", false
	if _, ok := m.byHeader(r); ok {
		name = m.cfg.Header
		if lines := w.Header()[name]; len(lines) > 0 {
			value, set = lines[0], true
		}
	} else if value, set = setBefore(w.Header(), m.cookie); set {
		value = m.cookie + "=" + value
	}
	if !set {
		return r
	}
	after := r.WithContext(context.WithValue(r.Context(), lateKey{}, nil))
	after.Header = r.Header.Clone()
	after.Header[name] = []string{value}
	return after
}

// tell puts header into the answer, and returns r as it would be with the
// cookies that are set there.
func (m *Manager) tell(w http.ResponseWriter, r *http.Request, header http.Header) *http.Request {
	given := make(map[string]string)
	for _, line := range header["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		given[name] = value
	}
	var b strings.Builder
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(name + "=" + value)
	}
	eachCookie(r, "", func(name, value string) bool {
		if _, ok := given[name]; !ok {
			add(name, value)
		}
		return true
	})
	h := w.Header()
	for name, lines := range header {
		if name != "Set-Cookie" {
			h[name] = lines
			continue
		}
		for _, line := range lines {
			name, _, _ := strings.Cut(line, "=")
			dropCookie(h, name)
			h["Set-Cookie"] = append(h["Set-Cookie"], line)
			add(name, given[name])
		}
	}
	carrying := r.WithContext(r.Context())
	carrying.Header = maps.Clone(r.Header)
	carrying.Header["Cookie"] = []string{b.String()}
	return carrying
}

// A late is the session in which Restore lets a request be served whose browser
// has another key by now. Values are kept there: for those of a visitor, it would
// be given a key that takes the place of that one.
type late struct {
	m          *Manager
	id, userID string
}

type lateKey struct{}
