package provider

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// These are internal because no answer of a service shows whether a document was
// read as encoding/json would have, save for the little that is kept of it.

// standardJSON is readJSON by encoding/json alone.
func standardJSON(data []byte) (any, bool) {
	if !utf8.Valid(data) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil || len(bytes.Trim(data[d.InputOffset():], " \t\r\n")) > 0 {
		return nil, false
	}
	return doc, true
}

// repeated finds names that stand twice, by tokens.
func repeated(t testing.TB, data []byte) repetition {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var read func(depth int) repetition
	read = func(depth int) (most repetition) {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		names := map[any]bool{}
		for token == json.Delim('{') && d.More() {
			name, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			if names[name] && depth == 0 {
				most = outermost
			} else if names[name] {
				most = max(most, inside)
			}
			names[name] = true
			most = max(most, read(depth+1))
		}
		for token == json.Delim('[') && d.More() {
			most = max(most, read(depth+1))
		}
		if _, ok := token.(json.Delim); ok {
			if _, err := d.Token(); err != nil {
				t.Fatal(err)
			}
		}
		return most
	}
	return read(0)
}

func checkReadJSON(t testing.TB, data []byte) {
	t.Helper()
	got, twice, ok := readJSON(data)
	want, wantOK := standardJSON(data)
	if ok != wantOK || ok && !reflect.DeepEqual(got, want) {
		t.Errorf("%.80q: got %v, %v, want %v, %v", data, got, ok, want, wantOK)
	}
	if ok && twice != repeated(t, data) {
		t.Errorf("%.80q: got names twice at %d, want %d", data, twice, repeated(t, data))
	}
}

var jsonDocuments = []string{
	``, ` `, `{`, `}`, `[`, `{}`, `[]`, `null`, `true`, `false`, `nul`, `0`, `-0.5e+10`, `01`, `1.`, `+1`, `""`, `"a`, `"\"`, `"\\"`, `"\""`,
	`{"a":1}`, ` { "a" : [ 1 , "b" , null , true , false , { } , [ ] , -1.5E-3 ] } `, `{"a":1,}`, `{,"a":1}`, `[1,]`, `[,]`, `{"a" 1}`, `{"a":}`, `{1:2}`,
	`{"a":1} `, `{"a":1}x`, `{"a":1}{"a":1}`, "\ufeff{}", "{\"a\":\"\xff\"}", "{\"a\":\"\t\"}", "{\"\u2028\":\"é\"}", "\v{}",
	`{"a":"\u00e9\ud83d\ude00\ud800\n\/"}`, `{"a":"\x"}`, `{"a":"\ud800\"}"}`, `{"\u0061":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`, `[{"a":1,"a":1}]`,
	`{"a":{"b":1,"b":2},"c":1,"c":2}`, `{"c":1,"c":{"b":1,"b":2}}`, `{"":1,"":2}`, `{"a":"b\\","c":"{\"d\":[:,]"}`, `[[[]],[{}],[{"a":[{}]}]]`,
	`123456789012345678901234567890.5`, `"` + strings.Repeat("x", 2*maxShared) + `"`, `{"a":"` + strings.Repeat(`\n`, maxShared) + `","b":"c"}`,
}

func TestJSONIsReadAsByTheStandardLibrary(t *testing.T) {
	for _, s := range jsonDocuments {
		checkReadJSON(t, []byte(s))
		for i := range min(len(s), 64) {
			checkReadJSON(t, []byte(s[:i]))
		}
	}
	for _, depth := range []int{100, 9_999, 10_001} {
		data := []byte(strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth))
		if got, _, ok := readJSON(data); ok != json.Valid(data) || ok != (got != nil) {
			t.Errorf("%d lists in lists: got %v, want %v", depth, ok, json.Valid(data))
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	for _, s := range jsonDocuments {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 8<<10 {
			checkReadJSON(t, data)
		}
	})
}

// A name that is kept must not keep a megabyte with it.
func TestTextsOfALongDocumentAreCopies(t *testing.T) {
	for size, copied := range map[int]bool{100: false, maxShared + 1: true} {
		r := jsonReader{text: strings.Repeat(" ", size-len(`"jane"`)) + `"jane"`}
		name, _ := r.value().(string)
		inside := r.text[size-len(`jane"`) : size-1]
		if got := unsafe.StringData(name) != unsafe.StringData(inside); name != "jane" || got != copied {
			t.Errorf("%d bytes: got %q, a copy: %v, want %v", size, name, got, copied)
		}
	}
}
