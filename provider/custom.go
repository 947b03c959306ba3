package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// customProvider is the engine for a [Custom].
type customProvider struct {
	def    Custom
	info   Info
	opts   options
	client *http.Client
}

var (
	_ Refresher = (*customProvider)(nil)
	_ Clienter  = (*customProvider)(nil)
	_ Checker   = (*customProvider)(nil)
)

var errNotSet = errors.New("the function is not set")

// New is like [OAuth2.New].
func (d Custom) New(opts ...Option) Provider {
	o := makeOptions(opts)
	return &customProvider{def: d, info: o.info(d.Info), opts: o, client: newHTTPClient(o)}
}

func (p *customProvider) Info() Info { return p.info.clone() }

func (p *customProvider) Check() error {
	errs := []error{checkInfo(p.info)}
	if p.def.Begin == nil {
		errs = append(errs, errors.New("Begin is not set"))
	}
	if p.def.Complete == nil {
		errs = append(errs, errors.New("Complete is not set"))
	}
	return errors.Join(errs...)
}

func (p *customProvider) Begin(ctx context.Context, req Request) (Redirect, error) {
	if p.def.Begin == nil {
		return Redirect{}, newError(p.info, "begin", reasonConfig, errNotSet)
	}
	req.Scopes = joinScopes(p.opts.scopes, req.Scopes)
	req.Params = mergeParams(p.opts.params, req.Params)
	r, err := p.def.Begin(ctx, p.client, req)
	if err == nil && len(r.Memo) > maxMemo {
		err = fmt.Errorf("the memo has %d bytes, and there is room for %d", len(r.Memo), maxMemo)
	}
	if err != nil {
		return Redirect{}, newError(p.info, "begin", reasonRequest, err)
	}
	return r, nil
}

func (p *customProvider) Complete(ctx context.Context, cb Callback) (Identity, Token, error) {
	if p.def.Complete == nil {
		return Identity{}, Token{}, newError(p.info, "verify", reasonConfig, errNotSet)
	}
	id, tok, err := p.def.Complete(ctx, p.client, cb)
	switch {
	case errors.Is(err, ErrDenied):
		return Identity{}, Token{}, newError(p.info, "verify", reasonDenied, err)
	case err != nil:
		return Identity{}, Token{}, newError(p.info, "verify", reasonProvider, err)
	case id.Provider != "" && id.Provider != p.info.ID && id.Provider != p.def.Info.ID:
		return Identity{}, Token{}, newError(p.info, "verify", reasonIdentity, errors.New("the identity names another provider"))
	}
	if err := checkSubject(id.Subject); err != nil {
		return Identity{}, Token{}, newError(p.info, "profile", reasonSubject, err)
	}
	id.Provider = p.info.ID
	if id.Issuer == "" {
		id.Issuer = p.def.Issuer
	}
	if !validEmail(id.Email) {
		id.Email, id.EmailVerified = "", false
	}
	id.AvatarURL, id.ProfileURL = httpsOnly(id.AvatarURL), httpsOnly(id.ProfileURL)
	return id, tok, nil
}

// Refresh returns [errors.ErrUnsupported] if the definition cannot refresh.
func (p *customProvider) Refresh(ctx context.Context, tok Token) (Token, error) {
	if p.def.Refresh == nil {
		return Token{}, fmt.Errorf("provider %s: refresh: %w", p.info.ID, errors.ErrUnsupported)
	}
	next, err := p.def.Refresh(ctx, p.client, tok)
	if err != nil {
		return Token{}, newError(p.info, "refresh", reasonExchange, err)
	}
	return next.after(tok), nil
}

func (p *customProvider) Client(ctx context.Context, tok Token) *http.Client {
	if p.def.Client == nil {
		return bearerClient(p.info, p.client, tok)
	}
	c := *p.def.Client(ctx, p.client, tok)
	if c.Transport == nil {
		c.Transport = p.client.Transport
	}
	return guardedClient(p.info, &c, func(base http.RoundTripper) http.RoundTripper { return base })
}
