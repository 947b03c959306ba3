package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// revoke withdraws tok at a revocation endpoint (RFC 7009), the refresh token
// first: with it the rest can be had again. A token that the service does not
// know is gone already.
func (g *grant) revoke(ctx context.Context, ep oauth2.Endpoint, revokeURL string, tok Token) error {
	if revokeURL == "" {
		return fmt.Errorf("provider %s: revoke: %w", g.info.ID, errors.ErrUnsupported)
	}
	conf, err := g.config("revoke", oauth2.Endpoint{TokenURL: revokeURL, AuthStyle: ep.AuthStyle})
	if err != nil {
		return err
	}
	var errs []error
	done := false
	for _, t := range []struct{ value, hint string }{
		{tok.RefreshToken, "refresh_token"},
		{tok.AccessToken, "access_token"},
	} {
		if t.value == "" {
			continue
		}
		err := g.revokeOne(ctx, conf, t.value, t.hint)
		var own *Error
		if errors.As(err, &own) && own.Code == "unsupported_token_type" && (done || t.hint == "refresh_token" && tok.AccessToken != "") {
			continue // the other one is what this service withdraws
		}
		done = done || err == nil
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (g *grant) revokeOne(ctx context.Context, conf *oauth2.Config, token, hint string) error {
	form := url.Values{"token": {token}, "token_type_hint": {hint}}
	inHeader := conf.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
	if !inHeader {
		form.Set("client_id", conf.ClientID)
		if conf.ClientSecret != "" {
			form.Set("client_secret", conf.ClientSecret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, conf.Endpoint.TokenURL, strings.NewReader(g.rename(form).Encode()))
	if err != nil {
		return newError(g.info, "revoke", reasonConfig, errors.New("the revocation URL is no URL"))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if inHeader {
		// RFC 6749 section 2.3.1 wants both parts form-encoded.
		req.SetBasicAuth(url.QueryEscape(conf.ClientID), url.QueryEscape(conf.ClientSecret))
	}
	status, header, body, err := fetch(g.client, req)
	if err != nil {
		return newError(g.info, "revoke", reasonRevoke, err)
	}
	return g.revokeAnswer(status, header, body)
}

// revokeAnswer judges the answer to a revocation.
func (g *grant) revokeAnswer(status int, header http.Header, body []byte) error {
	if status >= 200 && status < 300 {
		return nil
	}
	e := &Error{Provider: g.info.ID, Op: "revoke", Reason: reasonRevoke, Err: fmt.Errorf("the service refused with status %d", status)}
	if answer, err := parseAnswer(header.Get("Content-Type"), body); err == nil {
		s, _ := text(answer["error"])
		e.Code = safeCode(s)
	}
	switch {
	case outOfOrder(status):
		e.Reason, e.Err = reasonDown, fmt.Errorf("%w: status %d", ErrUnavailable, status)
	case e.Code == "invalid_token" || e.Code == "invalid_grant" || e.Code == "token_not_found":
		return nil
	}
	return e
}
