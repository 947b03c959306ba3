package middleware

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// maxReturnTo bounds return_to, which travels in a cookie.
const maxReturnTo = 1024

// ReturnTo returns where the request asks to go after login (its parameter
// return_to, in the URL or in a posted form), if that is a path of this app, and
// [Config.AfterLogin] otherwise. A multipart form counts only if the app has
// parsed it.
func (a *Auth) ReturnTo(r *http.Request) string {
	return a.returnTo(formValue(r, "return_to"))
}

// formValue is Request.FormValue, which would also read a multipart body,
// whatever the method and the size, and write its files to the disk.
func formValue(r *http.Request, name string) string {
	if r.Form == nil && r.Method == http.MethodGet {
		return queryValue(r.URL.RawQuery, name)
	}
	if r.Form == nil {
		_ = r.ParseForm() // what is no form has no value
	}
	return r.Form.Get(name)
}

// queryValue returns what url.ParseQuery would have under name, without a map
// for all of the query.
func queryValue(query, name string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if len(key) < len(name) || strings.Contains(pair, ";") {
			continue // what is escaped is never longer once it is read
		}
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			return value
		}
	}
	return ""
}

func (a *Auth) returnTo(s string) string {
	if clean, ok := a.cleanReturnTo(s); ok {
		return clean
	}
	return a.cfg.AfterLogin
}

// cleanReturnTo returns s written anew, if it is a path of this app to which a
// browser can be sent. It is asked when a login begins and again when it ends.
//
// Browsers and routers decode and clean paths differently, so that a path is
// refused if any reading of it, as it stands or decoded once or twice, could
// name another host or lie elsewhere than it seems.
func (a *Auth) cleanReturnTo(s string) (string, bool) {
	if s == "" || len(s) > maxReturnTo || s[0] != '/' {
		return "", false
	}
	p, clean := s, s
	if !onlyNames(s) {
		var ok bool
		if p, clean, ok = readPath(s); !ok || len(clean) > maxReturnTo {
			return "", false
		}
	}
	if a.base != "" && !under(a.base, p) {
		return "", false
	}
	if under(a.prefix, p) && p != a.prefix+"/account" {
		return "", false // a login that ends where logins begin is a loop
	}
	return clean, true
}

// onlyNames reports whether s is a path that has but one reading, such as most
// are: names of letters and digits without a dot, a percent sign or a query.
func onlyNames(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_':
		case c == '/' && (i == 0 || s[i-1] != '/'):
		default:
			return false
		}
	}
	return true
}

// readPath returns the path of s, and s written anew, if all readings agree that
// it is a path.
func readPath(s string) (p, clean string, ok bool) {
	if !utf8.ValidString(s) || oddPath(s) {
		return "", "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", "", false
	}
	clean = u.EscapedPath()
	for reading, i := clean, 0; ; i++ {
		if !strings.HasPrefix(reading, "/") || strings.Contains(reading, "//") || oddPath(reading) || dotted(reading) {
			return "", "", false
		}
		if i == 2 {
			break
		}
		if reading, err = url.PathUnescape(reading); err != nil {
			break // nobody can read it a second time
		}
	}
	if u.RawQuery != "" {
		clean += "?" + asciiQuery(u.RawQuery)
	}
	return u.Path, clean, true
}

// under reports whether p is base or a path below it.
func under(base, p string) bool {
	rest, ok := strings.CutPrefix(p, base)
	return ok && (rest == "" || rest[0] == '/')
}

// oddPath reports a backslash, which browsers take for a slash, or a control
// character, which they drop.
func oddPath(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool {
		return c == '\\' || c < 0x20 || c >= 0x7f && c < 0xa0
	})
}

// dotted reports a segment that is "." or "..".
func dotted(p string) bool {
	for seg := range strings.SplitSeq(p, "/") {
		if seg == "." || seg == ".." {
			return true
		}
	}
	return false
}

// asciiQuery escapes what does not belong in a query, byte by byte.
func asciiQuery(q string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(q) {
		switch c := q[i]; {
		case c <= 0x20 || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '#':
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// here returns the path and query that stand in the browser's address bar, as
// a return_to, or AfterLogin. The request's own URL may have lost a prefix to
// http.StripPrefix, and BaseURL's path to a proxy.
func (a *Auth) here(r *http.Request) string {
	u := r.URL
	if r.RequestURI != "" {
		if parsed, err := url.ParseRequestURI(r.RequestURI); err == nil {
			u = parsed
		}
	}
	p := u.EscapedPath()
	if a.base != "" && !under(a.base, p) {
		p = a.base + p
	}
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return a.returnTo(p)
}

// route returns the part of the request's path below Config.Path, such as
// "login/github", and whether there is one: wherever Handler is mounted, and
// whatever a proxy or http.StripPrefix took away.
func (a *Auth) route(r *http.Request) string {
	p := r.URL.Path
	for _, prefix := range []string{a.prefix, a.cfg.Path} {
		if under(prefix, p) {
			p = p[len(prefix):]
			break
		}
	}
	return strings.TrimPrefix(p, "/")
}

// own reports whether the request is for a route of Handler at its full path.
// A path that a router might read as another one, cleaned or with an escaped
// slash in a name, is none: whoever lets it through would let it through to
// another page. Nor is one that only http.StripPrefix made look like a route.
func (a *Auth) own(r *http.Request) bool {
	if r.URL.RawPath != "" || !a.atPrefix(r.URL.Path) {
		return false
	}
	if r.RequestURI != "" {
		u, err := url.ParseRequestURI(r.RequestURI)
		if err != nil || u.EscapedPath() != u.Path || !a.atPrefix(u.Path) {
			return false
		}
	}
	name, arg, _ := strings.Cut(a.route(r), "/")
	rt, ok := routes[name]
	return ok && (arg != "") == rt.arg || ok && name == "login" && arg == ""
}

// atPrefix reports whether p begins with Config.Path, below BaseURL's path or
// where a proxy or http.StripPrefix has taken that away.
func (a *Auth) atPrefix(p string) bool {
	return (strings.HasPrefix(p, a.prefix+"/") || strings.HasPrefix(p, a.cfg.Path+"/")) && path.Clean(p) == p
}
