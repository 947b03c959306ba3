package providertest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
)

// foreignDiscovery announces a service at the host that was asked.
func (s *Server) foreignDiscovery(r *request) *Answer {
	path, _ := cutWellKnown(r.URL.Path)
	issuer := r.base + path
	s.mu.Lock()
	s.issuers[r.Host] = issuer
	s.mu.Unlock()
	return r.answer(http.StatusOK, metadata(issuer, strings.TrimSuffix(issuer, "/"), nil))
}

// foreignAuthorize is an authorization endpoint of a service with words of its
// own for everything but state, nonce and PKCE.
func (s *Server) foreignAuthorize(r *request) *Answer {
	q := r.query
	if r.bad != nil || twice(q) != "" {
		return r.stop("The app's request is malformed.")
	}
	to := r.redirect()
	if !returnable(to) {
		return r.stop("The app's callback is not an https URL, nor on this machine.")
	}
	if strings.Contains(r.URL.RawQuery, url.QueryEscape(ClientSecret)) {
		return r.stop("The app sent its secret through the browser.")
	}
	post := q.Get("response_mode") == "form_post"
	s.mu.Lock()
	issuer := s.issuers[r.Host]
	s.mu.Unlock()
	if issuer == "" {
		issuer = r.base
	}
	g := &grant{
		client:    r.clientID(),
		scopes:    strings.FieldsFunc(q.Get("scope"), func(c rune) bool { return strings.ContainsRune(" ,+|;", c) }),
		redirect:  to,
		challenge: q.Get("code_challenge"),
		nonce:     q.Get("nonce"),
		issuer:    issuer,
		foreign:   true,
		sid:       secret("sid"),
	}
	return s.ask(r, question{
		app: g.client, to: to, scopes: g.scopes, hint: q.Get("login_hint"),
		yes: func(r *request, person map[string]any) *Answer {
			g.person, g.authTime = person, s.authTime(q)
			return r.about(person, r.back(to, post, url.Values{"code": {s.issueCode(g)}, "state": {q.Get("state")}}))
		},
		no: func(r *request, code string) *Answer {
			return r.back(to, post, url.Values{"error": {code}, "state": {q.Get("state")}})
		},
	})
}

// foreignToken trades a code or a refresh token, wherever in the request it is.
func (s *Server) foreignToken(r *request) *Answer {
	if r.bad != nil || twice(r.form) != "" || twice(r.query) != "" {
		return r.refuse(http.StatusBadRequest, "invalid_request", "the request is malformed")
	}
	code, refresh, _ := s.find(r.values())
	client := r.clientID()
	if client == "" || r.wrongSecret() {
		return r.refuse(http.StatusUnauthorized, "invalid_client", "unknown client, or a wrong secret")
	}
	if code == "" {
		g := s.rotate(refresh, client)
		if g == nil {
			return r.refuse(http.StatusBadRequest, "invalid_grant", "the code or refresh token is unknown, used or withdrawn")
		}
		return s.give(r, g, g.scopes, true, "")
	}
	g := s.redeem(code)
	if g == nil {
		return r.refuse(http.StatusBadRequest, "invalid_grant", "the code is used or too old")
	}
	verifier := first(r.query, r.form, "code_verifier", "codeVerifier")
	to := r.redirect()
	switch {
	case g.client != client:
		return r.refuse(http.StatusBadRequest, "invalid_grant", "the code is another client's")
	case to != "" && to != g.redirect:
		return r.refuse(http.StatusBadRequest, "invalid_grant", "the callback differs from the authorization request's")
	case g.challenge != "" && challenge(verifier) != g.challenge:
		return r.refuse(http.StatusBadRequest, "invalid_grant", "code_verifier is wrong")
	}
	return s.give(r, g, g.scopes, true, g.nonce)
}

// wrongSecret reports whether a request holds a secret that is not the app's.
// Some services want none, and Apple wants a signed one, which only a test of
// that provider can judge.
func (r *request) wrongSecret() bool {
	wrong := func(v string) bool {
		return v != "" && strings.Count(v, ".") != 2 && subtle.ConstantTimeCompare([]byte(v), []byte(ClientSecret)) != 1
	}
	if _, password, ok := r.BasicAuth(); ok && wrong(unquery(password)) {
		return true
	}
	for _, values := range []url.Values{r.query, r.form} {
		for name, list := range values {
			if strings.Contains(strings.ToLower(name), "secret") && wrong(list[0]) {
				return true
			}
		}
	}
	return false
}

func (s *Server) foreignRevoke(r *request) *Answer {
	_, refresh, token := s.find(r.values())
	for _, t := range []string{refresh, token} {
		if t != "" {
			s.drop(t, ClientID)
			s.drop(t, PublicClientID)
		}
	}
	return r.answer(http.StatusOK, nil)
}

// foreignUserinfo tells whoever brings an access token all that the profile
// says: scopes have names of the service's own.
func (s *Server) foreignUserinfo(r *request) *Answer {
	_, _, token := s.find(r.values())
	a := s.holder(token)
	if a == nil {
		return r.challenge(http.StatusUnauthorized, "invalid_token", "the access token is unknown, expired or withdrawn")
	}
	return r.about(a.person, r.answer(http.StatusOK, a.person))
}
