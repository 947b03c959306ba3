package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// Begin implements [Provider].
func (p *oidcProvider) Begin(ctx context.Context, req Request) (Redirect, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return Redirect{}, p.wrap("begin", err)
	}
	var params url.Values
	reauth := req.Reauth && !p.d.NoReauth
	if reauth || req.LoginHint != "" {
		params = make(url.Values)
	}
	if req.LoginHint != "" {
		params.Set("login_hint", req.LoginHint)
	}
	if reauth {
		params.Set("prompt", "login")
		params.Set("max_age", "0")
	}
	memo, verifier, nonce := p.newMemo(req.Scopes)
	if len(memo) > maxMemo {
		return Redirect{}, p.wrap("begin", &Error{Reason: reasonRequest, Err: errors.New("there are too many scopes")})
	}
	scopes := p.scopes
	if len(req.Scopes) > 0 {
		scopes = joinScopes(scopes, req.Scopes)
	}
	to, err := p.grant.authURL(m.endpoint, req, scopes, params, verifier, nonce)
	if err != nil {
		return Redirect{}, p.wrap("begin", err)
	}
	return Redirect{URL: to, Memo: memo}, nil
}

// Complete implements [Provider]. The order is that of trust: the code goes to
// no server before the callback is known to be from that server, and the access
// token to no endpoint before the ID token is known to be good.
func (p *oidcProvider) Complete(ctx context.Context, cb Callback) (Identity, Token, error) {
	verifier, nonce, scopes, err := p.openMemo(cb.Memo())
	if err != nil {
		return Identity{}, Token{}, p.wrap("exchange", err)
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return Identity{}, Token{}, p.wrap("exchange", err)
	}
	if err := p.checkCallback(m, cb); err != nil {
		return Identity{}, Token{}, p.wrap("exchange", err)
	}
	tok, answer, err := p.grant.exchange(ctx, m.endpoint, cb, verifier, joinScopes(p.scopes, scopes))
	if err != nil {
		return Identity{}, Token{}, p.wrap("exchange", err)
	}
	if err := checkIDTokenMember(tok, answer); err != nil {
		return Identity{}, Token{}, p.wrap("verify", err)
	}
	id, err := p.verifyIDToken(ctx, m, tok.IDToken, wanted{nonce: nonce, accessToken: tok.AccessToken})
	if err != nil {
		return Identity{}, Token{}, p.wrap("verify", err)
	}
	if iss := cb.Param("iss"); iss != "" && p.d.AcceptIssuer != nil && iss != id.iss && !p.known(iss) {
		return Identity{}, Token{}, p.wrap("verify", &Error{Reason: reasonIssuer, Err: errors.New("the callback and the ID token name different issuers")})
	}
	var user object
	if m.userURL != "" && !p.d.NoUserInfo {
		if user, err = p.userinfo(ctx, m, tok, id); err != nil {
			return Identity{}, Token{}, p.wrap("profile", err)
		}
	}
	ident, err := p.identity(ctx, cb, tok, answer, id, user)
	if err != nil {
		return Identity{}, Token{}, p.wrap("profile", err)
	}
	return ident, tok, nil
}

// checkCallback judges a callback before its code is used.
func (p *oidcProvider) checkCallback(m *metadata, cb Callback) error {
	if err := p.checkIss(m, cb); err != nil {
		return err
	}
	if err := callbackError(p.info, cb); err != nil {
		return err
	}
	for _, name := range [...]string{"id_token", "access_token", "response"} {
		if cb.Param(name) != "" {
			return &Error{Reason: reasonUnexpected, Err: fmt.Errorf("the callback has a parameter %s, which was not asked for", name)}
		}
	}
	return nil
}

// checkIDTokenMember tells an answer without an ID token from one with
// something else in its place. Neither is a login: userinfo alone would not say
// for whom it was made.
func checkIDTokenMember(tok Token, answer map[string]any) error {
	switch {
	case tok.IDToken != "":
		return nil
	case answer["id_token"] == nil || answer["id_token"] == "":
		return &Error{Reason: "id_token_missing", Err: errors.New("the token answer has no ID token: is the scope openid granted?")}
	}
	return notText()
}

func notText() error {
	return &Error{Reason: "id_token_malformed", Err: errors.New("id_token: want a string")}
}

