package gologin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	login "github.com/dghubble/gologin/v2/oauth2"
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// OAuth2 is a gologin chain for a service that speaks OAuth 2.0.
type OAuth2 struct {
	Info provider.Info // describes the service

	// Issuer is who vouches for the Subject of an Identity: the scheme and host
	// of Config.Endpoint.AuthURL if empty. If set, the callback's iss, if there
	// is one, must equal it (RFC 9207).
	Issuer string

	// Config is what the chain's handlers are made with. Its RedirectURL is
	// not used, because each login brings its own. A zero AuthStyle means in the
	// parameters; nothing is tried twice.
	Config *oauth2.Config

	// Callback makes the chain, as [github.com/dghubble/gologin/v2/facebook.CallbackHandler]
	// does. It is called for each login, with a copy of Config. Leave
	// StateHandler out: the state has been checked before the chain runs.
	//
	// The chain must get its token by Exchange on that copy, with the context of
	// the request, as all of gologin's do. Any other is refused, because its code
	// would be sent without the PKCE verifier.
	Callback func(config *oauth2.Config, success, failure http.Handler) http.Handler

	// Identity says who the person is, by what the chain put into ctx:
	// [github.com/dghubble/gologin/v2/facebook.UserFromContext] and its like.
	// The client calls the service in the person's name, for what the chain did
	// not read, as [provider.Client] does. Subject is the service's permanent ID,
	// never a name; Provider and Issuer are filled in.
	Identity func(ctx context.Context, c *http.Client) (provider.Identity, error)

	// ReauthParams ask the service to prove the person again. If empty,
	// Info.Reauth should be false.
	ReauthParams url.Values

	// NoPKCE states that the service refuses code_challenge.
	NoPKCE bool
}

// New returns a Provider that leads callbacks through the chain. Mistakes show
// in [provider.Check], not here.
func (d OAuth2) New(opts ...provider.Option) provider.Provider {
	var config oauth2.Config
	if d.Config != nil {
		config.ClientID = d.Config.ClientID
		config.ClientSecret = d.Config.ClientSecret
		config.Endpoint = d.Config.Endpoint
	}
	if config.Endpoint.AuthStyle == oauth2.AuthStyleAutoDetect {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	service := provider.OAuth2{
		Info:         d.Info,
		Issuer:       d.Issuer,
		Endpoint:     config.Endpoint,
		Profile:      d.profile,
		ReauthParams: maps.Clone(d.ReauthParams),
		NoPKCE:       d.NoPKCE,
	}
	if d.Config != nil {
		service.Scopes = slices.Clone(d.Config.Scopes)
	}
	p := &oauth2Chain{wrong: common(d.Callback != nil, d.Identity != nil, d.Config != nil)}
	p.plain = service.New(config.ClientID, config.ClientSecret, opts...)
	service.Exchange = func(ctx context.Context, c *http.Client, form url.Values) (provider.Token, error) {
		return d.exchange(ctx, c, &oauth2.Config{
			ClientID:     config.ClientID,
			ClientSecret: config.ClientSecret,
			Endpoint:     config.Endpoint,
			RedirectURL:  form.Get("redirect_uri"),
			Scopes:       slices.Clone(service.Scopes),
		}, form.Get("code_verifier"))
	}
	p.Provider = service.New(config.ClientID, config.ClientSecret, opts...)
	return p
}

// oauth2Chain is the engine for OAuth 2.0, with a chain in place of its exchange.
type oauth2Chain struct {
	provider.Provider
	plain provider.Provider // without the chain, for what a chain has no part in
	wrong error
}

var _ provider.Checker = (*oauth2Chain)(nil)

// Check implements [provider.Checker].
func (p *oauth2Chain) Check() error { return errors.Join(p.wrong, provider.Check(p.plain)) }

// Unwrap returns the Provider that refreshes tokens and makes clients.
func (p *oauth2Chain) Unwrap() provider.Provider { return p.plain }

func (p *oauth2Chain) Complete(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
	if p.wrong != nil {
		return provider.Identity{}, provider.Token{}, &provider.Error{Provider: p.Info().ID, Op: "exchange", Reason: "config", Err: p.wrong}
	}
	id, tok, err := p.Provider.Complete(context.WithValue(ctx, passageKey{}, &passage{cb: cb}), cb)
	return id, tok, named(p.Info().ID, err)
}

// A passage is a callback on its way through the engine.
type passage struct {
	cb  provider.Callback
	out context.Context // the success handler's
}

type passageKey struct{}

// exchange leads the callback through the chain, which does more than exchange
// the code: it reads the profile as well, for later.
func (d OAuth2) exchange(ctx context.Context, client *http.Client, config *oauth2.Config, verifier string) (provider.Token, error) {
	on, ok := ctx.Value(passageKey{}).(*passage)
	if !ok {
		return provider.Token{}, errOwnWay
	}
	w := &wire{ctx: ctx, client: client, tokenURL: normal(config.Endpoint.TokenURL), verifier: verifier}
	in := login.WithState(w.context(), on.cb.Param("state"))
	out, err := run(in, on.cb, func(success, failure http.Handler) http.Handler {
		return d.Callback(config, success, failure)
	})
	if err != nil {
		return provider.Token{}, w.explain(err)
	}
	token, err := login.TokenFromContext(out)
	if err != nil || !w.got() {
		return provider.Token{}, &provider.Error{Op: "exchange", Reason: "config", Err: errOwnWay}
	}
	if !strings.EqualFold(token.Type(), "bearer") {
		return provider.Token{}, &provider.Error{Op: "exchange", Reason: "token_invalid", Err: errors.New("token is of a type other than bearer")}
	}
	on.out = out
	return tokenOf(token), nil
}

// profile reads what the chain has left.
func (d OAuth2) profile(ctx context.Context, c *http.Client, _ provider.Token) (provider.Identity, error) {
	on, ok := ctx.Value(passageKey{}).(*passage)
	if !ok || on.out == nil {
		return provider.Identity{}, errOwnWay
	}
	return d.Identity(on.out, c)
}

// tokenOf returns what is kept of t.
func tokenOf(t *oauth2.Token) provider.Token {
	tok := provider.Token{
		AccessToken:  t.AccessToken,
		RefreshToken: t.RefreshToken,
		Type:         t.Type(),
		Expiry:       t.Expiry,
	}
	for _, name := range [...]string{"scope", "scopes"} { // Bitbucket writes scopes
		if s, ok := t.Extra(name).(string); ok && s != "" {
			tok.Scopes = strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
		}
	}
	return tok
}
