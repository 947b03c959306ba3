package provider

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxJWT    = 64 << 10 // longer tokens are refused before anything is parsed
	clockSkew = time.Minute
)

// A jwt is a signed token in compact form, taken apart but not yet verified.
type jwt struct {
	raw           string
	alg, kid, typ string
	payload       []byte
	claims        object // of payload
}

// header returns the part before the first dot, in base64.
func (t *jwt) header() string { return t.raw[:strings.IndexByte(t.raw, '.')] }

// parseJWT takes raw apart. It is stricter than the JOSE libraries, so that no
// two parsers can read raw differently: compact form only, no white space, no
// name twice in a JSON object, nothing critical, nothing compressed. Kind, such
// as "id_token", begins the Reason of errors.
func parseJWT(kind, raw string, algs []string) (*jwt, error) {
	malformed := func(format string, args ...any) error {
		return &Error{Reason: kind + "_malformed", Err: fmt.Errorf(format, args...)}
	}
	if len(raw) > maxJWT {
		return nil, malformed("longer than %d bytes", maxJWT)
	}
	for i := range len(raw) {
		if !isBase64URL(raw[i]) && raw[i] != '.' {
			return nil, malformed("not in compact form")
		}
	}
	switch strings.Count(raw, ".") {
	case 2:
	case 4:
		return nil, malformed("encrypted, which is not supported")
	default:
		return nil, malformed("want three parts")
	}
	head, rest, _ := strings.Cut(raw, ".")
	body, _, _ := strings.Cut(rest, ".")
	header, _, err := decodeSegment(head)
	if err != nil {
		return nil, malformed("header: %w", err)
	}
	t := &jwt{raw: raw}
	for _, m := range [...]struct {
		name string
		to   *string
	}{{"alg", &t.alg}, {"kid", &t.kid}, {"typ", &t.typ}} {
		if *m.to, err = header.text(m.name); err != nil {
			return nil, malformed("header: %w", err)
		}
	}
	// No extension is understood here, and RFC 7515 section 4.1.11 then wants
	// the token refused. A signed token cannot be compressed or leave base64 out.
	for _, name := range [...]string{"crit", "zip", "b64", "enc"} {
		if _, ok := header[name]; ok {
			return nil, malformed("header: unexpected member %s", name)
		}
	}
	if !slices.Contains(algs, t.alg) {
		return nil, &Error{Reason: kind + "_alg", Err: fmt.Errorf("want one of %v, got %.20q", algs, t.alg)}
	}
	if t.claims, t.payload, err = decodeSegment(body); err != nil {
		return nil, malformed("payload: %w", err)
	}
	return t, nil
}

func isBase64URL(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// strictBase64 takes one spelling of each text, and no other.
var strictBase64 = base64.RawURLEncoding.Strict()

func decodeSegment(s string) (object, []byte, error) {
	data, err := strictBase64.DecodeString(s)
	if err != nil {
		return nil, nil, errors.New("not base64url")
	}
	o, err := decodeStrict(data)
	return o, data, err
}

// An object is a JSON object. Its names are compared exactly, other than those
// of struct tags, and its numbers are of type [json.Number].
type object map[string]any

// decodeStrict reads an object in which no name stands twice, at any depth.
func decodeStrict(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	doc, twice, ok := readJSON(data)
	o, isObject := doc.(map[string]any)
	switch {
	case !ok || !isObject:
		return nil, errors.New("not a JSON object")
	case twice != nowhere:
		return nil, errors.New("a name stands twice in an object")
	}
	return o, nil
}

// parseObject reads a document that a service answered with.
func parseObject(body []byte) (object, error) {
	doc, err := decodeJSON(body)
	if err != nil {
		return nil, err
	}
	o, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

// text returns the member of that name, or "" if there is none or it is null.
func (o object) text(name string) (string, error) {
	switch v := o[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", fmt.Errorf("%s: want a string", name)
}

// texts returns a list of strings. It is nil if there is none or it is null.
func (o object) texts(name string) ([]string, error) {
	list, ok := o[name].([]any)
	if !ok {
		if o[name] == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: want a list of strings", name)
	}
	all := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%s: want a list of strings", name)
		}
		all = append(all, s)
	}
	return all, nil
}

// date returns a NumericDate of RFC 7519, and whether there is one. Fractions
// are dropped. What is no date between 1970 and the year 9999 is an error.
func (o object) date(name string) (time.Time, bool, error) {
	if o[name] == nil {
		return time.Time{}, false, nil
	}
	n, ok := o[name].(json.Number)
	if !ok {
		return time.Time{}, false, fmt.Errorf("%s: want a number", name)
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || f < 0 || f >= 253402300800 {
		return time.Time{}, false, fmt.Errorf("%s: want a date in seconds", name)
	}
	return time.Unix(int64(math.Floor(f)), 0), true, nil
}
