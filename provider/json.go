package provider

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

var errNotJSON = errors.New("the answer is not a JSON document")

// decodeJSON decodes the whole of body. Numbers stay as written, as
// [json.Number]. A member that is there twice is refused where it matters,
// in the outermost object, and so is text that is not UTF-8: decoded, two
// different names would look the same.
func decodeJSON(body []byte) (any, error) {
	doc, twice, ok := readJSON(body)
	if !ok || twice == outermost {
		return nil, errNotJSON
	}
	return doc, nil
}

// A repetition says where an object has two members of one name.
type repetition uint8

const (
	nowhere   repetition = iota
	inside               // in an object within another value
	outermost            // in the document itself
)

// readJSON decodes data, which is UTF-8, into what encoding/json would with
// numbers as [json.Number], and tells of names that stand twice, however they
// are escaped. Of their values the last counts.
func readJSON(data []byte) (doc any, twice repetition, ok bool) {
	// encoding/json alone judges what is JSON. To take apart what is, needs no
	// decoder, which makes several objects for each value.
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, nowhere, false
	}
	r := jsonReader{text: string(data)}
	doc = r.value()
	return doc, r.twice, !r.broken
}

// maxShared is how long a document may be whose texts are parts of it, so that
// who keeps a name does not keep a megabyte with it.
const maxShared = 4 << 10

// A jsonReader reads one valid document.
type jsonReader struct {
	text   string
	at     int
	depth  int // of objects and lists around
	twice  repetition
	broken bool
}

// next returns the next byte that is no white space.
func (r *jsonReader) next() byte {
	for {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return c
		}
	}
}

func (r *jsonReader) value() any {
	switch r.next() {
	case '{':
		return r.object()
	case '[':
		return r.list()
	case '"':
		return r.string()
	case 't':
		r.at += len("true")
		return true
	case 'f':
		r.at += len("false")
		return false
	case 'n':
		r.at += len("null")
		return nil
	}
	return r.number()
}

func (r *jsonReader) object() map[string]any {
	m := make(map[string]any)
	r.at++
	r.depth++
	for {
		switch r.next() {
		case '}':
			r.at++
			r.depth--
			return m
		case ',':
			r.at++
			continue
		}
		name := r.string()
		r.next()
		r.at++ // the colon
		v, n := r.value(), len(m)
		if m[name] = v; len(m) > n {
			continue
		}
		if r.depth == 1 {
			r.twice = outermost
		} else {
			r.twice = max(r.twice, inside)
		}
	}
}

func (r *jsonReader) list() []any {
	list := []any{}
	r.at++
	r.depth++
	for {
		switch r.next() {
		case ']':
			r.at++
			r.depth--
			return list
		case ',':
			r.at++
			continue
		}
		list = append(list, r.value())
	}
}

func (r *jsonReader) string() string {
	start := r.at
	end := start + 1
	escaped := false
	for ; r.text[end] != '"'; end++ {
		if r.text[end] == '\\' {
			escaped = true
			end++
		}
	}
	r.at = end + 1
	if !escaped {
		return r.part(start+1, end)
	}
	var s string
	if json.Unmarshal([]byte(r.text[start:r.at]), &s) != nil {
		r.broken = true // which a string of a valid document is not
	}
	return s
}

func (r *jsonReader) number() json.Number {
	start := r.at
	for r.at < len(r.text) && strings.IndexByte("0123456789.+-eE", r.text[r.at]) >= 0 {
		r.at++
	}
	return json.Number(r.part(start, r.at))
}

func (r *jsonReader) part(from, to int) string {
	s := r.text[from:to]
	if len(r.text) > maxShared {
		return strings.Clone(s)
	}
	return s
}
