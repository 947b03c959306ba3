package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

	// maxHint is the longest ID token that is put in a URL. Servers refuse long
	// URLs, and the hint is optional.
	maxHint = 6000
)

// LogoutURL implements [LogoutURLer] with OpenID Connect RP-Initiated Logout
// 1.0. The error is [errors.ErrUnsupported] where the service has no page for it.
func (p *oidcProvider) LogoutURL(ctx context.Context, tok Token, returnTo, state string) (string, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return "", p.wrap("logout", err)
	}
	if m.logoutURL == "" {
		return "", p.wrap("logout", errors.ErrUnsupported)
	}
	u, err := url.Parse(m.logoutURL)
	if err != nil {
		return "", p.wrap("logout", errors.New("end_session_endpoint: not a URL"))
	}
	q := u.Query()
	q.Set("client_id", p.clientID)
	if tok.IDToken != "" && len(tok.IDToken) <= maxHint {
		q.Set("id_token_hint", tok.IDToken)
	}
	if returnTo != "" {
		q.Set("post_logout_redirect_uri", returnTo)
		if state != "" {
			q.Set("state", state)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// VerifyLogout implements [LogoutVerifier]. Anyone can post a token, so that
// all that costs nothing is checked before a key is looked for, and made-up
// tokens make the service's keys be fetched once a minute at most.
func (p *oidcProvider) VerifyLogout(ctx context.Context, token string) (Logout, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return Logout{}, p.wrap("logout", err)
	}
	t, err := p.parseJWT("logout_token", token, m)
	if err != nil {
		return Logout{}, p.wrap("logout", err)
	}
	out, err := p.logoutClaims(t)
	if err == nil {
		err = p.verifyLogout(ctx, m, t, &out)
	}
	if err != nil {
		return Logout{}, p.wrap("logout", err)
	}
	return out, nil
}

// verifyLogout checks the signature of t, and then whose it is.
func (p *oidcProvider) verifyLogout(ctx context.Context, m *metadata, t *jwt, out *Logout) error {
	keys := p.keysFor("logout_token", m, t)
	_, err := oidc.NewVerifier("", keys, &keys.config).VerifyLogout(ctx, t.raw)
	if keys.err != nil {
		return keys.err
	}
	if err != nil || !keys.verified {
		return &Error{Reason: "logout_token_malformed", Err: errors.New("claims of a wrong type")}
	}
	iss, err := p.issuerOf("logout_token", t)
	if err != nil {
		return err
	}
	out.Issuer = p.identityIssuer(iss)
	if out.Subject != "" {
		out.Subject = p.logoutSubject(iss, out.Subject, t.claims)
	}
	if out.Subject == "" && out.SID == "" {
		return &Error{Reason: "logout_token_sub", Err: errors.New("sub does not name an account, and there is no sid")}
	}
	return nil
}

// logoutClaims checks what a logout token says, save who says it, as section 2.6 of OpenID
// Connect Back-Channel Logout 1.0 wants it.
func (p *oidcProvider) logoutClaims(t *jwt) (Logout, error) {
	bad := func(part, format string, args ...any) (Logout, error) {
		return Logout{}, &Error{Reason: "logout_token_" + part, Err: fmt.Errorf(format, args...)}
	}
	// An ID token of the same server must not do for a logout token.
	if typ := strings.ToLower(t.typ); typ != "logout+jwt" && typ != "application/logout+jwt" {
		return bad("typ", "want typ logout+jwt, got %.40q", t.typ)
	}
	var out Logout
	var err error
	if _, err = p.audienceOf(t.claims); err != nil {
		return bad("aud", "%w", err)
	}
	if part, err := p.checkTimes(t.claims, p.now().Add(-maxIDTokenAge)); err != nil {
		return bad(part, "%w", err)
	}
	out.IssuedAt, _, _ = t.claims.date("iat")
	if out.JTI, err = t.claims.text("jti"); err != nil || out.JTI == "" || len(out.JTI) > 255 {
		return bad("jti", "jti: want a string of 1 to 255 bytes")
	}
	events, _ := t.claims["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return bad("events", "events: want an object with the member %s", logoutEvent)
	}
	if _, ok := t.claims["nonce"]; ok {
		return bad("nonce", "nonce: a logout token must have none")
	}
	if out.SID, err = t.claims.text("sid"); err != nil || len(out.SID) > 255 {
		return bad("sid", "sid: want a string of at most 255 bytes")
	}
	if t.claims["sub"] != nil {
		if out.Subject, err = subjectOf(t.claims); err != nil {
			return bad("sub", "%w", err)
		}
	}
	if out.Subject == "" && out.SID == "" {
		return bad("sub", "want sub or sid")
	}
	return out, nil
}
