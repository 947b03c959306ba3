package provider

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/dghubble/oauth1"
)

// oauth1Provider is the engine for an [OAuth1], on dghubble/oauth1.
type oauth1Provider struct {
	def         OAuth1
	info        Info
	issuer      string
	key, secret string
	params      url.Values
	client      *http.Client
	fields      *mapper
	user        *preparedCall
	active      cond
	check       error
}

var (
	_ Clienter = (*oauth1Provider)(nil)
	_ Checker  = (*oauth1Provider)(nil)
)

// New is like [OAuth2.New].
func (d OAuth1) New(consumerKey, consumerSecret string, opts ...Option) Provider {
	o := makeOptions(opts)
	p := &oauth1Provider{
		def: d, info: o.info(d.Info), issuer: d.Issuer,
		key: consumerKey, secret: consumerSecret, params: o.params, client: newHTTPClient(o),
	}
	if p.issuer == "" {
		p.issuer = origin(d.Endpoint.AuthorizeURL)
	}
	errs := []error{
		checkInfo(p.info), checkClient(consumerKey, consumerSecret, false),
		checkURLField("Endpoint.RequestTokenURL", d.Endpoint.RequestTokenURL),
		checkURLField("Endpoint.AuthorizeURL", d.Endpoint.AuthorizeURL),
		checkURLField("Endpoint.AccessTokenURL", d.Endpoint.AccessTokenURL),
	}
	for name := range o.params {
		if strings.HasPrefix(name, "oauth_") {
			errs = append(errs, fmt.Errorf("parameter %q belongs to the protocol and cannot be set", name))
		}
	}
	if len(o.scopes) > 0 {
		errs = append(errs, errors.New("WithScopes: OAuth 1.0a has no scopes"))
	}
	if d.Fields.Subject == "" {
		errs = append(errs, errors.New("Fields.Subject is empty"))
	}
	var err error
	switch {
	case d.UserURL != "":
		p.user, err = Call{URL: d.UserURL}.prepare()
		// The token is in the signature, and nowhere else.
		p.user.bearer = false
	case !strings.HasPrefix(d.Fields.Subject, "token:"):
		err = errors.New("it is empty")
	}
	if err != nil {
		errs = append(errs, inField("UserURL", err))
	}
	if d.Active != "" {
		if p.active, err = parseCond(d.Active); err != nil {
			errs = append(errs, inField("Active", err))
		}
	}
	p.fields, err = d.Fields.compile(nil)
	p.check = errors.Join(append(errs, err)...)
	p.info.Hosts = addHosts(p.info, p.user)
	return p
}

func (p *oauth1Provider) Info() Info { return p.info.clone() }

func (p *oauth1Provider) Check() error { return p.check }

// errStop keeps a failed answer from dghubble/oauth1, which would print it.
var errStop = errors.New("stop")

// lastAnswer is the transport below dghubble/oauth1 for one request. The library
// knows neither contexts nor limits, and its errors quote the answer.
type lastAnswer struct {
	ctx    context.Context
	base   http.RoundTripper
	status int
	body   []byte
	err    error
}

func (l *lastAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(l.ctx)
	res, err := l.base.RoundTrip(req)
	if err == nil {
		defer res.Body.Close()
		l.status = res.StatusCode
		l.body, err = io.ReadAll(res.Body)
	}
	if err != nil {
		l.err = transportError(req.URL.Host, err)
		return nil, errStop
	}
	res.Body = io.NopCloser(bytes.NewReader(l.body))
	return res, nil
}

// ask runs do with a configuration whose client is bound to ctx and our limits,
// and says in words of ours what went wrong.
func (p *oauth1Provider) ask(ctx context.Context, op, callback string, do func(*oauth1.Config) error) (url.Values, error) {
	ctx, cancel := context.WithTimeout(ctx, p.client.Timeout)
	defer cancel()
	last := &lastAnswer{ctx: ctx, base: p.client.Transport}
	conf := p.config(callback)
	conf.HTTPClient = &http.Client{Transport: last, CheckRedirect: p.client.CheckRedirect}
	err := do(conf)
	form, formErr := url.ParseQuery(strings.TrimSpace(string(last.body)))
	switch {
	case last.err != nil:
		return nil, newError(p.info, op, reasonExchange, last.err)
	case outOfOrder(last.status):
		return nil, newError(p.info, op, reasonExchange, fmt.Errorf("%w: status %d", ErrUnavailable, last.status))
	case last.status != 0 && last.status != http.StatusOK && last.status != http.StatusCreated:
		return nil, newError(p.info, op, reasonExchange, fmt.Errorf("the service refused with status %d", last.status))
	case err != nil || formErr != nil:
		return nil, newError(p.info, op, reasonToken, errors.New("the answer has no token, no secret or no confirmed callback"))
	}
	for _, values := range form {
		if len(values) != 1 {
			return nil, newError(p.info, op, reasonToken, errors.New("the answer gives a member twice"))
		}
	}
	return form, nil
}

func (p *oauth1Provider) config(callback string) *oauth1.Config {
	return &oauth1.Config{ConsumerKey: p.key, ConsumerSecret: p.secret, CallbackURL: callback, Endpoint: p.def.Endpoint}
}

