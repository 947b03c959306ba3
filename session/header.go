package session

import (
	"net/http"
	"slices"
	"strings"
)

const maxHeader = 64

// byHeader reports whether a request's session travels in Config.Header, and
// returns the lines of it. No cookie is looked at then, or set: other sites can
// make a browser send a cookie, and a request that can be forged in this way
// must not count because a header stands beside it.
func (m *Manager) byHeader(r *http.Request) (lines []string, ok bool) {
	if m.cfg.Header == "" {
		return nil, false
	}
	lines, ok = r.Header[m.cfg.Header]
	return lines, ok
}

// setHeader gives the client its half of a session. Empty, it tells the client
// to drop what it has.
func (m *Manager) setHeader(w http.ResponseWriter, value string) {
	h := w.Header()
	h[m.cfg.Header] = []string{value}
	h.Set("Cache-Control", "no-store")
}

func (cfg *Config) checkHeader(wrong func(format string, args ...any)) {
	name := strings.ToLower(cfg.Header)
	switch {
	case name == "":
	case len(name) > maxHeader || strings.ContainsFunc(name, notToken):
		wrong("Header: want at most %d letters, digits and hyphens, as in a header's name", maxHeader)
	case name == "authorization":
		wrong(`Header: want one of your own, such as "X-Session": in Authorization stands a scheme before the key, and proxies give it a meaning of theirs`)
	case takenHeader(name):
		wrong(`Header: want one of your own, such as "X-Session"; %s has a meaning already`, http.CanonicalHeaderKey(name))
	}
}

// takenHeader reports whether browsers, proxies or servers give a header of that
// name a meaning, so that a key in it is lost or goes elsewhere. Other sites can
// have a browser send some of them without asking.
func takenHeader(name string) bool {
	for _, prefix := range [...]string{"sec-", "proxy-", "access-control-", "accept", "content-", "if-", "x-forwarded-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"age", "allow", "alt-svc", "authentication-info", "cache-control", "clear-site-data", "connection", "cookie", "cookie2", "date", "dnt",
		"etag", "expect", "expires", "forwarded", "from", "host", "http2-settings", "keep-alive", "last-modified", "link", "location",
		"max-forwards", "origin", "pragma", "purpose", "range", "referer", "refresh", "retry-after", "server", "set-cookie", "set-cookie2",
		"strict-transport-security", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
		"www-authenticate", "x-real-ip", "x-requested-with",
	}, name)
}
