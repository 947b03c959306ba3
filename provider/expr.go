package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// documents are what a path may point into.
type documents struct {
	profile        any
	token, idToken map[string]any
	callback       url.Values
	calls          map[string]any
}

// get returns the document of that name, "" being the profile.
func (d documents) get(name string) any {
	switch name {
	case "":
		return d.profile
	case "token":
		return d.token
	case "id_token":
		return d.idToken
	case "callback":
		m := make(map[string]any, len(d.callback))
		for k := range d.callback {
			s := d.callback.Get(k)
			m[k] = s
			// Apple posts a person's name so.
			if strings.HasPrefix(s, "{") {
				if doc, err := decodeJSON([]byte(s)); err == nil {
					m[k] = doc
				}
			}
		}
		return m
	}
	return d.calls[name]
}

// reservedDocs are words before a colon that no Call may be named.
var reservedDocs = [...]string{
	"token", "id_token", "callback", "tmpl", "never", "claim", "claim_loose", "int", "state",
	"nonnull", "nonempty", "in", "all", "any", "strip",
}

// A path is the parsed form of what [Fields] calls a path. It binds, from loose
// to tight: "|", space, "&", ">".
type path struct {
	alts [][][]part // alternatives of words of members of a pair
	tmpl *template
}

// A part is one place in one document.
type part struct {
	doc  string
	segs []segment
	ops  []func(string) string
}

// A segment is a key, or the tests that an element of a list must pass.
type segment struct {
	key   string
	tests []test
}

// A test asks for a member that is true, or whose text is want, or, if has is
// set, for a list that holds want.
type test struct {
	key, want string
	has       bool
}

var errPath = errors.New("bad path")

// parsePath parses s. Calls are the names of documents beside the usual ones;
// nil stands for any.
func parsePath(s string, calls []string) (*path, error) {
	if rest, ok := strings.CutPrefix(s, "tmpl:"); ok {
		t, err := parseFieldTemplate(rest, calls)
		if err != nil {
			return nil, err
		}
		return &path{tmpl: t}, nil
	}
	p := &path{}
	for _, alt := range split(s, '|') {
		var words [][]part
		for _, word := range split(strings.TrimSpace(alt), ' ') {
			if word == "" {
				continue
			}
			var pair []part
			for _, one := range split(word, '&') {
				x, err := parsePart(one, calls)
				if err != nil {
					return nil, fmt.Errorf("path %q: %w", s, err)
				}
				pair = append(pair, x)
			}
			words = append(words, pair)
		}
		if len(words) == 0 {
			return nil, fmt.Errorf("path %q: %w: an alternative is empty", s, errPath)
		}
		p.alts = append(p.alts, words)
	}
	return p, nil
}

