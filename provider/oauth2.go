package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxMemo is what a login's cookie has room for; see [Redirect.Memo].
const maxMemo = 1024

// oauth2Provider is the engine for an [OAuth2].
type oauth2Provider struct {
	def     OAuth2
	info    Info
	issuer  string
	scopes  []string
	grant   *grant
	client  *http.Client
	fields  *mapper
	user    *preparedCall // nil if there is no request for the profile itself
	calls   []*preparedCall
	revokes *preparedCall // nil if there is RevokeURL or nothing
	active  cond
	doubted bool  // the server's word on email addresses is not believed
	check   error // a provider with one does nothing else
}

var (
	_ Refresher = (*oauth2Provider)(nil)
	_ Revoker   = (*oauth2Provider)(nil)
	_ Clienter  = (*oauth2Provider)(nil)
	_ Checker   = (*oauth2Provider)(nil)
)

// New returns a Provider for an application registered with the service.
// Mistakes show in [Checker.Check], not here.
func (d OAuth2) New(clientID, clientSecret string, opts ...Option) Provider {
	o := makeOptions(opts)
	p := &oauth2Provider{
		def:    d,
		info:   o.info(d.Info),
		issuer: d.Issuer,
		scopes: joinScopes(d.Scopes, o.scopes),
		client: newHTTPClient(o),

		doubted: d.EmailByPolicy && !o.trustedEmails,
	}
	if p.issuer == "" {
		p.issuer = origin(d.Endpoint.AuthURL)
	}
	p.grant = &grant{
		info: p.info, clientID: clientID, secret: func() (string, error) { return clientSecret, nil },
		dialect: d.Dialect, params: mergeParams(d.Params, o.params), clientIDAs: d.ClientIDAs, scopeSep: d.ScopeSep,
		fragment: d.Fragment, public: d.PublicClient, pkce: !d.NoPKCE, client: p.client, exchangeFn: d.Exchange,
	}
	p.check = p.compile(checkClient(clientID, clientSecret, d.PublicClient), o)
	p.info.Hosts = addHosts(p.info, append([]*preparedCall{p.user}, p.calls...)...)
	p.grant.info = p.info
	return p
}

// compile parses what the definition says and returns every mistake in it.
func (p *oauth2Provider) compile(client error, o options) error {
	d := p.def
	errs := []error{
		checkInfo(p.info), client, p.grant.prepare(),
		checkURLField("Endpoint.AuthURL", d.Endpoint.AuthURL),
		checkScopes(p.scopes, p.grant.sep()),
		p.grant.checkParams(d.Params), p.grant.checkParams(o.params), p.grant.checkParams(d.ReauthParams),
	}
	add := func(field string, err error) { errs = append(errs, inField(field, err)) }
	if d.Exchange == nil {
		errs = append(errs, checkURLField("Endpoint.TokenURL", d.Endpoint.TokenURL))
	}
	if d.Issuer != "" && origin(d.Issuer) == "" {
		add("Issuer", errors.New("it is no URL"))
	}
	if d.RevokeURL != "" {
		add("RevokeURL", checkURL(d.RevokeURL))
	}
	if strings.ContainsAny(d.Fragment, "# ") || hasControl(d.Fragment) {
		add("Fragment", errors.New("a character in it must be escaped"))
	}
	if d.Info.Reauth && len(d.ReauthParams) == 0 {
		add("Info.Reauth", errors.New("there are no ReauthParams"))
	}
	user := d.User
	if user.URL == "" && d.UserURL != "" {
		user = Call{URL: d.UserURL, Header: d.Header}
	}
	var err error
	if user.URL != "" {
		user.Name = ""
		p.user, err = user.prepare()
		add("UserURL", err)
	}
	names := []string{}
	for _, c := range d.Calls {
		x, err := c.prepare()
		if c.Name == "" || slices.Contains(names, c.Name) || slices.Contains(reservedDocs[:], c.Name) || !validID(c.Name) {
			err = errors.Join(err, errors.New("the name is empty, taken or not made of a-z, 0-9, _ and -"))
		}
		add("Calls: "+c.Name, err)
		names = append(names, c.Name)
		p.calls = append(p.calls, x)
	}
	if d.Revoke.URL != "" {
		p.revokes, err = d.Revoke.prepare()
		add("Revoke", err)
	}
	if d.Active != "" {
		p.active, err = parseCond(d.Active)
		add("Active", err)
	}
	p.fields, err = d.Fields.compile(names)
	errs = append(errs, err, p.checkFields())
	return errors.Join(errs...)
}

