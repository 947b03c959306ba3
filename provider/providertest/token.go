package providertest

import (
	"net/http"
	"slices"
	"strings"
)

// token is the token endpoint.
func (s *Server) token(r *request) *Answer {
	if r.Method != http.MethodPost {
		return r.notAllowed("POST")
	}
	if a := r.formOnly(); a != nil {
		return a
	}
	client, refusal := r.client()
	if refusal != nil {
		return refusal
	}
	switch r.form.Get("grant_type") {
	case "authorization_code":
		return s.exchange(r, client)
	case "refresh_token":
		return s.renew(r, client)
	case "":
		return r.refuse(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	}
	return r.refuse(http.StatusBadRequest, "unsupported_grant_type", "want authorization_code or refresh_token")
}

// formOnly refuses a request whose parameters are not in a form, or stand in it
// twice. Parameters in the URL end up in logs.
func (r *request) formOnly() *Answer {
	switch {
	case r.bad != nil:
		return r.refuse(http.StatusBadRequest, "invalid_request", "the request is malformed")
	case len(r.query) > 0:
		return r.refuse(http.StatusBadRequest, "invalid_request", "parameters belong in the body")
	case !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/x-www-form-urlencoded"):
		return r.refuse(http.StatusBadRequest, "invalid_request", "want application/x-www-form-urlencoded")
	}
	if name := twice(r.form); name != "" {
		return r.refuse(http.StatusBadRequest, "invalid_request", name+" is given twice")
	}
	return nil
}

// exchange trades a code for tokens.
func (s *Server) exchange(r *request, client string) *Answer {
	code := r.form.Get("code")
	if code == "" {
		return r.refuse(http.StatusBadRequest, "invalid_request", "code is missing")
	}
	if !r.form.Has("redirect_uri") {
		return r.refuse(http.StatusBadRequest, "invalid_request", "redirect_uri is missing")
	}
	g := s.redeem(code)
	if g == nil {
		return r.refuse(http.StatusBadRequest, "invalid_grant", "the code is unknown, used or too old")
	}
	if why := g.fits(r, client); why != "" {
		return r.about(g.person, r.refuse(http.StatusBadRequest, "invalid_grant", why))
	}
	// OpenID Connect Core section 11: a refresh token is for those who ask for one.
	return s.give(r, g, g.scopes, g.plain || g.has("offline_access"), g.nonce)
}

// fits says why a token request does not belong to the login that g is of, or
// returns "".
func (g *grant) fits(r *request, client string) string {
	verifier := r.form.Get("code_verifier")
	switch {
	case g.client != client:
		return "the code is another client's"
	case g.plain != r.plain:
		return "the code is another endpoint's"
	case r.form.Get("redirect_uri") != g.redirect:
		return "redirect_uri differs from the authorization request's"
	case g.challenge == "" && r.form.Has("code_verifier"):
		// RFC 9700 section 2.1.1: somebody may have taken the challenge away.
		return "code_verifier without a code_challenge"
	case g.challenge != "" && verifier == "":
		return "code_verifier is missing"
	case g.challenge != "" && (!wellFormed(verifier) || challenge(verifier) != g.challenge):
		return "code_verifier is wrong"
	}
	return ""
}

// wellFormed reports whether a verifier is as RFC 7636 section 4.1 wants it.
func wellFormed(verifier string) bool {
	const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	return len(verifier) >= 43 && len(verifier) <= 128 && strings.Trim(verifier, unreserved) == ""
}

// renew trades a refresh token for new tokens.
func (s *Server) renew(r *request, client string) *Answer {
	token := r.form.Get("refresh_token")
	if token == "" {
		return r.refuse(http.StatusBadRequest, "invalid_request", "refresh_token is missing")
	}
	g := s.rotate(token, client)
	if g == nil {
		return r.refuse(http.StatusBadRequest, "invalid_grant", "the refresh token is unknown, used or withdrawn")
	}
	scopes := g.scopes
	if asked := strings.Fields(r.form.Get("scope")); len(asked) > 0 {
		for _, scope := range asked {
			if !g.has(scope) {
				return r.about(g.person, r.refuse(http.StatusBadRequest, "invalid_scope", "the person never allowed that"))
			}
		}
		scopes = asked
	}
	return s.give(r, g, scopes, true, "")
}

// give answers with tokens, and with an ID token if the app asked for one.
func (s *Server) give(r *request, g *grant, scopes []string, long bool, nonce string) *Answer {
	body := s.issue(g, scopes, long)
	if slices.Contains(g.scopes, "openid") && !g.plain {
		id, err := s.idToken(g, body["access_token"].(string), nonce)
		if err != nil {
			return r.answer(http.StatusInternalServerError, err.Error()+"\n")
		}
		s.mu.Lock()
		s.note(id)
		s.mu.Unlock()
		body["id_token"] = id
	}
	return r.about(g.person, r.answer(http.StatusOK, body))
}

// revokeToken withdraws a token (RFC 7009). One that nobody knows is withdrawn
// already.
func (s *Server) revokeToken(r *request) *Answer {
	if r.Method != http.MethodPost {
		return r.notAllowed("POST")
	}
	if a := r.formOnly(); a != nil {
		return a
	}
	client, refusal := r.client()
	if refusal != nil {
		return refusal
	}
	token := r.form.Get("token")
	if token == "" {
		return r.refuse(http.StatusBadRequest, "invalid_request", "token is missing")
	}
	s.drop(token, client)
	return r.answer(http.StatusOK, nil)
}

// drop withdraws a token of the client: a refresh token with all that came of
// it, an access token alone.
func (s *Server) drop(token, client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.refresh[token]; g != nil && g.client == client {
		s.withdraw(g)
	}
	if a := s.access[token]; a != nil && a.client == client {
		a.gone = true
	}
}
