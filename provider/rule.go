package provider

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A rule says whether the service vouches for an email address.
type rule func(email string, d documents) bool

// parseRule parses a rule of Fields.EmailVerified. Calls are as in parsePath.
func parseRule(s string, calls []string) (rule, error) {
	if rest, ok := strings.CutPrefix(s, "any:"); ok {
		var rules []rule
		for _, one := range split(rest, ';') {
			r, err := parseOneRule(strings.TrimSpace(one), calls)
			if err != nil {
				return nil, err
			}
			rules = append(rules, r)
		}
		return func(email string, d documents) bool {
			return slices.ContainsFunc(rules, func(r rule) bool { return r(email, d) })
		}, nil
	}
	return parseOneRule(s, calls)
}

func parseOneRule(s string, calls []string) (rule, error) {
	word, rest, ok := strings.Cut(s, ":")
	if !ok {
		word, rest = "", s
	}
	bad := func(err error) (rule, error) { return nil, fmt.Errorf("rule %q: %w", s, err) }
	var want string
	switch word {
	case "claim_loose", "nonnull", "nonempty", "in":
	case "int", "state":
		if rest, want, ok = strings.Cut(rest, "=="); !ok || want == "" {
			return bad(fmt.Errorf("%w: it wants P==V", errPath))
		}
	case "all":
		var parts []part
		for _, one := range split(rest, ',') {
			p, err := parsePlace(strings.TrimSpace(one), calls)
			if err != nil {
				return bad(err)
			}
			parts = append(parts, p)
		}
		return func(_ string, d documents) bool {
			return !slices.ContainsFunc(parts, func(p part) bool { v, _ := p.find(d); return v != true })
		}, nil
	default: // a path, which may begin with a document
		word, rest = "", s
	}
	p, err := parsePlace(rest, calls)
	if err != nil {
		return bad(err)
	}
	return func(email string, d documents) bool {
		v, there := p.find(d)
		return there && meets(word, want, v, email)
	}, nil
}

// meets reports whether v, which is there, is what the rule called word wants.
func meets(word, want string, v any, email string) bool {
	s, isText := v.(string)
	n, isNumber := v.(json.Number)
	list, isList := v.([]any)
	switch word {
	case "claim_loose":
		return v == true || isText && (s == "true" || s == "1") || isNumber && n == "1"
	case "int":
		return isNumber && n.String() == want
	case "state":
		return isText && s == want
	case "nonnull":
		return v != nil
	case "nonempty":
		m, isMap := v.(map[string]any)
		return v == true || isText && s != "" || isNumber || isList && len(list) > 0 || isMap && len(m) > 0
	case "in":
		return email != "" && (isText && s == email || slices.Contains(list, any(email)))
	}
	return v == true
}

// A cond is a condition on one document, such as a token answer.
type cond func(doc any) bool

// parseCond parses clauses parted by ";", of which one must hold: "P==V" if P is
// there and its text is V; "P!=V" if it is there and its text is another; "P" if
// it is there and not null; "!P" if it is not.
func parseCond(s string) (cond, error) {
	var clauses []cond
	for _, one := range split(s, ';') {
		c, err := parseClause(strings.TrimSpace(one))
		if err != nil {
			return nil, fmt.Errorf("condition %q: %w", s, err)
		}
		clauses = append(clauses, c)
	}
	return func(doc any) bool {
		return slices.ContainsFunc(clauses, func(c cond) bool { return c(doc) })
	}, nil
}

func parseClause(s string) (cond, error) {
	place, want, equal := cutOutside(s, "==")
	unequal := false
	if !equal {
		place, want, unequal = cutOutside(s, "!=")
	}
	absent := false
	if !equal && !unequal {
		place, absent = strings.CutPrefix(s, "!")
	}
	segs, err := parseSegments(place)
	if err != nil {
		return nil, err
	}
	return func(doc any) bool {
		v, there := walk(doc, segs)
		there = there && v != nil
		switch {
		case absent:
			return !there
		case equal, unequal:
			s, ok := scalar(v)
			return ok && (s == want) == equal
		}
		return there
	}, nil
}

// cutOutside is [strings.Cut], save that sep in brackets does not count.
func cutOutside(s, sep string) (before, after string, found bool) {
	depth := 0
	for i := range s {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		}
		if depth == 0 && strings.HasPrefix(s[i:], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

// scalar is text, and "true" or "false".
func scalar(v any) (string, bool) {
	switch v {
	case true:
		return "true", true
	case false:
		return "false", true
	}
	return text(v)
}
