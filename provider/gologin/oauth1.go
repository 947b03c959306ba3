package gologin

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	login "github.com/dghubble/gologin/v2/oauth1"
	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
)

// OAuth1 is a gologin chain for a service that speaks OAuth 1.0a.
type OAuth1 struct {
	// Info describes the service. Reauth must be false: a chain cannot ask the
	// service to prove the person again.
	Info provider.Info

	// Issuer is who vouches for the Subject of an Identity: the scheme and host
	// of Config.Endpoint.AuthorizeURL if empty.
	Issuer string

	// Config is what the chain's handlers are made with. Its CallbackURL and
	// HTTPClient are not used, because each login brings its own.
	Config *oauth1.Config

	// Callback makes the chain, as [github.com/dghubble/gologin/v2/twitter.CallbackHandler]
	// does. It is called for each login, with a copy of Config. The request token
	// and its secret are in the context already, so that no cookie is needed.
	//
	// The chain must get its token by AccessToken on that copy, as all of
	// gologin's do. Any other is refused.
	Callback func(config *oauth1.Config, success, failure http.Handler) http.Handler

	// Identity says who the person is, by what the chain put into ctx:
	// [github.com/dghubble/gologin/v2/twitter.UserFromContext] and its like.
	// The client calls the service in the person's name, for what the chain did
	// not read, as [provider.Client] does. Subject is the service's permanent ID,
	// never a name; Provider and Issuer are filled in.
	Identity func(ctx context.Context, c *http.Client) (provider.Identity, error)
}

// New is like [OAuth2.New].
func (d OAuth1) New(opts ...provider.Option) provider.Provider {
	p := &oauth1Chain{def: d}
	if d.Config != nil {
		p.config = *d.Config
	}
	issuer := d.Issuer
	if issuer == "" {
		issuer = origin(p.config.Endpoint.AuthorizeURL)
	}
	p.wrong = p.mistakes()
	p.Provider = provider.Custom{
		Info:     d.Info,
		Issuer:   issuer,
		Begin:    p.begin,
		Complete: p.complete,
		Client:   p.client,
	}.New(opts...)
	return p
}

// oauth1Chain is a [provider.Custom] whose functions lead through a chain.
type oauth1Chain struct {
	provider.Provider
	def    OAuth1
	config oauth1.Config
	wrong  error
}

var _ provider.Checker = (*oauth1Chain)(nil)

// Check implements [provider.Checker].
func (p *oauth1Chain) Check() error { return errors.Join(p.wrong, provider.Check(p.Provider)) }

// Unwrap returns the [provider.Custom], which makes clients.
func (p *oauth1Chain) Unwrap() provider.Provider { return p.Provider }

func (p *oauth1Chain) Begin(ctx context.Context, req provider.Request) (provider.Redirect, error) {
	to, err := p.Provider.Begin(ctx, req)
	return to, named(p.Info().ID, err)
}

func (p *oauth1Chain) Complete(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
	id, tok, err := p.Provider.Complete(ctx, cb)
	return id, tok, named(p.Info().ID, err)
}

// configFor returns a copy of the chain's Config for one login.
func (p *oauth1Chain) configFor(callbackURL string, client *http.Client) *oauth1.Config {
	config := p.config
	config.CallbackURL = callbackURL
	config.HTTPClient = client
	return &config
}

func (p *oauth1Chain) begin(ctx context.Context, client *http.Client, req provider.Request) (provider.Redirect, error) {
	if p.wrong != nil {
		return provider.Redirect{}, &provider.Error{Op: "begin", Reason: "config", Err: p.wrong}
	}
	back, err := url.Parse(req.CallbackURL)
	if err != nil || back.Host == "" || req.State == "" {
		return provider.Redirect{}, errors.New("it needs a state and a callback URL")
	}
	// OAuth 1.0a has no state of its own; the callback's URL carries ours.
	q := back.Query()
	q.Set("state", req.State)
	back.RawQuery = q.Encode()
	w := &wire{ctx: ctx, client: client, tokenURL: normal(p.config.Endpoint.RequestTokenURL)}
	config := p.configFor(back.String(), w.httpClient())
	token, secret, err := config.RequestToken()
	if err != nil {
		e := w.explain(&chainError{err})
		e.Op = "begin"
		return provider.Redirect{}, e
	}
	to, err := config.AuthorizationURL(token)
	if err != nil {
		return provider.Redirect{}, errAuthURL
	}
	page, err := addParams(to.String(), req.Params)
	if err != nil {
		return provider.Redirect{}, err
	}
	memo := url.Values{"t": {token}, "s": {secret}}.Encode()
	return provider.Redirect{URL: page, Memo: memo}, nil
}

