package provider

import (
	"crypto/sha256"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// reservedParams belong to the protocol: who could set one of them could undo
// its protection.
var reservedParams = [...]string{
	"client_id", "client_secret", "code_challenge", "code_challenge_method", "nonce", "redirect_uri",
	"request", "request_uri", "response_mode", "response_type", "scope", "state",
}

func (g *grant) reserved(name string) bool {
	return slices.Contains(reservedParams[:], name) || name == g.clientIDAs || name == g.dialect.Names["redirect_uri"]
}

// authURL returns the page to send the browser to. Params come from the engine
// and win over those of the definition, the options and the request; those of
// the request that are the protocol's own are dropped. Verifier is "" without
// PKCE.
func (g *grant) authURL(ep oauth2.Endpoint, req Request, scopes []string, params url.Values, verifier string) (string, error) {
	if req.State == "" || req.CallbackURL == "" {
		return "", newError(g.info, "begin", reasonRequest, errors.New("it needs a state and a callback URL"))
	}
	if ep.AuthURL == "" {
		return "", newError(g.info, "begin", reasonConfig, errors.New("there is no authorization URL"))
	}
	// Written by hand: a login begins far more often than it ends, and anybody
	// can make one begin.
	var b strings.Builder
	b.Grow(768)
	b.WriteString(ep.AuthURL)
	lead := byte('?')
	if strings.Contains(ep.AuthURL, "?") {
		lead = '&'
	}
	add := func(name, value string) {
		b.WriteByte(lead)
		writeQuery(&b, name)
		b.WriteByte('=')
		writeQuery(&b, value)
		lead = '&'
	}
	clientID, redirectURI := g.words()
	add("response_type", "code")
	add(clientID, g.clientID)
	add(redirectURI, req.CallbackURL)
	if len(scopes) > 0 {
		add("scope", strings.Join(scopes, g.sep()))
	}
	add("state", req.State)
	if verifier != "" {
		add("code_challenge", challenge(verifier))
		add("code_challenge_method", "S256")
	}
	extra := params
	if len(g.params)+len(req.Params) > 0 {
		extra = mergeParams(g.params, nil)
		for name, values := range req.Params {
			if !g.reserved(name) {
				extra[name] = values
			}
		}
		maps.Copy(extra, params)
	}
	var room [8]string
	names := room[:0]
	for name := range extra {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if values := extra[name]; len(values) > 0 {
			add(name, values[0])
		}
	}
	if g.fragment != "" {
		b.WriteByte('#')
		b.WriteString(g.fragment)
	}
	return b.String(), nil
}

// challenge is the method S256 of RFC 7636 section 4.2.
func challenge(verifier string) string {
	var b [128]byte // of which no verifier has more
	return base64Text(sha256.Sum256(b[:copy(b[:], verifier)]))
}

// words returns the service's names for two parameters of the authorization URL.
func (g *grant) words() (clientID, redirectURI string) {
	clientID, redirectURI = "client_id", "redirect_uri"
	if g.clientIDAs != "" {
		clientID = g.clientIDAs
	}
	if word := g.dialect.Names["redirect_uri"]; word != "" {
		redirectURI = word
	}
	return clientID, redirectURI
}

// writeQuery escapes s for a query. A space becomes %20: in a query "+" means
// the same, but some services know only the one.
func writeQuery(b *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	done := 0
	for i := range len(s) {
		if c := s[i]; !unreserved(c) {
			b.WriteString(s[done:i])
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			done = i + 1
		}
	}
	b.WriteString(s[done:])
}

// unreserved is that of RFC 3986 section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// validVerifier reports whether s is what RFC 7636 section 4.1 allows.
func validVerifier(s string) bool {
	for _, c := range []byte(s) {
		if !unreserved(c) {
			return false
		}
	}
	return len(s) >= 43 && len(s) <= 128
}
