package middleware

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// site says where a request comes from, as far as it shows.
type site uint8

const (
	siteOwn     site = iota + 1 // the browser says: a page of this origin
	siteNone                    // the browser says: the person (typed, a bookmark, a mail app, reload)
	siteCross                   // the browser says: another site; or it contradicts itself
	siteLikely                  // an old browser whose Origin or Referer is this origin
	siteForeign                 // an old browser whose Origin or Referer is another, or null
	siteSilent                  // an old browser that says nothing
	siteMachine                 // no browser: there is nobody whose cookies could be misused
)

// site reads Fetch Metadata, else Origin, else Referer. It compares with
// BaseURL and never with Host, which a proxy may have changed.
func (a *Auth) site(r *http.Request) site {
	h := r.Header
	origin, hasOrigin := one(h, "Origin")
	if fetchSite, ok := one(h, "Sec-Fetch-Site"); ok {
		foreign := hasOrigin && origin != "null" && !a.sameOrigin(origin)
		switch {
		case fetchSite == "same-origin" && !foreign:
			return siteOwn
		case fetchSite == "none" && !foreign:
			return siteNone
		}
		return siteCross
	}
	if hasOrigin {
		if a.sameOrigin(origin) {
			return siteLikely
		}
		return siteForeign
	}
	if referer, ok := one(h, "Referer"); ok {
		if a.sameOrigin(referer) {
			return siteLikely
		}
		return siteForeign
	}
	if first(h, "Sec-Fetch-Mode") != "" || first(h, "Sec-Fetch-Dest") != "" || strings.HasPrefix(h.Get("User-Agent"), "Mozilla/") {
		return siteSilent
	}
	return siteMachine
}

// one returns a header's value and whether it was sent; one that is sent twice
// has a value that equals nothing.
func one(h http.Header, name string) (string, bool) {
	switch v := h[name]; len(v) {
	case 0:
		return "", false
	case 1:
		return v[0], true
	}
	return "\x00", true
}

func (a *Auth) sameOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && u.Scheme+"://"+canonicalHost(u.Scheme, u.Host) == a.origin
}

// prefetched reports a request that nobody has asked for yet.
func prefetched(r *http.Request) bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if v := strings.ToLower(first(r.Header, name)); strings.Contains(v, "prefetch") || strings.Contains(v, "prerender") {
			return true
		}
	}
	return false
}

// first is Header.Get for a name that is written as net/http writes it.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// pageLoad reports whether the request loads a page into a window, as far as
// Fetch Metadata tells; without it, it might.
func pageLoad(r *http.Request) bool {
	mode, dest := first(r.Header, "Sec-Fetch-Mode"), first(r.Header, "Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}

// verdict is what the guard has to say of a request.
type verdict uint8

const (
	refuse verdict = iota
	ask            // show a page with one button that says the same by POST
	allow
)

// guardStart judges a request that would begin a login. Someone who is logged
// in is asked first, unless the click was on a page of this app.
func (a *Auth) guardStart(r *http.Request, loggedIn bool) verdict {
	s := a.site(r)
	if r.Method == http.MethodPost {
		switch s {
		case siteOwn, siteNone, siteLikely, siteMachine:
			return allow
		case siteSilent:
			return ask
		}
		return refuse
	}
	if !pageLoad(r) {
		return refuse
	}
	switch s {
	case siteOwn, siteLikely:
		return allow
	case siteNone, siteMachine:
		if !loggedIn {
			return allow
		}
	}
	return ask
}

// guardLogout judges POST /logout.
func (a *Auth) guardLogout(r *http.Request, token bool) verdict {
	switch a.site(r) {
	case siteOwn, siteNone, siteLikely, siteMachine:
		return allow
	case siteSilent:
		if token {
			return allow
		}
		return ask
	}
	return refuse
}

// guardChange judges a POST that changes what a user owns.
func (a *Auth) guardChange(r *http.Request, token bool) verdict {
	switch a.site(r) {
	case siteOwn, siteLikely:
		return allow
	case siteSilent, siteMachine:
		if token {
			return allow
		}
	}
	return refuse
}

// wrongLoopback returns where to send a GET that came to another name of this
// machine than BaseURL has, or "". Cookies do not travel from 127.0.0.1 to
// localhost, so that a login begun there would never end. Elsewhere Host is
// ignored, and so it is at another port: that is a proxy's doing, which would
// send the request back here for ever.
func (a *Auth) wrongLoopback(r *http.Request) string {
	if !a.loopback || r.Method != http.MethodGet {
		return ""
	}
	scheme := a.origin[:strings.Index(a.origin, ":")]
	host := canonicalHost(scheme, r.Host)
	name, port := splitPort(host)
	if _, ours := splitPort(a.host); host == a.host || port != ours || !isLoopback(name) {
		return ""
	}
	to := a.prefix + "/" + a.route(r)
	if r.URL.RawQuery != "" {
		to += "?" + asciiQuery(r.URL.RawQuery)
	}
	return a.origin + to
}

func splitPort(host string) (name, port string) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		return h, p
	}
	return strings.Trim(host, "[]"), ""
}