func (p *oauth1Chain) complete(ctx context.Context, client *http.Client, cb provider.Callback) (provider.Identity, provider.Token, error) {
	fail := func(err error) (provider.Identity, provider.Token, error) {
		return provider.Identity{}, provider.Token{}, err
	}
	if p.wrong != nil {
		return fail(&provider.Error{Op: "exchange", Reason: "config", Err: p.wrong})
	}
	token, secret, err := p.bound(cb)
	if err != nil {
		return fail(err)
	}
	w := &wire{ctx: ctx, client: client, tokenURL: normal(p.config.Endpoint.AccessTokenURL)}
	config := p.configFor(cb.URL(), w.httpClient())
	in := login.WithRequestToken(w.context(), token, secret)
	out, err := run(in, cb, func(success, failure http.Handler) http.Handler {
		return p.def.Callback(config, success, failure)
	})
	if err != nil {
		return fail(w.explain(err))
	}
	access, accessSecret, err := login.AccessTokenFromContext(out)
	if err != nil || !w.got() {
		return fail(&provider.Error{Op: "exchange", Reason: "config", Err: errOwnWay})
	}
	tok := provider.Token{AccessToken: access, Secret: accessSecret, Type: "OAuth1"}
	id, err := p.def.Identity(out, provider.Client(ctx, p.Provider, tok))
	if err != nil {
		return fail(profileError(err))
	}
	return id, tok, nil
}

// bound returns the request token with which this very login began, and its
// secret. gologin takes the token from the callback as it comes, so that anyone
// could finish another person's login (the session fixation of OAuth 1.0).
func (p *oauth1Chain) bound(cb provider.Callback) (token, secret string, err error) {
	memo, err := url.ParseQuery(cb.Memo())
	token, secret = memo.Get("t"), memo.Get("s")
	switch came := cb.Param("oauth_token"); {
	case err != nil || token == "":
		return "", "", &provider.Error{Op: "exchange", Reason: "memo_invalid", Err: errors.New("request token of this login is lost")}
	case cb.Param("denied") != "": // X and Tumblr
		return "", "", &provider.Error{Op: "exchange", Reason: "denied", Err: provider.ErrDenied}
	case cb.Param("error") != "":
		return "", "", &provider.Error{Op: "exchange", Reason: "provider_error", Code: short(cb.Param("error")), Err: errors.New("service sent the person back with an error")}
	case subtle.ConstantTimeCompare([]byte(came), []byte(token)) != 1:
		return "", "", &provider.Error{Op: "exchange", Reason: "oauth1_token", Err: provider.ErrState}
	}
	if cb.Param("oauth_verifier") == "" {
		return "", "", &provider.Error{Op: "exchange", Reason: "code_missing", Err: errors.New("callback has no oauth_verifier")}
	}
	return token, secret, nil
}

// client signs what [provider.Client] lets through: its rules on hosts, redirects
// and size are those of a Custom that sends bearer tokens, with a transport that
// puts the signature where the token would stand.
func (p *oauth1Chain) client(ctx context.Context, client *http.Client, tok provider.Token) *http.Client {
	below := context.WithValue(ctx, oauth1.HTTPClient, &http.Client{Transport: client.Transport})
	signed := p.configFor("", nil).Client(below, oauth1.NewToken(tok.AccessToken, tok.Secret))
	signed.Timeout = client.Timeout
	rules := provider.Custom{Info: p.Info()}.New(provider.WithHTTPClient(signed))
	return provider.Client(ctx, rules, tok)
}

func (p *oauth1Chain) mistakes() error {
	var errs []error
	if p.def.Config != nil {
		errs = append(errs,
			wanted("Config.ConsumerKey", p.config.ConsumerKey),
			wanted("Config.ConsumerSecret", p.config.ConsumerSecret),
			secure("Config.Endpoint.RequestTokenURL", p.config.Endpoint.RequestTokenURL),
			secure("Config.Endpoint.AuthorizeURL", p.config.Endpoint.AuthorizeURL),
			secure("Config.Endpoint.AccessTokenURL", p.config.Endpoint.AccessTokenURL))
	}
	errs = append(errs, common(p.def.Callback != nil, p.def.Identity != nil, p.def.Config != nil))
	if p.def.Info.Reauth {
		errs = append(errs, errors.New("gologin: Info.Reauth is set, but OAuth 1.0a cannot ask for proof again"))
	}
	return errors.Join(errs...)
}
