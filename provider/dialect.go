package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// A preparedDialect is the parsed form of a [Dialect].
type preparedDialect struct {
	Dialect
	code                  string
	header                map[string][]*template
	params, refreshParams map[string][]*template
	tradesAccess          bool
	root, failCode        []segment
	reply                 map[string][]segment
	keep                  map[string][]segment
	fail                  cond
	plain                 bool // a token request is as in RFC 6749
}

// prepare parses d. What it returns is usable despite an error: what could not
// be parsed is left out.
func (d Dialect) prepare() (*preparedDialect, error) {
	p := &preparedDialect{Dialect: d, code: d.Code}
	var errs []error
	report := func(field string, err error) {
		errs = append(errs, inField("Dialect."+field, err))
	}
	var err error
	if p.code == "" {
		p.code = "code"
	}
	p.header, err = parseTemplates(d.Header, inText)
	report("Header", err)
	p.params, err = parseTemplates(d.Params, inText)
	report("Params", err)
	p.refreshParams = p.params
	if d.RefreshParams != nil {
		p.refreshParams, err = parseTemplates(d.RefreshParams, inText)
		report("RefreshParams", err)
		for _, list := range p.refreshParams {
			p.tradesAccess = p.tradesAccess || slices.ContainsFunc(list, func(t *template) bool { return t.uses("access_token") })
		}
	}
	for _, m := range []string{d.Method, d.RefreshMethod} {
		if m != "" && m != http.MethodPost && m != http.MethodGet {
			report("Method", fmt.Errorf("%q is neither POST nor GET", m))
		}
	}
	if d.RefreshURL != "" {
		report("RefreshURL", checkURL(d.RefreshURL))
	}
	if d.Root != "" {
		p.root, err = parseSegments(d.Root)
		report("Root", err)
	}
	failCode := d.FailCode
	if failCode == "" {
		failCode = "error"
	}
	p.failCode, err = parseSegments(failCode)
	report("FailCode", err)
	p.reply = make(map[string][]segment, len(d.Reply))
	for name, at := range d.Reply {
		if !slices.Contains(replyNames[:], name) {
			report("Reply", fmt.Errorf("%q is no member of a token answer", name))
		}
		p.reply[name], err = parseSegments(at)
		report("Reply", err)
	}
	p.keep = make(map[string][]segment, len(d.Keep))
	for _, name := range d.Keep {
		p.keep[name], err = parseSegments(name)
		report("Keep", err)
	}
	if d.Fail != "" {
		p.fail, err = parseCond(d.Fail)
		report("Fail", err)
	}
	posts := func(method string) bool { return method == "" || method == http.MethodPost }
	p.plain = posts(d.Method) && posts(d.RefreshMethod) && !d.JSON && len(d.Names)+len(p.params)+len(p.refreshParams) == 0
	return p, errors.Join(errs...)
}

func parseTemplates[M ~map[string][]string](m M, where place) (map[string][]*template, error) {
	var errs []error
	out := make(map[string][]*template, len(m))
	for name, values := range m {
		for _, s := range values {
			t, err := parseTemplate(s, where)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				continue
			}
			out[name] = append(out[name], t)
		}
	}
	return out, errors.Join(errs...)
}

// A tokenTransport stands below x/oauth2 for one request. It turns the request
// into what the service wants, reads the answer under our rules, and shows
// x/oauth2 an answer as in RFC 6749.
type tokenTransport struct {
	g      *grant
	d      *preparedDialect
	op     string
	vars   flowVars
	scopes []string

	tok    Token
	answer map[string]any

	// What is made once for the one request lies here, not in pieces.
	client http.Client
	out    http.Request
	plain  http.Response
	body   plainBody
}

// A plainBody is the body of the answer that x/oauth2 is shown.
type plainBody struct{ strings.Reader }

func (*plainBody) Close() error { return nil }

// These are shared between requests: nothing can be appended to them in place.
var (
	jsonType = []string{"application/json"}[:1:1]
	formType = []string{"application/x-www-form-urlencoded"}[:1:1]
	ourAgent = []string{userAgent}[:1:1]
)

// context makes x/oauth2 use rt, with the limits of the grant's client. A client
// with a Timeout would start a goroutine to mind the time of a transport that it
// does not know, so that the context does. All of the answer is read before rt
// returns.
func (rt *tokenTransport) context(ctx context.Context) (context.Context, context.CancelFunc) {
	rt.client = *rt.g.client
	rt.client.Transport = rt
	cancel := func() {}
	if rt.client.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, rt.client.Timeout)
		rt.client.Timeout = 0
	}
	return context.WithValue(ctx, oauth2.HTTPClient, &rt.client), cancel
}

