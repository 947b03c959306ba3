package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

var errNotJSON = errors.New("the answer is not a JSON document")

// decodeJSON decodes the whole of body. Numbers stay as written, as
// [json.Number]. A member that is there twice is refused where it matters,
// in the outermost object, and so is text that is not UTF-8: decoded, two
// different names would look the same.
func decodeJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, errNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil || !blank(body[dec.InputOffset():]) {
		return nil, errNotJSON
	}
	if m, ok := doc.(map[string]any); ok {
		// Of two equal names a map has one, however they are escaped.
		if _, outer := colons(body); len(m) != outer {
			return nil, errNotJSON
		}
	}
	return doc, nil
}

// blank reports whether b is white space of JSON.
func blank(b []byte) bool { return len(bytes.TrimLeft(b, " \t\r\n")) == 0 }
