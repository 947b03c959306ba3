package provider

import (
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
	b := append(make([]byte, 0, 512), ep.AuthURL...)
	lead := byte('?')
	if strings.Contains(ep.AuthURL, "?") {
		lead = '&'
	}
	add := func(name, value string) {
		b = appendQuery(append(b, lead), name)
		b = appendQuery(append(b, '='), value)
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
		add("code_challenge", oauth2.S256ChallengeFromVerifier(verifier))
		add("code_challenge_method", "S256")
	}
	if len(g.params)+len(req.Params)+len(params) > 0 {
		extra := mergeParams(g.params, nil)
		for name, values := range req.Params {
			if !g.reserved(name) {
				extra[name] = values
			}
		}
		maps.Copy(extra, params)
		for _, name := range slices.Sorted(maps.Keys(extra)) {
			if values := extra[name]; len(values) > 0 {
				add(name, values[0])
			}
		}
	}
	if g.fragment != "" {
		b = append(append(b, '#'), g.fragment...)
	}
	return string(b), nil
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

// appendQuery escapes s for a query. A space becomes %20: in a query "+" means
// the same, but some services know only the one.
func appendQuery(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range []byte(s) {
		if unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
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