// checkFields returns what is wrong with the Fields beyond their grammar.
func (p *oauth2Provider) checkFields() error {
	d := p.def
	if d.Profile != nil {
		return nil
	}
	var errs []error
	if d.Fields.Subject == "" {
		errs = append(errs, errors.New("Fields.Subject is empty"))
	}
	f := d.Fields
	for _, s := range []string{f.Subject, f.Email, f.EmailVerified, f.Name, f.Username, f.AvatarURL, f.ProfileURL, f.Locale} {
		if strings.Contains(s, "id_token:") {
			errs = append(errs, fmt.Errorf("Fields: %q: only OIDC has an ID token", s))
		}
	}
	if p.user == nil && len(d.Calls) == 0 && !strings.HasPrefix(f.Subject, "token:") {
		errs = append(errs, errors.New("UserURL is empty"))
	}
	return errors.Join(errs...)
}

func (p *oauth2Provider) Info() Info { return p.info.clone() }

func (p *oauth2Provider) Check() error { return p.check }

func (p *oauth2Provider) Client(_ context.Context, tok Token) *http.Client {
	return bearerClient(p.info, p.client, tok)
}

func (p *oauth2Provider) Begin(_ context.Context, req Request) (Redirect, error) {
	if p.check != nil {
		return Redirect{}, newError(p.info, "begin", reasonConfig, p.check)
	}
	verifier := ""
	if p.grant.pkce {
		verifier = randomText()
	}
	scopes := p.scopes
	memo := verifier
	if len(req.Scopes) > 0 {
		if err := checkScopes(req.Scopes, p.grant.sep()); err != nil {
			return Redirect{}, newError(p.info, "begin", reasonRequest, err)
		}
		// If the answer names no scopes, those that were asked for are granted.
		scopes = joinScopes(p.scopes, req.Scopes)
		memo += " " + strings.Join(scopes[len(p.scopes):], " ")
	}
	if len(memo) > maxMemo {
		return Redirect{}, newError(p.info, "begin", reasonRequest, errors.New("there are too many scopes"))
	}
	var params url.Values
	if req.Reauth && len(p.def.ReauthParams) > 0 {
		params = p.def.ReauthParams
	}
	if req.LoginHint != "" && p.def.LoginHintAs != "" {
		params = mergeParams(params, url.Values{p.def.LoginHintAs: {req.LoginHint}})
	}
	u, err := p.grant.authURL(p.def.Endpoint, req, scopes, params, verifier, "")
	if err != nil {
		return Redirect{}, err
	}
	return Redirect{URL: u, Memo: memo}, nil
}

func (p *oauth2Provider) Complete(ctx context.Context, cb Callback) (Identity, Token, error) {
	if p.check != nil {
		return Identity{}, Token{}, newError(p.info, "exchange", reasonConfig, p.check)
	}
	if err := p.checkCallback(cb); err != nil {
		return Identity{}, Token{}, err
	}
	verifier, more, _ := strings.Cut(cb.Memo(), " ")
	tok, answer, err := p.grant.exchange(ctx, p.def.Endpoint, cb, verifier, joinScopes(p.scopes, strings.Fields(more)))
	if err != nil {
		return Identity{}, Token{}, err
	}
	id, err := p.profile(ctx, cb, tok, answer)
	if err != nil {
		return Identity{}, Token{}, err
	}
	return id, tok, nil
}

// checkCallback reads all of the callback but the code, in the order in which an
// attacker could profit: an error of another service is none of ours.
func (p *oauth2Provider) checkCallback(cb Callback) error {
	want, exact := p.def.Issuer, true
	if want == "" {
		want, exact = p.def.Endpoint.AuthURL, false
	}
	if err := checkIss(p.info, cb, want, exact); err != nil {
		return err
	}
	if err := callbackError(p.info, cb); err != nil {
		return err
	}
	if cb.params.Has("access_token") || cb.params.Has("id_token") {
		return newError(p.info, "exchange", reasonUnexpected, errors.New("the callback carries a token"))
	}
	return nil
}

// profile asks who the token is about.
func (p *oauth2Provider) profile(ctx context.Context, cb Callback, tok Token, answer map[string]any) (Identity, error) {
	var id Identity
	var err error
	if p.def.Profile != nil {
		id, err = p.def.Profile(ctx, bearerClient(p.info, p.client, tok), tok)
		if err != nil {
			return Identity{}, newError(p.info, "profile", reasonProfile, err)
		}
		id.AvatarURL, id.ProfileURL = httpsOnly(id.AvatarURL), httpsOnly(id.ProfileURL)
		if !validEmail(id.Email) {
			id.Email, id.EmailVerified = "", false
		}
	} else {
		d := documents{token: answer, callback: cb.params}
		raw, err := p.fetchProfile(ctx, cb, tok, &d)
		if err != nil {
			return Identity{}, err
		}
		if p.active != nil && !p.active(d.profile) {
			return Identity{}, newError(p.info, "profile", reasonInactive, fmt.Errorf("the account is not active: %w", ErrDenied))
		}
		id = p.fields.identity(d, p.def.EmailsVerified)
		id.Raw = raw
	}
	if err := checkSubject(id.Subject); err != nil {
		return Identity{}, newError(p.info, "profile", reasonSubject, err)
	}
	id.Provider, id.Issuer = p.info.ID, p.issuer
	id.EmailVerified = id.EmailVerified && !p.doubted
	return id, nil
}

