package session

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// findCookie returns the first cookie of that name, and how many there are, two
// at most. Request.Cookie would allocate, and take the first of two in silence.
func findCookie(r *http.Request, name string) (value string, n int) {
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			if line[0] == ' ' || line[0] == '\t' {
				line = line[1:]
				continue
			}
			ours := len(line) > len(name) && line[len(name)] == '=' && line[:len(name)] == name
			pair := line
			if i := strings.IndexByte(line, ';'); i >= 0 {
				pair, line = line[:i], line[i+1:]
			} else {
				line = ""
			}
			if !ours {
				continue
			}
			if n++; n == 2 {
				return value, n
			}
			value = strings.TrimRight(pair[len(name)+1:], " \t")
		}
	}
	return value, n
}

// eachCookie calls f with each cookie whose name begins with prefix, until f
// returns false.
func eachCookie(r *http.Request, prefix string, f func(name, value string) bool) {
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if pair = strings.Trim(pair, " \t"); !strings.HasPrefix(pair, prefix) {
				continue
			}
			if name, value, ok := strings.Cut(pair, "="); ok && !f(name, value) {
				return
			}
		}
	}
}

// noStore is shared between answers: nothing can be appended to it in place.
var noStore = []string{"no-store"}[:1:1]

// setCookie sets a cookie in place of any of that name that the answer sets
// already, and keeps the answer out of caches. Name and value are of letters
// that need no quoting.
func (m *Manager) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	var room [512]byte // for most; what is longer is no mistake
	m.setLine(w, name, append(begun(room[:0], name), value...), life)
}

// setSealed is setCookie for what seal returned.
func (m *Manager) setSealed(w http.ResponseWriter, name string, sealed []byte, life time.Duration) {
	var room [512]byte
	m.setLine(w, name, b64.AppendEncode(begun(room[:0], name), sealed), life)
}

func begun(line []byte, name string) []byte { return append(append(line, name...), '=') }

// setLine sets the cookie of that name and value, and ends its line.
func (m *Manager) setLine(w http.ResponseWriter, name string, line []byte, life time.Duration) {
	h := w.Header()
	dropCookie(h, name)
	line = strconv.AppendInt(append(line, "; Path=/; Max-Age="...), seconds(life), 10)
	line = append(line, m.attributesOf(name)...)
	h["Set-Cookie"] = append(h["Set-Cookie"], string(line))
	h["Cache-Control"] = noStore
}

// expireCookie makes the browser forget a cookie of ours: the attributes must be
// those with which it was set.
func (m *Manager) expireCookie(w http.ResponseWriter, name string) {
	m.setCookie(w, name, "", 0)
}

// setBefore returns the value that the answer sets a cookie to so far.
func setBefore(h http.Header, name string) (value string, set bool) {
	for _, line := range h["Set-Cookie"] {
		if rest, ok := strings.CutPrefix(line, name); ok && strings.HasPrefix(rest, "=") {
			value, _, _ = strings.Cut(rest[1:], ";")
			set = true
		}
	}
	return value, set
}

// dropCookie takes back what the answer would set under that name.
func dropCookie(h http.Header, name string) {
	lines := h["Set-Cookie"]
	kept := lines[:0]
	for _, line := range lines {
		if len(line) > len(name) && line[len(name)] == '=' && line[:len(name)] == name {
			continue
		}
		kept = append(kept, line)
	}
	if len(kept) < len(lines) {
		clear(lines[len(kept):])
		if h["Set-Cookie"] = kept; len(kept) == 0 {
			delete(h, "Set-Cookie")
		}
	}
}

// seconds rounds up, so that what is still good for a moment is not expired.
func seconds(d time.Duration) int64 {
	return int64((max(d, 0) + time.Second - 1) / time.Second)
}
