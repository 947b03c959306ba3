package providertest

import (
	"net/http"
	"slices"
	"strings"
)

// userinfo tells an app with an access token about the person: as claims, or in
// the plain flavour by names of the service's own.
func (s *Server) userinfo(r *request) *Answer {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return r.notAllowed("GET, POST")
	}
	token, refusal := r.bearer()
	if refusal != nil {
		return refusal
	}
	a := s.holder(token)
	if a == nil {
		return r.challenge(http.StatusUnauthorized, "invalid_token", "the access token is unknown, expired or withdrawn")
	}
	if a.plain != r.plain {
		return r.challenge(http.StatusUnauthorized, "invalid_token", "the access token is another endpoint's")
	}
	if r.plain {
		return r.about(a.person, r.answer(http.StatusOK, plain(told(a.person, a.scopes))))
	}
	if !slices.Contains(a.scopes, "openid") {
		return r.challenge(http.StatusForbidden, "insufficient_scope", "want the scope openid")
	}
	return r.about(a.person, r.answer(http.StatusOK, told(a.person, a.scopes)))
}

// bearer returns the access token of a request: from its header or its form,
// never from both, and never from the URL (RFC 9700 section 4.3.2).
func (r *request) bearer() (string, *Answer) {
	if r.bad != nil || twice(r.form) != "" || r.query.Has("access_token") {
		return "", r.challenge(http.StatusBadRequest, "invalid_request", "the access token belongs in the header, once")
	}
	header, form := r.Header.Values("Authorization"), r.form.Get("access_token")
	switch {
	case len(header) > 1 || len(header) == 1 && form != "":
		return "", r.challenge(http.StatusBadRequest, "invalid_request", "the access token is given in two ways")
	case len(header) == 0 && form == "":
		a := r.answer(http.StatusUnauthorized, nil)
		a.Header.Set("WWW-Authenticate", `Bearer realm="test service"`)
		return "", a
	case len(header) == 0:
		return form, nil
	}
	scheme, token, _ := strings.Cut(header[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", r.challenge(http.StatusBadRequest, "invalid_request", "want a bearer token")
	}
	return token, nil
}

// challenge refuses a request as RFC 6750 section 3 has it.
func (r *request) challenge(status int, code, description string) *Answer {
	a := r.refuse(status, code, description)
	a.Header.Set("WWW-Authenticate", `Bearer realm="test service", error="`+code+`"`)
	return a
}
