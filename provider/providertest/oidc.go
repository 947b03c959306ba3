package providertest

import (
	"crypto/sha256"
	"maps"
	"net/http"
)

// discovery is the metadata (OpenID Connect Discovery section 3, RFC 8414).
func (s *Server) discovery(r *request) *Answer {
	if r.Method != http.MethodGet {
		return r.notAllowed("GET")
	}
	return r.answer(http.StatusOK, metadata(s.URL, s.URL, map[string]any{
		"authorization_response_iss_parameter_supported": true,
		"claims_supported": []string{
			"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "azp", "sid",
			"name", "given_name", "family_name", "preferred_username", "profile", "picture", "locale", "zoneinfo",
			"email", "email_verified", "phone_number", "address",
		},
	}))
}

// metadata describes a service whose endpoints stand below base.
func metadata(issuer, base string, more map[string]any) map[string]any {
	m := map[string]any{
		"issuer":                                     issuer,
		"authorization_endpoint":                     base + "/authorize",
		"token_endpoint":                             base + "/token",
		"userinfo_endpoint":                          base + "/userinfo",
		"jwks_uri":                                   base + "/jwks",
		"revocation_endpoint":                        base + "/revoke",
		"end_session_endpoint":                       base + "/logout",
		"response_types_supported":                   []string{"code"},
		"response_modes_supported":                   []string{"query", "form_post"},
		"grant_types_supported":                      []string{"authorization_code", "refresh_token"},
		"subject_types_supported":                    []string{"public"},
		"id_token_signing_alg_values_supported":      []string{"RS256"},
		"token_endpoint_auth_methods_supported":      []string{"client_secret_basic", "client_secret_post", "none"},
		"revocation_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
		"code_challenge_methods_supported":           []string{"S256"},
		"scopes_supported":                           []string{"openid", "profile", "email", "address", "phone", "offline_access"},
		"prompt_values_supported":                    []string{"none", "login", "consent", "select_account"},
		"backchannel_logout_supported":               true,
		"backchannel_logout_session_supported":       true,
		"request_parameter_supported":                false,
		"request_uri_parameter_supported":            false,
		"claims_parameter_supported":                 false,
	}
	maps.Copy(m, more)
	return m
}

func (s *Server) jwks(r *request) *Answer {
	if r.Method != http.MethodGet {
		return r.notAllowed("GET")
	}
	keys, err := s.keys.public()
	if err != nil {
		return r.answer(http.StatusInternalServerError, err.Error()+"\n")
	}
	return r.answer(http.StatusOK, keys)
}

// idToken says who the person is (OpenID Connect Core section 2). What their
// name and address are, an app asks the userinfo endpoint; a foreign service,
// see Transport, says it here, too, as most of them do.
func (s *Server) idToken(g *grant, accessToken, nonce string) (string, error) {
	now := s.now()
	claims := map[string]any{}
	if g.foreign {
		maps.Copy(claims, g.person)
	}
	if sub, ok := g.person["sub"]; ok {
		claims["sub"] = sub
	}
	half := sha256.Sum256([]byte(accessToken))
	maps.Copy(claims, map[string]any{
		"iss":       g.issuer,
		"aud":       g.client,
		"azp":       g.client,
		"iat":       now.Unix(),
		"exp":       now.Add(idLife).Unix(),
		"auth_time": g.authTime.Unix(),
		"sid":       g.sid,
		"at_hash":   b64(half[:16]),
	})
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if s.Claims != nil {
		s.Claims(claims)
	}
	return s.keys.sign("JWT", claims)
}
