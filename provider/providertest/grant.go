package providertest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	codeLife   = time.Minute
	accessLife = time.Hour
	idLife     = 5 * time.Minute
	pageLife   = 10 * time.Minute
)

// A grant is what one person allowed in one login.
type grant struct {
	client      string
	person      map[string]any
	scopes      []string
	redirect    string // as in the authorization request
	challenge   string // of PKCE
	nonce       string
	issuer      string
	foreign     bool
	plain       bool
	sid         string
	authTime    time.Time
	expires     time.Time // of the code
	used        bool      // the code
	revoked     bool
	current     string // the refresh token that works
	tokenSecret string // of OAuth 1.0a
}

// An access is an access token. It is kept when it works no more, so that a
// foreign request that carries it is known for what it is.
type access struct {
	*grant
	gone    bool
	scopes  []string
	expires time.Time
}

func (g *grant) has(scope string) bool { return slices.Contains(g.scopes, scope) }

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// issueCode keeps g under a new code.
func (s *Server) issueCode(g *grant) string {
	code := secret("code")
	g.expires = s.now().Add(codeLife)
	s.mu.Lock()
	s.codes[code] = g
	s.note(code)
	s.mu.Unlock()
	return code
}

// note keeps a secret for Run to look for. The caller holds s.mu.
func (s *Server) note(secret string) {
	if s.watching {
		s.given = append(s.given, secret)
	}
}

// redeem returns the grant of a code, once. Whoever brings a code a second time
// may have stolen it, so that what the first use gave is withdrawn
// (RFC 6749 section 4.1.2).
func (s *Server) redeem(code string) *grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.codes[code]
	if g == nil {
		return nil
	}
	if g.used {
		s.withdraw(g)
		return nil
	}
	g.used = true
	if g.revoked || s.now().After(g.expires) {
		return nil
	}
	return g
}

// rotate returns the grant of a refresh token that works, which then works no
// more. One that comes again withdraws the grant (RFC 9700 section 4.14).
func (s *Server) rotate(token, client string) *grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.refresh[token]
	if g == nil || g.revoked || g.client != client {
		return nil
	}
	if g.current != token {
		s.withdraw(g)
		return nil
	}
	g.current = ""
	return g
}

// withdraw ends everything that g allowed. The caller holds s.mu.
func (s *Server) withdraw(g *grant) {
	g.revoked = true
	for _, a := range s.access {
		if a.grant == g {
			a.gone = true
		}
	}
}

// issue gives out an access token and, if long, a refresh token.
func (s *Server) issue(g *grant, scopes []string, long bool) map[string]any {
	at := secret("access")
	answer := map[string]any{
		"access_token": at,
		"token_type":   "Bearer",
		"expires_in":   int(accessLife / time.Second),
		"scope":        strings.Join(scopes, " "),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(at)
	s.client = g.client
	s.access[at] = &access{grant: g, scopes: scopes, expires: s.now().Add(accessLife)}
	if long {
		g.current = secret("refresh")
		s.refresh[g.current] = g
		s.note(g.current)
		answer["refresh_token"] = g.current
	}
	return answer
}

// holder returns what an access token allows, or nil.
func (s *Server) holder(token string) *access {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.access[token]
	if a == nil || a.gone || a.revoked || !a.expires.IsZero() && s.now().After(a.expires) {
		return nil
	}
	return a
}

// client says which application sent a token or a revocation request. It has to
// name itself once: by HTTP Basic or in the body, never in both
// (RFC 6749 section 2.3).
func (r *request) client() (id string, refusal *Answer) {
	user, password, basic := r.BasicAuth()
	id, body := r.form.Get("client_id"), r.form.Get("client_secret")
	if r.Header.Get("Authorization") != "" && !basic {
		return "", r.refuse(http.StatusBadRequest, "invalid_request", "Authorization is not Basic")
	}
	if basic {
		if r.form.Has("client_secret") {
			return "", r.refuse(http.StatusBadRequest, "invalid_request", "the client authenticates in two ways at once")
		}
		// Both halves are form-encoded before they are joined (RFC 6749 section 2.3.1).
		u, err1 := url.QueryUnescape(user)
		p, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || id != "" && id != u {
			return "", r.unknownClient(basic)
		}
		id, body = u, p
	}
	switch {
	case id == PublicClientID && body == "" && !basic:
		return id, nil
	case id == ClientID && body == ClientSecret:
		return id, nil
	}
	return "", r.unknownClient(basic)
}

func (r *request) unknownClient(basic bool) *Answer {
	a := r.refuse(http.StatusUnauthorized, "invalid_client", "unknown client, or a wrong secret")
	if basic {
		a.Header.Set("WWW-Authenticate", `Basic realm="test service"`)
	}
	return a
}
