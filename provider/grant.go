package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// A grant is what the engines of OAuth 2.0 and OpenID Connect share: the
// authorization code grant of RFC 6749 with PKCE, renewal and revocation.
// Endpoints are arguments, as OpenID Connect learns them late. Nothing in it
// changes once it is made.
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
}

// prepare parses the dialect, once. Without it each use parses it anew.
func (g *grant) prepare() error {
	p, err := g.dialect.prepare()
	g.prepared = p
	return err
}

func (g *grant) dia() *preparedDialect {
	if g.prepared != nil {
		return g.prepared
	}
	p, _ := g.dialect.prepare()
	return p
}

// reservedParams belong to the protocol: who could set one of them could undo
// its protection.
var reservedParams = [...]string{
	"client_id", "client_secret", "code_challenge", "code_challenge_method", "nonce", "redirect_uri",
	"request", "request_uri", "response_mode", "response_type", "scope", "state",
}

func (g *grant) reserved(name string) bool {
	return slices.Contains(reservedParams[:], name) || name == g.clientIDAs || name == g.dialect.Names["redirect_uri"]
}

// authURL returns the page to send the browser to. Params come from the engine
// and win over those of the definition, the options and the request; those of
// the request that are the protocol's own are dropped. Verifier is "" without
// PKCE.
func (g *grant) authURL(ep oauth2.Endpoint, req Request, scopes []string, params url.Values, verifier string) (string, error) {
	if req.State == "" || req.CallbackURL == "" {
		return "", newError(g.info, "begin", reasonRequest, errors.New("it needs a state and a callback URL"))
	}
	if ep.AuthURL == "" {
		return "", newError(g.info, "begin", reasonConfig, errors.New("there is no authorization URL"))
	}
	var opts []oauth2.AuthCodeOption
	if verifier != "" {
		opts = append(opts, oauth2.S256ChallengeOption(verifier))
	}
	conf := oauth2.Config{ClientID: g.clientID, Endpoint: ep, RedirectURL: req.CallbackURL}
	if len(scopes) > 0 {
		conf.Scopes = []string{strings.Join(scopes, g.sep())}
	}
	// The protocol's own come last in x/oauth2, save for options.
	extra := make(url.Values, len(g.params)+len(req.Params)+len(params))
	for name, values := range g.params {
		extra[name] = values
	}
	for name, values := range req.Params {
		if !g.reserved(name) {
			extra[name] = values
		}
	}
	for name, values := range params {
		extra[name] = values
	}
	for name, values := range extra {
		if len(values) > 0 {
			opts = append(opts, oauth2.SetAuthURLParam(name, values[0]))
		}
	}
	s := conf.AuthCodeURL(req.State, opts...)
	if word, rename := g.dialect.Names["redirect_uri"]; g.clientIDAs != "" || rename {
		s = renameQuery(s, map[string]string{"client_id": g.clientIDAs, "redirect_uri": word})
	}
	// In a query "+" and "%20" are one, but some services know only the latter.
	base, query, _ := strings.Cut(s, "?")
	s = base + "?" + strings.ReplaceAll(query, "+", "%20")
	if g.fragment != "" {
		s += "#" + g.fragment
	}
	return s, nil
}

// validVerifier reports whether s is what RFC 7636 section 4.1 allows.
func validVerifier(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return len(s) >= 43 && len(s) <= 128
}