// identity says who the person is, from claims that were all checked.
func (p *oidcProvider) identity(ctx context.Context, cb Callback, tok Token, answer map[string]any, id *idToken, user object) (Identity, error) {
	all := merge(id.claims, user)
	raw := json.RawMessage(id.payload)
	// A database may refuse half a surrogate pair, which Marshal replaces.
	if user != nil || len(all) != len(id.claims) || bytes.Contains(raw, []byte(`\u`)) {
		var err error
		if raw, err = json.Marshal(all); err != nil {
			return Identity{}, &Error{Reason: reasonProfile, Err: errors.New("the claims cannot be encoded")}
		}
	}
	if p.active != nil && !p.active(map[string]any(all)) {
		return Identity{}, &Error{Reason: reasonInactive, Err: ErrDenied}
	}
	ident := p.fields.identity(documents{
		profile: map[string]any(all), token: answer, idToken: map[string]any(id.claims), callback: cb.params,
	}, false)
	if !p.d.ownSubject() {
		ident.Subject = p.subject(id.iss, id.sub)
	}
	if err := checkSubject(ident.Subject); err != nil {
		return Identity{}, &Error{Reason: reasonSubject, Err: err}
	}
	ident.Provider, ident.Issuer = p.info.ID, p.identityIssuer(id.iss)
	ident.AuthTime, ident.SID, ident.Raw = id.authTime, id.sid, raw
	if p.d.Profile == nil {
		p.judgeEmail(&ident)
		return ident, nil
	}
	fixed := ident
	if err := p.d.Profile(ctx, p.Client(ctx, tok), tok, &ident); err != nil {
		return Identity{}, newError(p.info, "profile", reasonProfile, err)
	}
	ident.Provider, ident.Issuer, ident.Subject = fixed.Provider, fixed.Issuer, fixed.Subject
	ident.AuthTime, ident.SID = fixed.AuthTime, fixed.SID
	p.judgeEmail(&ident)
	return ident, nil
}

// judgeEmail takes back what the app has no reason to believe: people choose the
// server, or the tenant, and so could have it vouch for anyone's address.
func (p *oidcProvider) judgeEmail(id *Identity) {
	if p.d.AcceptIssuer != nil && p.d.Fields.EmailVerified == "" ||
		p.d.EmailByPolicy && !p.opts.trustedEmails || !validEmail(id.Email) {
		id.EmailVerified = false
	}
}

// known reports whether iss is one of the definition's own.
func (p *oidcProvider) known(iss string) bool {
	return iss == p.d.Issuer || iss == p.d.MetadataIssuer || slices.Contains(p.d.Issuers, iss)
}

// Refresh implements [Refresher].
func (p *oidcProvider) Refresh(ctx context.Context, tok Token) (Token, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return Token{}, p.wrap("refresh", err)
	}
	next, answer, err := p.grant.refresh(ctx, m.endpoint, tok)
	if err != nil {
		return Token{}, p.wrap("refresh", err)
	}
	if next.IDToken != tok.IDToken {
		err = p.checkRenewed(ctx, m, tok, &next)
	} else if _, isText := answer["id_token"].(string); !isText && answer["id_token"] != nil {
		err = notText()
	}
	if err != nil {
		return Token{}, p.wrap("refresh", err)
	}
	return next, nil
}

// checkRenewed checks the ID token that came with a renewal: it must be about
// the person that the old one was about (OpenID Connect Core 1.0 section 12.2).
func (p *oidcProvider) checkRenewed(ctx context.Context, m *metadata, old Token, next *Token) error {
	t, err := p.parseJWT("id_token", next.IDToken, m)
	if err != nil {
		return err
	}
	if old.IDToken != "" {
		// The old one was verified when it came. Its key may be gone by now, and
		// so may its algorithm.
		was, err := parseJWT("id_token", old.IDToken, publicAlgs[:], nil)
		if err != nil || !sameIdentity(was.claims, t.claims) {
			return &Error{Reason: reasonRefreshIdentity, Err: errors.New("the new ID token is about someone else than the old one")}
		}
	}
	_, err = p.verifyIDToken(ctx, m, next.IDToken, wanted{accessToken: next.AccessToken, renewal: true})
	var e *Error
	if errors.As(err, &e) {
		switch e.Reason {
		case "id_token_iss", "id_token_sub", "id_token_aud", "id_token_azp":
			return &Error{Reason: reasonRefreshIdentity, Err: e.Err}
		case reasonKeys:
			// The new token came from the service itself and the old refresh token
			// may be used up. The ID token that was verified is kept in place of
			// the one that cannot be.
			next.IDToken = old.IDToken
			return nil
		}
	}
	return err
}

// sameIdentity reports whether two ID tokens name the same issuer, person and
// audience.
func sameIdentity(a, b object) bool {
	for _, name := range [...]string{"iss", "sub"} {
		x, ok := a[name].(string)
		if y, isText := b[name].(string); !ok || !isText || x != y {
			return false
		}
	}
	x, errX := audiences(a)
	y, errY := audiences(b)
	slices.Sort(x)
	slices.Sort(y)
	return errX == nil && errY == nil && slices.Equal(slices.Compact(x), slices.Compact(y))
}

// Revoke implements [Revoker].
func (p *oidcProvider) Revoke(ctx context.Context, tok Token) error {
	m, err := p.metadata(ctx)
	if err != nil {
		return p.wrap("revoke", err)
	}
	return p.grant.revoke(ctx, m.endpoint, m.revokeURL, tok)
}

// wrap returns err as an [*Error] of p. What is cached is shared between
// requests, so that it is copied and not changed.
func (p *oidcProvider) wrap(op string, err error) error {
	e := *newError(p.info, op, "", err)
	if e.Provider == "" {
		e.Provider, e.Op = p.info.ID, op
	}
	return &e
}
