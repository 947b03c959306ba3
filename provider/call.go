package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A preparedCall is the parsed form of a [Call].
type preparedCall struct {
	Call
	url           *template
	header, query map[string][]*template
	body          *template
	contentType   string
	fail          cond
	bearer        bool
}

// prepare parses c. What it returns is usable despite an error, but not to be
// sent.
func (c Call) prepare() (*preparedCall, error) {
	p := &preparedCall{Call: c, contentType: c.ContentType}
	var errs []error
	report := func(field string, err error) { errs = append(errs, inField(field, err)) }
	var err error
	p.url, err = parseTemplate(c.URL, inURL)
	report("URL", err)
	if err == nil && !startsWithVar(p.url) {
		report("URL", checkURL(p.url.text()))
	}
	p.header, err = parseTemplates(c.Header, inText)
	report("Header", err)
	p.query, err = parseTemplates(c.Query, inText)
	report("Query", err)
	if c.Body != "" {
		where := inForm
		if s := strings.TrimLeft(c.Body, " \t\r\n"); p.contentType == "" && (strings.HasPrefix(s, "{\"") || strings.HasPrefix(s, "[")) {
			p.contentType = "application/json"
		} else if p.contentType == "" {
			p.contentType = "application/x-www-form-urlencoded"
		}
		if !strings.HasPrefix(p.contentType, "application/x-www-form-urlencoded") {
			where = inJSON
		}
		p.body, err = parseTemplate(c.Body, where)
		report("Body", err)
	}
	if c.Fail != "" {
		p.fail, err = parseCond(c.Fail)
		report("Fail", err)
	}
	switch c.Method {
	case "", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		report("Method", fmt.Errorf("%q is not offered", c.Method))
	}
	p.bearer = !p.holds("access_token", "client_basic")
	return p, errors.Join(errs...)
}

func startsWithVar(t *template) bool { return len(t.parts) > 0 && t.parts[0].name != "" }

// holds reports whether one of the variables stands in a part of the call.
func (p *preparedCall) holds(names ...string) bool {
	if p.url.uses(names...) || p.body.uses(names...) {
		return true
	}
	for _, m := range []map[string][]*template{p.header, p.query} {
		for _, list := range m {
			for _, t := range list {
				if t.uses(names...) {
					return true
				}
			}
		}
	}
	return false
}

// host returns the host that the call always goes to, if it always is the same.
func (p *preparedCall) host() string {
	if p.url == nil || len(p.url.parts) == 0 || startsWithVar(p.url) {
		return ""
	}
	lead := p.url.parts[0].literal
	u, err := url.Parse(lead)
	if err != nil || len(p.url.parts) > 1 && !strings.Contains(strings.TrimPrefix(lead, u.Scheme+"://"), "/") {
		return ""
	}
	return hostPort(u)
}

// request fills in the templates.
func (p *preparedCall) request(ctx context.Context, v *flowVars) (*http.Request, error) {
	s, err := p.url.expand(v)
	if err != nil {
		return nil, err
	}
	body := ""
	if p.body != nil {
		if body, err = p.body.expand(v); err != nil {
			return nil, err
		}
	}
	method := p.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, s, strings.NewReader(body))
	if err != nil || req.URL.User != nil {
		return nil, errors.New("the template made no URL")
	}
	if body == "" {
		req.Body, req.GetBody = http.NoBody, nil
	}
	extra := make(url.Values, len(p.query))
	for name, list := range p.query {
		for _, t := range list {
			s, err := t.expand(v)
			if err != nil {
				return nil, err
			}
			extra.Add(name, s)
		}
	}
	if q := extra.Encode(); q != "" && req.URL.RawQuery != "" {
		req.URL.RawQuery += "&" + q
	} else if q != "" {
		req.URL.RawQuery = q
	}
	req.Header.Set("Accept", "application/json")
	if p.contentType != "" {
		req.Header.Set("Content-Type", p.contentType)
	}
	if p.bearer {
		req.Header.Set("Authorization", v.tok.scheme()+" "+v.tok.AccessToken)
	}
	for name, list := range p.header {
		req.Header.Del(name)
		for _, t := range list {
			s, err := t.expand(v)
			if err != nil {
				return nil, err
			}
			req.Header.Add(name, s)
		}
	}
	return req, nil
}

// scheme is what Authorization begins with.
func (t Token) scheme() string {
	if t.Type == "" || strings.EqualFold(t.Type, "Bearer") {
		return "Bearer"
	}
	return t.Type
}

// do sends the call and returns the answer, as it came and decoded. Both are nil
// if the call is optional and there is nothing.
func (p *preparedCall) do(ctx context.Context, c *http.Client, info Info, v *flowVars) (json.RawMessage, any, error) {
	req, err := p.request(ctx, v)
	if err != nil {
		if p.Optional && errors.Is(err, errNoValue) {
			return nil, nil, nil
		}
		return nil, nil, newError(info, "profile", reasonProfile, p.named(err))
	}
	status, _, body, err := fetch(c, req)
	if err != nil {
		return nil, nil, newError(info, "profile", reasonProfile, p.named(err))
	}
	if p.Optional && (status == http.StatusForbidden || status == http.StatusNotFound) {
		return nil, nil, nil
	}
	doc, err := readProfile(status, body)
	if err == nil && (p.fail != nil && p.fail(doc) || p.fail == nil && saysError(doc)) {
		err = errors.New("the answer says that something is wrong")
	}
	if err != nil {
		reason := reasonProfile
		if status < 200 || status > 299 {
			reason = reasonHTTP
		}
		e := newError(info, "profile", reason, p.named(err))
		if m, ok := doc.(map[string]any); ok {
			s, _ := text(m["error"])
			e.Code = safeCode(s)
		}
		return nil, nil, e
	}
	return body, doc, nil
}

func (p *preparedCall) named(err error) error {
	if p.Name == "" {
		return err
	}
	return fmt.Errorf("call %s: %w", p.Name, err)
}

// readProfile returns the JSON object or list in an answer. With an error it
// returns what it could read.
func readProfile(status int, body []byte) (any, error) {
	doc, err := decodeJSON(body)
	switch {
	case outOfOrder(status):
		return doc, fmt.Errorf("%w: status %d", ErrUnavailable, status)
	case status < 200 || status > 299:
		return doc, fmt.Errorf("the service refused with status %d", status)
	case err != nil:
		return nil, err
	}
	switch doc.(type) {
	case map[string]any, []any:
		return doc, nil
	}
	return nil, errors.New("the answer is neither a JSON object nor a list")
}

// saysError reports whether doc is an error that came with status 200.
func saysError(doc any) bool {
	m, _ := doc.(map[string]any)
	s, _ := m["error"].(string)
	return s != ""
}