// renameQuery gives parameters of s their other names, if those are not empty.
func renameQuery(s string, names map[string]string) string {
	base, query, _ := strings.Cut(s, "?")
	v, err := url.ParseQuery(query)
	if err != nil {
		return s
	}
	for name, word := range names {
		if values, ok := v[name]; ok && word != "" && word != name {
			v[word] = values
			delete(v, name)
		}
	}
	return base + "?" + v.Encode()
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
	d := g.dia()
	code := cb.Param(d.code)
	if code == "" {
		return Token{}, nil, newError(g.info, "exchange", reasonCode, errors.New("the callback has no code"))
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
	v := &flowVars{
		clientID: g.clientID, secret: conf.ClientSecret,
		callback: cb.params, state: cb.Param("state"), redirectURI: cb.URL(), scopes: strings.Join(scopes, g.sep()),
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
	rt := &tokenTransport{g: g, d: d, op: "exchange", vars: v, scopes: scopes}
	t, err := conf.Exchange(rt.context(ctx), code, opts...)
	return rt.result(t, err)
}

// refresh trades tok's refresh token for a new token, which takes over what the
// service did not send again.
func (g *grant) refresh(ctx context.Context, ep oauth2.Endpoint, tok Token) (Token, map[string]any, error) {
	d := g.dia()
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
	kept := unpackMemo(tok.Memo)
	v := &flowVars{
		clientID: g.clientID, secret: conf.ClientSecret, tok: tok, kept: kept,
		redirectURI: kept["redirect_uri"], state: kept["callback.state"], scopes: strings.Join(tok.Scopes, g.sep()),
	}
	var next Token
	var answer map[string]any
	if g.exchangeFn != nil {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}}
		next, err = g.callExchange(ctx, "refresh", conf, form)
	} else {
		rt := &tokenTransport{g: g, d: d, op: "refresh", vars: v, scopes: tok.Scopes}
		// x/oauth2 refuses to send an empty one, which the transport drops again.
		old := &oauth2.Token{RefreshToken: tok.RefreshToken}
		if old.RefreshToken == "" {
			old.RefreshToken = tok.AccessToken
		}
		t, terr := conf.TokenSource(rt.context(ctx), old).Token()
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

// deniedCodes are the error codes with which services say that the person said no.
var deniedCodes = [...]string{
	"access_denied", "authorization_denied", "cancelled", "canceled", "denied", "user_cancel", "user_cancelled",
	"user_canceled", "user_cancelled_authorize", "user_cancelled_login", "user_denied", "consent_denied",
}

// callbackError returns the error that the callback carries, if any.
func callbackError(info Info, cb Callback) error {
	if cb.Param("error") == "" {
		return nil
	}
	e := &Error{Provider: info.ID, Op: "exchange", Code: safeCode(cb.Param("error")), Reason: reasonProvider}
	switch {
	case slices.Contains(deniedCodes[:], strings.ToLower(cb.Param("error"))):
		e.Reason, e.Err = reasonDenied, ErrDenied
	case e.Code == "temporarily_unavailable" || e.Code == "server_error":
		e.Reason, e.Err = reasonDown, ErrUnavailable
	default:
		e.Err = errors.New("the service returned an error")
	}
	return e
}

// safeCode returns s if it may stand in a log, else "": who makes up a code could
// put a secret there. Few random secrets are all lower case.
func safeCode(s string) string {
	if len(s) > 64 {
		return ""
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return ""
		}
	}
	return s
}

// checkIss compares the callback's iss (RFC 9207) with want. If want is not what
// the service is known to send, but made from a URL of it, only origins are
// compared, and only if the callback has an iss.
func checkIss(info Info, cb Callback, want string, exact bool) error {
	iss := cb.Param("iss")
	switch {
	case iss == "" && !cb.params.Has("iss"):
		return nil
	case exact && iss == want, !exact && origin(iss) != "" && origin(iss) == origin(want):
		return nil
	}
	return newError(info, "exchange", reasonIssuer, errors.New("the callback comes from another service"))
}

// origin returns scheme and host of s in one spelling, or "".
func origin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return strings.ToLower(u.Scheme) + "://" + hostPort(u)
}

// hostPort returns u's host in lower case, without the port that its scheme means.
func hostPort(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if p := u.Port(); u.Scheme == "https" && p == "443" || u.Scheme == "http" && p == "80" {
		host = strings.TrimSuffix(host, ":"+p)
	}
	return strings.TrimSuffix(host, ":")
}

// joinScopes joins lists, each element once.
func joinScopes(lists ...[]string) []string {
	var out []string
	for _, list := range lists {
		for _, s := range list {
			if s != "" && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
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
