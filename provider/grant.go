package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// A grant is what the engines of OAuth 2.0 and OpenID Connect share: the
// authorization code grant of RFC 6749 with PKCE, renewal and revocation.
// Endpoints are arguments, as OpenID Connect learns them late. Nothing in it
// changes once it is made, but for what it has at hand to be quick.
type grant struct {
	info       Info
	clientID   string
	secret     func() (string, error)
	dialect    Dialect
	params     url.Values // of the definition and the options; Request.Params come before them
	clientIDAs string
	scopeSep   string
	fragment   string
	public     bool // no client secret is sent
	pkce       bool
	client     *http.Client
	exchangeFn func(ctx context.Context, c *http.Client, form url.Values) (Token, error)
	prepared   *preparedDialect // set by prepare
	postsBack  bool             // response_mode=form_post

	front atomic.Pointer[front] // of the last login
}

// prepare parses the dialect. Whoever makes a grant calls it before any other
// method.
func (g *grant) prepare() error {
	p, err := g.dialect.prepare()
	g.prepared = p
	return err
}

func (g *grant) sep() string {
	if g.scopeSep == "" {
		return " "
	}
	return g.scopeSep
}

// config returns ep and the client's name and secret for x/oauth2. The style is
// never left open, as x/oauth2 would then send a code twice.
func (g *grant) config(op string, ep oauth2.Endpoint) (*oauth2.Config, error) {
	conf := &oauth2.Config{ClientID: g.clientID, Endpoint: ep}
	if ep.AuthStyle != oauth2.AuthStyleInHeader || g.public {
		conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	if ep.TokenURL == "" {
		return nil, newError(g.info, op, reasonConfig, errors.New("there is no token URL"))
	}
	if g.public || g.secret == nil {
		return conf, nil
	}
	secret, err := g.secret()
	if err != nil {
		return nil, newError(g.info, op, reasonConfig, fmt.Errorf("no client secret: %w", cleanError(err)))
	}
	conf.ClientSecret = secret
	return conf, nil
}

// exchange trades the code of cb for a token, in one request. Scopes are those
// that were asked for. It returns the service's whole answer, too.
func (g *grant) exchange(ctx context.Context, ep oauth2.Endpoint, cb Callback, verifier string, scopes []string) (Token, map[string]any, error) {
	d := g.prepared
	code := cb.Param(d.code)
	if code == "" || len(cb.params[d.code]) > 1 {
		return Token{}, nil, newError(g.info, "exchange", reasonCode, errors.New("the callback has no code, or two"))
	}
	if g.pkce && !validVerifier(verifier) {
		return Token{}, nil, newError(g.info, "exchange", reasonMemo, errors.New("the PKCE verifier is lost"))
	}
	conf, err := g.config("exchange", ep)
	if err != nil {
		return Token{}, nil, err
	}
	conf.RedirectURL = cb.URL()
	var opts []oauth2.AuthCodeOption
	if verifier != "" {
		opts = append(opts, oauth2.VerifierOption(verifier))
	}
	if g.exchangeFn != nil {
		form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {cb.URL()}}
		if verifier != "" {
			form.Set("code_verifier", verifier)
		}
		tok, err := g.callExchange(ctx, "exchange", conf, form)
		if err == nil && tok.Scopes == nil {
			tok.Scopes = scopes
		}
		return tok, nil, err
	}
	rt := &tokenTransport{g: g, d: d, op: "exchange", scopes: scopes, vars: flowVars{
		clientID: g.clientID, secret: conf.ClientSecret,
		callback: cb.params, state: cb.Param("state"), redirectURI: cb.URL(), scopes: scopes, sep: g.sep(),
	}}
	ctx, cancel := rt.context(ctx)
	defer cancel()
	t, err := conf.Exchange(ctx, code, opts...)
	return rt.result(t, err)
}