// result says how it went. X/oauth2's own error is not returned: it prints the
// body.
func (rt *tokenTransport) result(t *oauth2.Token, err error) (Token, map[string]any, error) {
	if err == nil && t.AccessToken == rt.tok.AccessToken && rt.tok.AccessToken != "" {
		return rt.tok, rt.answer, nil
	}
	var own *Error
	if errors.As(err, &own) {
		return Token{}, nil, own
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return Token{}, nil, newError(rt.g.info, rt.op, reasonExchange, err)
	}
	return Token{}, nil, newError(rt.g.info, rt.op, reasonToken, errors.New("the token answer makes no sense"))
}

func (rt *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	out, err := rt.request(req)
	if err != nil {
		return nil, newError(rt.g.info, rt.op, reasonConfig, err)
	}
	res, err := rt.g.client.Transport.RoundTrip(out)
	if err != nil {
		return nil, rt.fail(out, err)
	}
	defer res.Body.Close()
	body, err := readBody(res)
	if err != nil {
		return nil, rt.fail(out, err)
	}
	if err := rt.read(res.StatusCode, res.Header.Get("Content-Type"), body); err != nil {
		return nil, err
	}
	// A form, which x/oauth2 reads once; it reads JSON twice. Of what it reads,
	// result asks for the access token alone.
	rt.body.Reset("access_token=" + url.QueryEscape(rt.tok.AccessToken))
	rt.plain = http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": formType}, Body: &rt.body, Request: req,
	}
	return &rt.plain, nil
}

func (rt *tokenTransport) fail(req *http.Request, err error) error {
	reason := reasonExchange
	if errors.Is(err, errTooLarge) {
		reason = reasonToken
	}
	return newError(rt.g.info, rt.op, reason, transportError(req.URL.Host, err))
}

// request returns req as the dialect wants it.
func (rt *tokenTransport) request(req *http.Request) (*http.Request, error) {
	rt.out = *req
	out := &rt.out
	out.Header = make(http.Header, len(req.Header)+2)
	maps.Copy(out.Header, req.Header)
	// Without GetBody, net/http sends nothing again, not even a GET: a code is
	// good for one request.
	out.GetBody = nil
	if rt.d.plain && rt.g.clientIDAs == "" {
		rt.setHeader(out)
		return out, nil // x/oauth2 has written it
	}
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	method, params := rt.d.Method, rt.d.params
	if rt.op == "refresh" {
		params = rt.d.refreshParams
		if rt.vars.tok.RefreshToken == "" {
			form.Del("refresh_token")
		}
		if rt.d.RefreshMethod != "" {
			method = rt.d.RefreshMethod
		}
	}
	for name, list := range params {
		if values := expandAll(list, &rt.vars); len(values) > 0 {
			form[name] = values
		}
	}
	form = rt.g.rename(form)
	var payload string
	switch {
	case method == http.MethodGet:
		out.Method = method
		u := *req.URL
		q := u.Query()
		for name, values := range form {
			q[name] = values
		}
		u.RawQuery = q.Encode()
		out.URL = &u
		out.Header.Del("Content-Type")
	case rt.d.JSON:
		m := make(map[string]string, len(form))
		for name := range form {
			m[name] = form.Get(name)
		}
		b, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		payload = string(b)
		out.Header.Set("Content-Type", "application/json")
	default:
		payload = form.Encode()
	}
	out.Body = io.NopCloser(strings.NewReader(payload))
	out.ContentLength = int64(len(payload))
	rt.setHeader(out)
	return out, nil
}

// setHeader sets the headers of the dialect, and ours.
func (rt *tokenTransport) setHeader(out *http.Request) {
	out.Header["Accept"] = jsonType
	for name, list := range rt.d.header {
		if values := expandAll(list, &rt.vars); len(values) > 0 {
			out.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if out.Header.Get("User-Agent") == "" {
		out.Header["User-Agent"] = ourAgent // or the client would copy the request once more
	}
}

// rename gives the parameters of the protocol the service's names.
func (g *grant) rename(form url.Values) url.Values {
	names := g.dialect.Names
	out := make(url.Values, len(form))
	for name, values := range form {
		word, ok := names[name]
		if !ok {
			word = name
			if name == "client_id" && g.clientIDAs != "" {
				word = g.clientIDAs
			}
		}
		if word != "" {
			out[word] = values
		}
	}
	return out
}

// expandAll leaves out what has no value.
func expandAll(list []*template, v vars) []string {
	var out []string
	for _, t := range list {
		if s, err := t.expand(v); err == nil {
			out = append(out, s)
		}
	}
	return out
}
