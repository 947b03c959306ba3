package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
)

// userinfo fetches what else the service says about the person of id. An answer
// about someone else is worth nothing, so that sub must be the same.
func (p *oidcProvider) userinfo(ctx context.Context, m *metadata, tok Token, id *idToken) (object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.userURL, nil)
	if err != nil {
		return nil, &Error{Reason: reasonConfig, Err: errors.New("UserURL: not a URL")}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	status, header, body, err := fetch(p.client, req)
	if err != nil {
		return nil, newError(p.info, "profile", reasonProfile, err)
	}
	if status >= 500 || status == http.StatusTooManyRequests {
		return nil, &Error{Reason: reasonHTTP, Err: fmt.Errorf("%s: %w: status %d", req.URL.Host, ErrUnavailable, status)}
	}
	if status != http.StatusOK {
		return nil, &Error{Reason: reasonHTTP, Err: fmt.Errorf("%s: status %d", req.URL.Host, status)}
	}
	var claims object
	if kind, _, _ := mime.ParseMediaType(header.Get("Content-Type")); kind == "application/jwt" {
		claims, err = p.signedUserinfo(ctx, m, string(body))
	} else if claims, err = parseObject(body); err != nil {
		err = &Error{Reason: reasonProfile, Err: fmt.Errorf("userinfo: %w", err)}
	}
	if err != nil {
		return nil, err
	}
	if sub, err := claims.text("sub"); err != nil || sub != id.sub {
		return nil, &Error{Reason: reasonUserinfoSub, Err: errors.New("userinfo: sub is not that of the ID token")}
	}
	return claims, nil
}

// signedUserinfo reads userinfo that is a JWT (OpenID Connect Core 1.0 section
// 5.3.2). It has no times to check: it came over the connection at hand.
func (p *oidcProvider) signedUserinfo(ctx context.Context, m *metadata, raw string) (object, error) {
	t, err := p.parseJWT("userinfo", raw, m)
	if err == nil {
		err = p.keysAt(m.keysURL).verify(ctx, "userinfo", t)
	}
	if err == nil {
		_, err = p.issuerOf("userinfo", t)
	}
	if err == nil {
		_, err = p.audienceOf(t.claims)
	}
	var e *Error
	if errors.As(err, &e) && e.Reason == reasonKeys {
		return nil, err
	}
	if err != nil {
		return nil, &Error{Reason: reasonUserinfoSig, Err: err}
	}
	return t.claims, nil
}

// protocolClaims are about the ID token itself or the way in which the person
// logged in. Userinfo is not believed about them.
var protocolClaims = [...]string{
	"iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "at_hash", "c_hash", "acr", "amr", "auth_time", "sid",
}

// merge returns the claims of the ID token and, where it lacks some, those of
// userinfo. Whether an address is verified is taken from where the address is,
// and a contradiction means that it is not.
func merge(token, user object) object {
	if user == nil && (token["email"] != nil || token["email_verified"] == nil) {
		return token // which neither side changes
	}
	all := maps.Clone(user)
	if all == nil {
		all = make(object, len(token))
	}
	for _, name := range protocolClaims {
		delete(all, name)
	}
	maps.Copy(all, token)

	if v := emailVerified(token, user); v != nil {
		all["email_verified"] = v
	} else {
		delete(all, "email_verified")
	}
	return all
}

// emailVerified returns what is said of the address that merge keeps, or nil if
// nothing is, or if there are two addresses.
func emailVerified(token, user object) any {
	const email, verified = "email", "email_verified"
	said, other := token, user
	switch {
	case token[email] == nil:
		said, other = user, token
	case user[email] != nil:
		a, ok := token[email].(string)
		if b, isText := user[email].(string); !ok || !isText || a != b {
			return nil
		}
		if token[verified] == nil {
			said, other = user, token
		}
	}
	if v := other[verified]; v != nil && !loosely(v) {
		return v
	}
	return said[verified]
}

// loosely reports whether v means true, in one of the spellings in use.
func loosely(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "1"
	case json.Number:
		return v == "1"
	}
	return false
}