func (p *oauth1Provider) Begin(ctx context.Context, req Request) (Redirect, error) {
	if p.check != nil {
		return Redirect{}, newError(p.info, "begin", reasonConfig, p.check)
	}
	callback, err := url.Parse(req.CallbackURL)
	if err != nil || callback.Host == "" || req.State == "" {
		return Redirect{}, newError(p.info, "begin", reasonRequest, errors.New("it needs a state and a callback URL"))
	}
	// OAuth 1.0a has no state: it travels in the callback URL, which is signed.
	q := callback.Query()
	q.Set("state", req.State)
	callback.RawQuery = q.Encode()
	var token, secret string
	if _, err := p.ask(ctx, "begin", callback.String(), func(c *oauth1.Config) (err error) {
		token, secret, err = c.RequestToken()
		return err
	}); err != nil {
		return Redirect{}, err
	}
	u, err := p.config("").AuthorizationURL(token)
	if err != nil {
		return Redirect{}, newError(p.info, "begin", reasonConfig, errors.New("the authorization URL is no URL"))
	}
	q = u.Query()
	for _, params := range []url.Values{p.params, req.Params} {
		for name, values := range params {
			if !strings.HasPrefix(name, "oauth_") {
				q[name] = values
			}
		}
	}
	u.RawQuery = q.Encode()
	memo := url.Values{"t": {token}, "s": {secret}}.Encode()
	if len(memo) > maxMemo {
		return Redirect{}, newError(p.info, "begin", reasonToken, errors.New("the request token is too long"))
	}
	return Redirect{URL: u.String(), Memo: memo}, nil
}

func (p *oauth1Provider) Complete(ctx context.Context, cb Callback) (Identity, Token, error) {
	fail := func(op, reason string, err error) (Identity, Token, error) {
		return Identity{}, Token{}, newError(p.info, op, reason, err)
	}
	if p.check != nil {
		return fail("exchange", reasonConfig, p.check)
	}
	memo, err := url.ParseQuery(cb.Memo())
	token := memo.Get("t")
	if err != nil || token == "" {
		return fail("exchange", reasonMemo, errors.New("the request token is lost"))
	}
	if cb.Param("denied") != "" {
		return fail("exchange", reasonDenied, ErrDenied)
	}
	if err := callbackError(p.info, cb); err != nil {
		return Identity{}, Token{}, err
	}
	if subtle.ConstantTimeCompare([]byte(cb.Param("oauth_token")), []byte(token)) != 1 {
		return fail("exchange", reasonOAuth1, errors.New("the callback belongs to another request token"))
	}
	verifier := cb.Param("oauth_verifier")
	if verifier == "" {
		return fail("exchange", reasonCode, errors.New("the callback has no verifier"))
	}
	tok := Token{Type: "OAuth1"}
	answer, err := p.ask(ctx, "exchange", "", func(c *oauth1.Config) (err error) {
		tok.AccessToken, tok.Secret, err = c.AccessToken(token, memo.Get("s"), verifier)
		return err
	})
	if err != nil {
		return Identity{}, Token{}, err
	}
	id, err := p.profile(ctx, cb, tok, answer)
	if err != nil {
		return Identity{}, Token{}, err
	}
	return id, tok, nil
}

func (p *oauth1Provider) profile(ctx context.Context, cb Callback, tok Token, answer url.Values) (Identity, error) {
	d := documents{profile: map[string]any{}, token: map[string]any{}, callback: cb.params}
	for name := range answer {
		d.token[name] = answer.Get(name)
	}
	var id Identity
	if p.user != nil {
		c := &http.Client{
			Transport: p.signer(tok, p.client.Transport), Timeout: p.client.Timeout, CheckRedirect: p.client.CheckRedirect,
		}
		body, doc, err := p.user.do(ctx, c, p.info, &flowVars{clientID: p.key, answer: d.token})
		if err != nil {
			return Identity{}, err
		}
		m, ok := doc.(map[string]any)
		if !ok {
			return Identity{}, newError(p.info, "profile", reasonProfile, errors.New("the profile is no JSON object"))
		}
		d.profile = m
		id.Raw = body
	}
	if p.active != nil && !p.active(d.profile) {
		return Identity{}, newError(p.info, "profile", reasonInactive, fmt.Errorf("the account is not active: %w", ErrDenied))
	}
	raw := id.Raw
	id = p.fields.identity(d, false)
	if err := checkSubject(id.Subject); err != nil {
		return Identity{}, newError(p.info, "profile", reasonSubject, err)
	}
	id.Raw, id.Provider, id.Issuer = raw, p.info.ID, p.issuer
	return id, nil
}

// signer returns a transport that signs each request.
func (p *oauth1Provider) signer(tok Token, base http.RoundTripper) http.RoundTripper {
	ctx := context.WithValue(context.Background(), oauth1.HTTPClient, &http.Client{Transport: base})
	return p.config("").Client(ctx, oauth1.NewToken(tok.AccessToken, tok.Secret)).Transport
}

// Client signs every request, to the hosts that [Client] names.
func (p *oauth1Provider) Client(_ context.Context, tok Token) *http.Client {
	return guardedClient(p.info, p.client, func(base http.RoundTripper) http.RoundTripper {
		return p.signer(tok, base)
	})
}