// split splits s at sep, save in brackets and in quotes within them.
func split(s string, sep byte) []string {
	var out []string
	start, depth, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && depth > 0:
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case c == sep && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func parsePart(s string, calls []string) (part, error) {
	steps := split(s, '>')
	p, err := parsePlace(steps[0], calls)
	if err != nil {
		return part{}, err
	}
	for _, step := range steps[1:] {
		op, err := parseOp(step)
		if err != nil {
			return part{}, err
		}
		p.ops = append(p.ops, op)
	}
	return p, nil
}

// parsePlace parses a document and the way in it, without ">".
func parsePlace(s string, calls []string) (part, error) {
	var p part
	if i := strings.IndexAny(s, ":.["); i >= 0 && s[i] == ':' {
		p.doc, s = s[:i], s[i+1:]
		known := p.doc == "token" || p.doc == "id_token" || p.doc == "callback"
		if !known && (p.doc == "" || slices.Contains(reservedDocs[:], p.doc) || calls != nil && !slices.Contains(calls, p.doc)) {
			return p, fmt.Errorf("%w: no document is named %q", errPath, p.doc)
		}
	}
	segs, err := parseSegments(s)
	p.segs = segs
	return p, err
}

func parseSegments(s string) ([]segment, error) {
	var segs []segment
	fresh := true // a key may begin here
	for len(s) > 0 {
		switch {
		case s[0] == '[':
			body, rest, err := cutBracket(s)
			if err != nil {
				return nil, err
			}
			seg, err := parseBracket(body)
			if err != nil {
				return nil, err
			}
			segs, s, fresh = append(segs, seg), rest, false
		case s[0] == '.' && !fresh && len(s) > 1 && s[1] != '[':
			s, fresh = s[1:], true
		default:
			i := strings.IndexAny(s, ".[")
			if i < 0 {
				i = len(s)
			}
			key := s[:i]
			if !fresh || key == "" || strings.ContainsAny(key, "]\"{}|&> :\\") || hasControl(key) {
				return nil, fmt.Errorf("%w at %q", errPath, s)
			}
			segs, s, fresh = append(segs, segment{key: key}), s[i:], false
		}
	}
	if fresh {
		return nil, fmt.Errorf("%w: a key is missing", errPath)
	}
	return segs, nil
}

// cutBracket returns what stands in the bracket with which s begins, and what
// follows it.
func cutBracket(s string) (body, rest string, err error) {
	end := -1
	if strings.HasPrefix(s, `["`) {
		if end = strings.Index(s, `"]`); end > 0 {
			end++
		}
	} else {
		end = strings.IndexByte(s, ']')
	}
	if end < 2 {
		return "", "", fmt.Errorf("%w: a bracket is empty or not closed", errPath)
	}
	return s[1:end], s[end+1:], nil
}

func parseBracket(body string) (segment, error) {
	if strings.HasPrefix(body, `"`) {
		if len(body) < 3 || strings.Count(body, `"`) != 2 {
			return segment{}, fmt.Errorf("%w: bad key in quotes", errPath)
		}
		return segment{key: body[1 : len(body)-1]}, nil
	}
	if _, err := strconv.Atoi(body); err == nil || body == "last" {
		return segment{key: body}, nil
	}
	var seg segment
	for _, s := range strings.Split(body, "&") {
		var t test
		if key, want, ok := strings.Cut(s, "=="); ok {
			t = test{key: key, want: want}
		} else if key, want, ok := strings.Cut(s, "~"); ok {
			t = test{key: key, want: want, has: true}
		} else {
			t = test{key: s}
			if s == "" || strings.ContainsAny(s, "\"[{}|> =") {
				return segment{}, fmt.Errorf("%w: bad test %q", errPath, s)
			}
		}
		if t.key == "" || t.want == "" && t.key != s {
			return segment{}, fmt.Errorf("%w: bad test %q", errPath, s)
		}
		seg.tests = append(seg.tests, t)
	}
	return seg, nil
}

// find returns what is at p, and whether anything is.
func (p part) find(d documents) (any, bool) { return walk(d.get(p.doc), p.segs) }

func walk(v any, segs []segment) (any, bool) {
	for _, seg := range segs {
		var ok bool
		switch x := v.(type) {
		case map[string]any:
			if seg.tests != nil {
				return nil, false
			}
			if v, ok = x[seg.key]; !ok {
				return nil, false
			}
		case []any:
			if v, ok = seg.pick(x); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return v, true
}

func (seg segment) pick(list []any) (any, bool) {
	if seg.tests == nil {
		i, err := strconv.Atoi(seg.key)
		if seg.key == "last" {
			i, err = len(list)-1, nil
		}
		if err != nil || i < 0 || i >= len(list) {
			return nil, false
		}
		return list[i], true
	}
	for _, v := range list {
		m, ok := v.(map[string]any)
		if ok && !slices.ContainsFunc(seg.tests, func(t test) bool { return !t.passes(m[t.key]) }) {
			return v, true
		}
	}
	return nil, false
}

func (t test) passes(v any) bool {
	switch {
	case t.has:
		list, _ := v.([]any)
		return slices.ContainsFunc(list, func(e any) bool { s, ok := text(e); return ok && s == t.want })
	case t.want != "":
		s, ok := text(v)
		return ok && s == t.want
	}
	return v == true
}

// text returns v as a string if it is one or a number.
func text(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	}
	return "", false
}

// eval returns the text at p, or "". If exact is set, a number counts only if
// it is written as an integer: a service that rounds gives two people one.
func (p *path) eval(d documents, exact bool) string {
	if p == nil {
		return ""
	}
	if p.tmpl != nil {
		s, err := p.tmpl.expand(fieldVars{d})
		if err != nil {
			return ""
		}
		return s
	}
	for _, words := range p.alts {
		var out []string
		for _, pair := range words {
			if s := evalPair(pair, d, exact); s != "" {
				out = append(out, s)
			}
		}
		if len(out) > 0 {
			return strings.Join(out, " ")
		}
	}
	return ""
}

func evalPair(pair []part, d documents, exact bool) string {
	var out []string
	for _, p := range pair {
		v, _ := p.find(d)
		s, ok := text(v)
		if n, isNumber := v.(json.Number); exact && isNumber && strings.ContainsAny(n.String(), ".eE") {
			ok = false
		}
		for _, op := range p.ops {
			s = op(s)
		}
		if !ok || s == "" {
			return ""
		}
		out = append(out, s)
	}
	return strings.Join(out, "/")
}

// single reports whether p has no alternatives.
func (p *path) single() bool { return p.tmpl != nil || len(p.alts) == 1 }

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r <= 0x9f })
}
