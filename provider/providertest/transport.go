package providertest

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// schemeHeader says which scheme a request was made for before it was sent here.
const schemeHeader = "X-Providertest-Scheme"

// Transport returns a RoundTripper that sends every request to s, whatever host
// it is for, so that a provider with fixed URLs can be tested:
//
//	p := catalog.GitHub(providertest.ClientID, providertest.ClientSecret,
//		provider.WithHTTPClient(&http.Client{Transport: srv.Transport()}))
//
// For a host not its own the Server tells by what a request carries, not by its
// path, what it is for: a code or a refresh token that the Server gave means
// the token endpoint, an access token means a profile ("userinfo"). It then
// checks client, code, redirect URI and verifier wherever they stand and
// whatever they are called. [Server.Alter] makes the answers look like the
// service's own.
func (s *Server) Transport() http.RoundTripper {
	return transport{to: s.Listener.Addr().String(), next: s.Client().Transport}
}

type transport struct {
	to   string
	next http.RoundTripper
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := r.Clone(r.Context())
	if c.Host == "" {
		c.Host = r.URL.Host
	}
	c.Header.Set(schemeHeader, r.URL.Scheme)
	c.URL.Scheme, c.URL.Host = "http", t.to
	resp, err := t.next.RoundTrip(c)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

// foreignRoute finds out what a request for another host is for.
func (s *Server) foreignRoute(r *request) route {
	path := strings.TrimSuffix(r.URL.Path, "/")
	if _, ok := cutWellKnown(path); ok {
		return route{"discovery", false, (*Server).foreignDiscovery}
	}
	if p, err := parseOAuth(r.Header.Get("Authorization")); err == nil && p["oauth_signature"] != "" {
		switch {
		case p["oauth_callback"] != "":
			return route{"request_token", true, (*Server).requestToken}
		case p["oauth_verifier"] != "":
			return route{"access_token", true, (*Server).accessToken}
		}
		return route{"userinfo", true, (*Server).user1}
	}
	if r.Method == http.MethodGet && s.temporary(r.query.Get("oauth_token")) {
		return route{"authorize", true, (*Server).authorize1}
	}
	if r.query.Has("post_logout_redirect_uri") {
		return route{"logout", false, (*Server).logout}
	}
	carried := r.values()
	code, refresh, token := s.find(carried)
	kind := first(r.query, r.form, "grant_type", "grantType")
	switch {
	case r.Method == http.MethodGet && code == "" && token == "" && r.redirect() != "" && r.clientID() != "":
		return route{"authorize", false, (*Server).foreignAuthorize}
	case endsIn(path, "/keys", "/certs", "/jwks", "/jwks.json", "/keys.json"):
		return route{"jwks", false, (*Server).jwks}
	case (refresh != "" || token != "") && revokes(path, r.Method):
		return route{"revoke", false, (*Server).foreignRevoke}
	case code != "" || refresh != "" || kind == "authorization_code" || kind == "refresh_token":
		return route{"token", false, (*Server).foreignToken}
	case token != "" || r.Header.Get("Authorization") != "":
		return route{"userinfo", false, (*Server).foreignUserinfo}
	}
	return route{"", false, (*Server).notFound}
}

func cutWellKnown(path string) (before string, ok bool) {
	for _, name := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		if before, ok = strings.CutSuffix(path, name); ok {
			return before, true
		}
		if after, ok := strings.CutPrefix(path, name); ok {
			return after, true // RFC 8414 puts it before the issuer's path
		}
	}
	return "", false
}

func endsIn(path string, ends ...string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(path, end) })
}

func revokes(path, method string) bool {
	path = strings.ToLower(path)
	return method == http.MethodDelete || strings.Contains(path, "revo") || strings.Contains(path, "invalidate") || strings.HasSuffix(path, "/token/delete")
}

// values is every text that a request carries, in whatever place.
func (r *request) values() []string {
	var all []string
	for _, v := range []url.Values{r.query, r.form} {
		for _, list := range v {
			all = append(all, list...)
		}
	}
	all = append(all, r.fields...)
	for _, list := range r.Header {
		for _, value := range list {
			all = append(all, value)
			scheme, rest, ok := strings.Cut(value, " ")
			if !ok {
				continue
			}
			all = append(all, rest)
			if b, err := base64.StdEncoding.DecodeString(rest); strings.EqualFold(scheme, "Basic") && err == nil {
				user, password, _ := strings.Cut(string(b), ":")
				all = append(all, unquery(user), unquery(password))
			}
		}
	}
	return all
}

func unquery(s string) string {
	if v, err := url.QueryUnescape(s); err == nil {
		return v
	}
	return s
}

// find returns those of the values that the Server gave out: a code, a refresh
// token, an access token.
func (s *Server) find(values []string) (code, refresh, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if s.codes[v] != nil {
			code = v
		}
		if s.refresh[v] != nil {
			refresh = v
		}
		if s.access[v] != nil {
			token = v
		}
	}
	return code, refresh, token
}

func (s *Server) temporary(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.temps[token] != nil
}

// clientID returns the application's name, whatever the service calls it.
func (r *request) clientID() string {
	for _, v := range r.values() {
		if v == ClientID || v == PublicClientID {
			return v
		}
	}
	return ""
}

// redirect returns the app's URL in an authorization or token request.
func (r *request) redirect() string {
	for _, v := range []url.Values{r.query, r.form} {
		for name, list := range v {
			name = strings.ToLower(name)
			if (strings.Contains(name, "redirect") || strings.Contains(name, "callback")) && strings.Contains(list[0], "://") {
				return list[0]
			}
		}
	}
	return ""
}

func first(query, form url.Values, names ...string) string {
	for _, name := range names {
		if v := form.Get(name); v != "" {
			return v
		}
		if v := query.Get(name); v != "" {
			return v
		}
	}
	return ""
}
