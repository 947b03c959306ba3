package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A place says where a template stands, and so how its values are escaped.
type place int

const (
	inURL  place = iota // by the part of the URL
	inText              // a header, or a query that is encoded later
	inJSON              // within quotes
	inForm
)

// A template is text with variables.
type template struct {
	parts []fragment
}

// A fragment is literal text, or a variable if name is not empty.
type fragment struct {
	literal, name string
	path          *path // of a variable of Fields
	segs          []segment
	escape        func(string) (string, error)
}

// vars gives the values of variables.
type vars interface {
	value(f fragment) (string, bool)
}

var (
	errTemplate = errors.New("bad template")
	errNoValue  = errors.New("a part of the template has no value")
)

// templateVars are the variables without a dot.
var templateVars = [...]string{
	"client_id", "client_secret", "client_basic", "access_token", "refresh_token", "proof",
	"state", "redirect_uri", "scopes",
}

// parseTemplate parses a template of a [Call] or a [Dialect]. In a body, braces
// around anything but a variable are text, as JSON and GraphQL are full of them.
func parseTemplate(s string, where place) (*template, error) {
	t := &template{}
	lenient := where == inJSON || where == inForm
	for s != "" {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			t.literal(s)
			break
		}
		name, rest, ok := cutBrace(s[i:])
		f := fragment{name: name}
		err := error(nil)
		if ok {
			f, err = parseVar(name)
		}
		if !ok || err != nil {
			if !lenient {
				return nil, fmt.Errorf("%w: nothing is called {%s}", errTemplate, name)
			}
			t.literal(s[:i+1])
			s = s[i+1:]
			continue
		}
		t.literal(s[:i])
		if f.escape, err = escaper(where, t.text(), f.name, rest); err != nil {
			return nil, err
		}
		t.parts, s = append(t.parts, f), rest
	}
	return t, nil
}

// cutBrace returns what stands in the braces with which s begins.
func cutBrace(s string) (name, rest string, ok bool) {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			quoted = !quoted
		case '}':
			if !quoted {
				return s[1:i], s[i+1:], i > 1
			}
		}
	}
	return "", "", false
}

func parseVar(name string) (fragment, error) {
	if slices.Contains(templateVars[:], name) {
		return fragment{name: name}, nil
	}
	doc, rest, ok := strings.Cut(name, ".")
	if !ok || doc != "token" && doc != "callback" && doc != "profile" {
		return fragment{}, errTemplate
	}
	segs, err := parseSegments(rest)
	return fragment{name: name, segs: segs}, err
}

func (t *template) literal(s string) {
	if n := len(t.parts); n > 0 && t.parts[n-1].name == "" {
		t.parts[n-1].literal += s
	} else if s != "" {
		t.parts = append(t.parts, fragment{literal: s})
	}
}

// text is t with "x" for each variable, to see in which part of a URL the next
// one stands.
func (t *template) text() string {
	var b strings.Builder
	for _, f := range t.parts {
		if f.name != "" {
			b.WriteByte('x')
		} else {
			b.WriteString(f.literal)
		}
	}
	return b.String()
}

// uses reports whether one of the variables stands in t.
func (t *template) uses(names ...string) bool {
	return t != nil && slices.ContainsFunc(t.parts, func(f fragment) bool {
		return f.name != "" && slices.Contains(names, f.name)
	})
}

// expand fills in the variables. It fails if one has no value.
func (t *template) expand(v vars) (string, error) {
	var b strings.Builder
	for _, f := range t.parts {
		if f.name == "" {
			b.WriteString(f.literal)
			continue
		}
		s, ok := v.value(f)
		if !ok || s == "" {
			return "", fmt.Errorf("%w: {%s}", errNoValue, f.name)
		}
		s, err := f.escape(s)
		if err != nil {
			return "", fmt.Errorf("{%s}: %w", f.name, err)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// escaper returns what makes a value fit to stand between before and after.
func escaper(where place, before, name, after string) (func(string) (string, error), error) {
	switch where {
	case inText:
		return func(s string) (string, error) {
			if hasControl(s) {
				return "", errors.New("a control character in the value")
			}
			return s, nil
		}, nil
	case inJSON:
		return escapeJSON, nil
	case inForm:
		return escapeQuery, nil
	}
	scheme, rest, hasScheme := strings.Cut(before, "://")
	authority := before == "" || hasScheme && !strings.ContainsAny(rest, "/?#")
	switch {
	case strings.Contains(before, "#"):
		return nil, fmt.Errorf("%w: {%s} stands in a fragment", errTemplate, name)
	case authority && !strings.HasPrefix(name, "token."):
		// Whoever chose the host would get the token. The browser must not.
		return nil, fmt.Errorf("%w: {%s} may not choose the host", errTemplate, name)
	case before == "":
		return escapeBase, nil
	case authority && scheme != "https" && scheme != "http":
		return nil, fmt.Errorf("%w: no scheme before {%s}", errTemplate, name)
	case authority:
		return escapeHost, nil
	case strings.Contains(before, "?"):
		return escapeQuery, nil
	}
	return func(s string) (string, error) {
		if s == "." || s == ".." {
			return "", errors.New("a dot segment in the value")
		}
		return url.PathEscape(s), nil
	}, nil
}

func escapeQuery(s string) (string, error) { return url.QueryEscape(s), nil }

func escapeJSON(s string) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return string(b[1 : len(b)-1]), nil
}

func escapeHost(s string) (string, error) {
	for _, c := range []byte(s) {
		if c != '.' && c != '-' && c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "", errors.New("the value is no host name")
		}
	}
	return s, nil
}

// escapeBase allows a value to be the beginning of a URL.
func escapeBase(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || checkHTTPS(u) != nil || u.User != nil || u.Fragment != "" || hasControl(s) {
		return "", errors.New("the value is no https URL")
	}
	return s, nil
}

// fieldVars are the variables of a template in [Fields]: paths.
type fieldVars struct{ d documents }

func (v fieldVars) value(f fragment) (string, bool) {
	s := f.path.eval(v.d, false)
	return s, s != ""
}

func parseFieldTemplate(s string, calls []string) (*template, error) {
	isURL := strings.HasPrefix(s, "https://")
	t := &template{}
	for s != "" {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			t.literal(s)
			break
		}
		name, rest, ok := cutBrace(s[i:])
		if !ok || strings.HasPrefix(name, "tmpl:") {
			return nil, fmt.Errorf("%w: a brace is not closed or empty", errTemplate)
		}
		p, err := parsePath(name, calls)
		if err != nil {
			return nil, err
		}
		t.literal(s[:i])
		f := fragment{name: name, path: p, escape: func(s string) (string, error) { return s, nil }}
		if isURL && strings.Contains(t.text(), "?") {
			f.escape = escapeQuery
		} else if isURL {
			// Services give parts of paths with their slashes.
			f.escape = func(s string) (string, error) {
				return strings.ReplaceAll(url.PathEscape(s), "%2F", "/"), nil
			}
		}
		t.parts, s = append(t.parts, f), rest
	}
	return t, nil
}