// refresh trades tok's refresh token for a new token, which takes over what the
// service did not send again.
func (g *grant) refresh(ctx context.Context, ep oauth2.Endpoint, tok Token) (Token, map[string]any, error) {
	d := g.prepared
	if tok.RefreshToken == "" && !(d.tradesAccess && tok.AccessToken != "") {
		return Token{}, nil, newError(g.info, "refresh", reasonExchange, fmt.Errorf("there is no refresh token: %w", ErrRevoked))
	}
	if g.dialect.RefreshURL != "" {
		ep.TokenURL = g.dialect.RefreshURL
	}
	conf, err := g.config("refresh", ep)
	if err != nil {
		return Token{}, nil, err
	}
	var next Token
	var answer map[string]any
	if g.exchangeFn != nil {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}}
		next, err = g.callExchange(ctx, "refresh", conf, form)
	} else {
		kept := unpackMemo(tok.Memo)
		rt := &tokenTransport{g: g, d: d, op: "refresh", scopes: tok.Scopes, vars: flowVars{
			clientID: g.clientID, secret: conf.ClientSecret, tok: tok, kept: kept,
			redirectURI: kept["redirect_uri"], state: kept["callback.state"], scopes: tok.Scopes, sep: g.sep(),
		}}
		// x/oauth2 refuses to send an empty one, which the transport drops again.
		old := &oauth2.Token{RefreshToken: tok.RefreshToken}
		if old.RefreshToken == "" {
			old.RefreshToken = tok.AccessToken
		}
		ctx, cancel := rt.context(ctx)
		defer cancel()
		t, terr := conf.TokenSource(ctx, old).Token()
		next, answer, err = rt.result(t, terr)
	}
	if err != nil {
		return Token{}, nil, err
	}
	return next.after(tok), answer, nil
}

// after returns t with what the service did not send again taken from old.
func (t Token) after(old Token) Token {
	if t.RefreshToken == "" {
		t.RefreshToken = old.RefreshToken
	}
	if t.IDToken == "" {
		t.IDToken = old.IDToken
	}
	if t.Type == "" {
		t.Type = old.Type
	}
	if t.Scopes == nil {
		t.Scopes = old.Scopes
	}
	if t.Secret == "" {
		t.Secret = old.Secret
	}
	t.Memo = mergeMemo(old.Memo, t.Memo)
	return t
}

// callExchange asks the definition's own function for a token.
func (g *grant) callExchange(ctx context.Context, op string, conf *oauth2.Config, form url.Values) (Token, error) {
	form.Set("client_id", conf.ClientID)
	if conf.ClientSecret != "" {
		form.Set("client_secret", conf.ClientSecret)
	}
	tok, err := g.exchangeFn(ctx, g.client, form)
	if err == nil && !validAccessToken(tok.AccessToken) {
		return Token{}, newError(g.info, op, reasonToken, errors.New("there is no access token"))
	}
	if err != nil {
		return Token{}, newError(g.info, op, reasonExchange, err)
	}
	return tok, nil
}

// newError wraps err, cleaned of what must not be printed. A service that is out
// of order has a reason of its own, and an *Error stays what it is.
func newError(info Info, op, reason string, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		if own.Provider == "" {
			named := *own
			named.Provider = info.ID
			if named.Op == "" {
				named.Op = op
			}
			return &named
		}
		return own
	}
	err = cleanError(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		reason = reasonTimeout
	case errors.Is(err, ErrUnavailable):
		reason = reasonDown
	}
	return &Error{Provider: info.ID, Op: op, Reason: reason, Err: err}
}

// joinScopes joins lists, each element once.
func joinScopes(lists ...[]string) []string {
	n := 0
	for _, list := range lists {
		n += len(list)
	}
	var out []string
	for _, list := range lists {
		for _, s := range list {
			if s != "" && !slices.Contains(out, s) {
				if out == nil {
					out = make([]string, 0, n)
				}
				out = append(out, s)
			}
		}
	}
	return slices.Clip(out)
}

func expiry(seconds float64) time.Time {
	const most = 10 * 365 * 24 * 3600
	if seconds > most {
		seconds = most
	}
	if seconds < 0 {
		seconds = 0
	}
	return time.Now().Add(time.Duration(seconds * float64(time.Second)))
}
