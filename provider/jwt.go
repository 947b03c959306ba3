package provider

import (
	"bytes"
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
// as "id_token", begins the Reason of errors. A header that is known is not read
// again; known may be nil.
func parseJWT(kind, raw string, algs []string, known *knownHeader) (*jwt, error) {
	malformed := func(format string, args ...any) error {
		return &Error{Reason: kind + "_malformed", Err: fmt.Errorf(format, args...)}
	}
	if len(raw) > maxJWT {
		return nil, malformed("longer than %d bytes", maxJWT)
	}
	for i := range len(raw) {
		if !unreserved(raw[i]) || raw[i] == '~' { // but for that, base64url and the dot
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
	t := &jwt{raw: raw}
	var err error
	if known != nil && known.text == head {
		t.alg, t.kid, t.typ = known.alg, known.kid, known.typ
	} else if err = t.readHeader(head); err != nil {
		return nil, malformed("header: %w", err)
	}
	if !slices.Contains(algs, t.alg) {
		return nil, &Error{Reason: kind + "_alg", Err: fmt.Errorf("want one of %v, got %.20q", algs, t.alg)}
	}
	if t.claims, t.payload, err = decodeSegment(body); err != nil {
		return nil, malformed("payload: %w", err)
	}
	return t, nil
}

// readHeader reads the part before the first dot.
func (t *jwt) readHeader(head string) error {
	header, _, err := decodeSegment(head)
	if err != nil {
		return err
	}
	for _, m := range [...]struct {
		name string
		to   *string
	}{{"alg", &t.alg}, {"kid", &t.kid}, {"typ", &t.typ}} {
		if *m.to, err = header.text(m.name); err != nil {
			return err
		}
	}
	// No extension is understood here, and RFC 7515 section 4.1.11 then wants
	// the token refused. A signed token cannot be compressed or leave base64 out.
	for _, name := range [...]string{"crit", "zip", "b64", "enc"} {
		if _, ok := header[name]; ok {
			return fmt.Errorf("unexpected member %s", name)
		}
	}
	return nil
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
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil || o == nil {
		return nil, errors.New("not a JSON object")
	}
	if !blank(data[d.InputOffset():]) {
		return nil, errors.New("something follows the JSON object")
	}
	// Maps drop the first of two equal names, however they are escaped, so that
	// fewer members are left than there were colons.
	if all, _ := colons(data); members(map[string]any(o)) != all {
		return nil, errors.New("a name stands twice in an object")
	}
	return o, nil
}

func members(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, e := range v {
			n += members(e)
		}
	case []any:
		for _, e := range v {
			n += members(e)
		}
	}
	return n
}

// colons counts the colons outside of strings in data, which is valid JSON: all
// of them, and those of the outermost object.
func colons(data []byte) (all, outer int) {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		c := data[i]
		if quoted {
			if c == '\\' {
				i++ // what follows it ends no string
			} else if c == '"' {
				quoted = false
			}
			continue
		}
		switch c {
		case '"':
			quoted = true
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ':':
			if all++; depth == 1 {
				outer++
			}
		}
	}
	return all, outer
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
