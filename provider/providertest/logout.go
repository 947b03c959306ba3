package providertest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// logout is where an app sends a person to end their session here
// (OpenID Connect RP-Initiated Logout).
func (s *Server) logout(r *request) *Answer {
	q := r.query
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		q = r.form
	default:
		return r.notAllowed("GET, POST")
	}
	if r.bad != nil || twice(q) != "" {
		return r.stop("The app's request is malformed.")
	}
	client := q.Get("client_id")
	if hint := q.Get("id_token_hint"); hint != "" {
		claims, err := s.keys.claims(hint)
		if err != nil {
			return r.stop("The app's id_token_hint is no token of this service.")
		}
		if aud, _ := claims["aud"].(string); client != "" && client != aud {
			return r.stop("The app's id_token_hint is another app's.")
		} else {
			client = aud
		}
	}
	to := q.Get("post_logout_redirect_uri")
	if to == "" {
		return r.html(http.StatusOK, loggedOutPage, map[string]any{}, "form-action 'none'")
	}
	if client != ClientID && client != PublicClientID {
		return r.stop("The app does not say who it is, by id_token_hint or client_id.")
	}
	if !returnable(to) {
		return r.stop("The app's post_logout_redirect_uri is not an https URL, nor on this machine.")
	}
	v := url.Values{}
	if q.Get("state") != "" {
		v.Set("state", q.Get("state"))
	}
	return r.back(to, false, v)
}

// BackchannelLogout tells the app at url that a person has logged out here, with
// a signed logout token (OpenID Connect Back-Channel Logout). Subject or sid may
// be empty. An answer other than 200 or 204 is an error.
func (s *Server) BackchannelLogout(ctx context.Context, url, subject, sid string) error {
	return s.sendLogout(ctx, url, s.LogoutToken(subject, sid))
}

// LogoutToken returns a signed logout token as [Server.BackchannelLogout] sends
// it. It is for the application that logged someone in last.
func (s *Server) LogoutToken(subject, sid string) string {
	now, client := s.now(), ClientID
	s.mu.Lock()
	if s.client != "" {
		client = s.client
	}
	s.mu.Unlock()
	claims := map[string]any{
		"iss":    s.URL,
		"aud":    client,
		"iat":    now.Unix(),
		"exp":    now.Add(2 * time.Minute).Unix(),
		"jti":    secret("jti"),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if sid != "" {
		claims["sid"] = sid
	}
	token, err := s.keys.sign("logout+jwt", claims)
	if err != nil {
		panic("providertest: " + err.Error()) // only a machine without randomness
	}
	return token
}

func (s *Server) sendLogout(ctx context.Context, to, token string) error {
	form := url.Values{"logout_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("back-channel logout: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.Client().Do(req)
	if err != nil {
		return fmt.Errorf("back-channel logout: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("back-channel logout: the app answered %s", resp.Status)
	}
	return nil
}
