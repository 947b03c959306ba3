package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
)

// FuzzColons compares what is counted with the members that the standard library
// reads one by one. It is internal because a document comes this way only in a
// signed token or an answer. An error here would let a name stand twice.
func FuzzColons(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `""`, `":"`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[{"c":":"}]},"d":"{"}`, `{"a":"\"","b":":\":"}`, `{"a":"\\","b":1}`, `{"\":\"":"\\\""}`,
		`[{"a":1},{"a":[{}]}]`, `{"a":["}",{"b":2}],"c":3}`, `{"a:b":"]","\u0022":"\u005c"}`, "{\"\u00e4\":\"\u20ac\\\"\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		wantAll, wantOuter := names(t, data)
		if all, outer := colons(data); all != wantAll || outer != wantOuter {
			t.Errorf("%s: got %d and %d, want %d and %d", data, all, outer, wantAll, wantOuter)
		}
	})
}

// names counts the names of all members in data, and those of the outermost
// object.
func names(t *testing.T, data []byte) (all, outer int) {
	type level struct{ object, named bool }
	var levels []level
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // or one too large would be an error
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, outer
		}
		if err != nil {
			t.Fatal(err)
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if n := len(levels); n > 0 && levels[n-1].object {
			l := &levels[n-1]
			if l.named = !l.named; l.named {
				if all++; n == 1 {
					outer++
				}
				continue
			}
		}
		if token == json.Delim('{') || token == json.Delim('[') {
			levels = append(levels, level{object: token == json.Delim('{')})
		}
	}
}
