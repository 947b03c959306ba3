package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
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
	var err error
	if b := bytes.TrimLeft(body, " \t\r\n"); len(b) > 0 && b[0] == '{' {
		doc, err = decodeObject(dec)
	} else {
		err = dec.Decode(&doc)
	}
	if err != nil {
		return nil, errNotJSON
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errNotJSON
	}
	return doc, nil
}

func decodeObject(dec *json.Decoder) (map[string]any, error) {
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	doc := make(map[string]any)
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := tok.(string)
		if !ok {
			return nil, errNotJSON
		}
		if _, ok := doc[name]; ok {
			return nil, errNotJSON
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		doc[name] = v
	}
	_, err := dec.Token()
	return doc, err
}