// fetchProfile fills in d.profile and d.calls, and returns the profile as sent,
// with the answers of the calls as members.
func (p *oauth2Provider) fetchProfile(ctx context.Context, cb Callback, tok Token, d *documents) (json.RawMessage, error) {
	secret, err := p.grant.secret()
	if err != nil {
		return nil, newError(p.info, "profile", reasonConfig, err)
	}
	v := &flowVars{
		clientID: p.grant.clientID, secret: secret, tok: tok, answer: d.token, kept: unpackMemo(tok.Memo),
		callback: cb.params, state: cb.Param("state"), redirectURI: cb.URL(), scopes: tok.Scopes, sep: p.grant.sep(),
	}
	profile, members := map[string]any{}, map[string]json.RawMessage{}
	var raw json.RawMessage
	if p.user != nil {
		body, doc, err := p.user.do(ctx, p.client, p.info, v)
		if err != nil {
			return nil, err
		}
		m, ok := doc.(map[string]any)
		if !ok {
			return nil, newError(p.info, "profile", reasonProfile, errors.New("the profile is no JSON object"))
		}
		profile, raw = m, body
	}
	d.profile, v.profile = profile, profile
	if len(p.calls) == 0 {
		return raw, nil
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &members); err != nil {
			return nil, newError(p.info, "profile", reasonProfile, errNotJSON)
		}
	}
	d.calls = make(map[string]any, len(p.calls))
	for _, c := range p.calls {
		body, doc, err := c.do(ctx, p.client, p.info, v)
		if err != nil {
			return nil, err
		}
		if doc != nil {
			d.calls[c.Name], profile[c.Name], members[c.Name] = doc, doc, body
		}
	}
	return json.Marshal(members)
}

func (p *oauth2Provider) Refresh(ctx context.Context, tok Token) (Token, error) {
	if p.check != nil {
		return Token{}, newError(p.info, "refresh", reasonConfig, p.check)
	}
	next, _, err := p.grant.refresh(ctx, p.def.Endpoint, tok)
	return next, err
}

func (p *oauth2Provider) Revoke(ctx context.Context, tok Token) error {
	if p.check != nil {
		return newError(p.info, "revoke", reasonConfig, p.check)
	}
	if p.revokes == nil {
		return p.grant.revoke(ctx, p.def.Endpoint, p.def.RevokeURL, tok)
	}
	secret, err := p.grant.secret()
	if err != nil {
		return newError(p.info, "revoke", reasonConfig, err)
	}
	v := &flowVars{clientID: p.grant.clientID, secret: secret, tok: tok, kept: unpackMemo(tok.Memo)}
	req, err := p.revokes.request(ctx, v)
	if err != nil {
		return newError(p.info, "revoke", reasonConfig, err)
	}
	status, header, body, err := fetch(p.client, req)
	if err != nil {
		return newError(p.info, "revoke", reasonRevoke, err)
	}
	if status == http.StatusNotFound || status == http.StatusUnauthorized && p.revokes.bearer {
		return nil // the service does not know it any more
	}
	if err := p.grant.revokeAnswer(status, header, body); err != nil || p.revokes.fail == nil {
		return err
	}
	if doc, err := decodeJSON(body); err == nil && p.revokes.fail(doc) {
		return newError(p.info, "revoke", reasonRevoke, errors.New("the answer says that something is wrong"))
	}
	return nil
}

// addHosts returns i.Hosts with the hosts to which the calls always go.
func addHosts(i Info, calls ...*preparedCall) []string {
	hosts := slices.Clone(i.Hosts)
	if u, err := url.Parse(i.API); err == nil && u.Host != "" {
		hosts = append(hosts, hostPort(u))
	}
	for _, c := range calls {
		if c != nil {
			hosts = append(hosts, c.host())
		}
	}
	return joinScopes(hosts)
}

// mergeParams returns a copy of a with what b sets.
func mergeParams(a, b url.Values) url.Values {
	out := maps.Clone(a)
	if out == nil {
		out = make(url.Values, len(b))
	}
	maps.Copy(out, b)
	return out
}

// clone keeps callers from changing what a provider says of itself.
func (i Info) clone() Info {
	i.Hosts, i.FormerIDs = slices.Clone(i.Hosts), slices.Clone(i.FormerIDs)
	return i
}
