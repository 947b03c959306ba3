package provider

import (
	"crypto/sha256"
	"encoding/base64"
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

// A front is what the authorization URLs of all logins begin with, as long as the
// service has one page and nothing further is asked for.
type front struct{ page, callback, text string }

// authURL returns the page to send the browser to. Params come from the engine
// and win over those of the definition, the options and the request, of which
// the protocol's own are dropped. Verifier and nonce are "" where the service
// takes none.
//
// It is written by hand: a login begins far more often than it ends, and anybody
// can make one begin.
func (g *grant) authURL(ep oauth2.Endpoint, req Request, scopes []string, params url.Values, verifier, nonce string) (string, error) {
	if req.State == "" || req.CallbackURL == "" {
		return "", newError(g.info, "begin", reasonRequest, errors.New("it needs a state and a callback URL"))
	}
	if ep.AuthURL == "" {
		return "", newError(g.info, "begin", reasonConfig, errors.New("there is no authorization URL"))
	}
	var room [512]byte // for most; what is longer is no mistake
	b := room[:0]
	if len(req.Scopes)+len(req.Params)+len(params) > 0 {
		b = g.appendFront(b, ep, req, scopes, params)
	} else {
		f := g.front.Load()
		if f == nil || f.page != ep.AuthURL || f.callback != req.CallbackURL {
			f = &front{ep.AuthURL, req.CallbackURL, string(g.appendFront(nil, ep, req, scopes, nil))}
			g.front.Store(f)
		}
		b = append(b, f.text...)
	}
	b = appendParam(b, "state", req.State)
	if verifier != "" {
		b = append(b, "&code_challenge_method=S256&code_challenge="...)
		b = appendChallenge(b, verifier)
	}
	if nonce != "" {
		b = append(append(b, "&nonce="...), nonce...) // base64url
	}
	if g.fragment != "" {
		b = append(append(b, '#'), g.fragment...)
	}
	return string(b), nil
}

// appendFront appends all that does not differ between two logins that ask for
// the same.
func (g *grant) appendFront(b []byte, ep oauth2.Endpoint, req Request, scopes []string, params url.Values) []byte {
	b = append(b, ep.AuthURL...)
	if strings.Contains(ep.AuthURL, "?") {
		b = append(b, '&')
	} else {
		b = append(b, '?')
	}
	clientID, redirectURI := g.words()
	b = append(b, "response_type=code"...)
	b = appendParam(b, clientID, g.clientID)
	b = appendParam(b, redirectURI, req.CallbackURL)
	if len(scopes) > 0 {
		b = appendParam(b, "scope", strings.Join(scopes, g.sep()))
	}
	if g.postsBack {
		b = appendParam(b, "response_mode", "form_post")
	}
	extra := make(url.Values)
	for _, m := range [...]url.Values{g.params, req.Params} {
		for name, values := range m {
			if !g.reserved(name) {
				extra[name] = values
			}
		}
	}
	maps.Copy(extra, params)
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if values := extra[name]; len(values) > 0 {
			b = appendParam(b, name, values[0])
		}
	}
	return b
}

func appendParam(b []byte, name, value string) []byte {
	b = appendQuery(append(b, '&'), name)
	return appendQuery(append(b, '='), value)
}

// appendChallenge appends that of the method S256 of RFC 7636 section 4.2.
func appendChallenge(b []byte, verifier string) []byte {
	var text [128]byte // of which no verifier has more
	sum := sha256.Sum256(text[:copy(text[:], verifier)])
	return base64.RawURLEncoding.AppendEncode(b, sum[:])
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
	done := 0
	for i := range len(s) {
		if c := s[i]; !unreserved(c) {
			b = append(append(b, s[done:i]...), '%', hex[c>>4], hex[c&15])
			done = i + 1
		}
	}
	return append(b, s[done:]...)
}

// unreserved is that of RFC 3986 section 2.3. It is asked about random text, of
// which no branch could be foretold: a set of bits has none.
func unreserved(c byte) bool {
	const (
		letters = 1<<26 - 1
		digits  = 1<<10 - 1
		low     = 1<<'-' | 1<<'.' | digits<<'0'
		high    = letters<<('A'-64) | 1<<('_'-64) | letters<<('a'-64) | 1<<('~'-64)
	)
	// A shift by 64 or more leaves nothing.
	return (uint64(low)>>c|uint64(high)>>(c-64))&1 != 0
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
