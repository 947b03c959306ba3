package session

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The format is not seen from outside, and what is stored outlives the program.

type ofTheApp struct {
	Name string
	N    []int
}

type behindPointer struct{ A int }

type unknown struct{ A int }

type panics struct{}

func (panics) GobEncode() ([]byte, error) { panic("no") }

func written(t *testing.T, v any) []byte {
	t.Helper()
	b, err := appendValue(nil, v, 0)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	return b
}

func TestValuesKeepTheirTypes(t *testing.T) {
	gob.Register(ofTheApp{})
	gob.Register(&behindPointer{})
	zone := time.FixedZone("", 5*3600+1800)
	deep := any("bottom")
	for range 30 {
		deep = []any{deep}
	}
	for _, v := range []any{
		nil, true, false, "", "x", "\x00ÿ", strings.Repeat("x", 300),
		0, -1, math.MaxInt, math.MinInt, int8(-128), int16(-1 << 15), int32(math.MaxInt32), int64(math.MinInt64),
		uint(math.MaxUint), uint8(255), uint16(1), uint32(math.MaxUint32), uint64(math.MaxUint64),
		float32(1.5), 0.1, math.Inf(-1), math.Copysign(0, -1), 3 * time.Second,
		[]byte(nil), []byte{}, []byte{0, 1}, []any(nil), []any{}, []any{1, "a", nil, []any{int64(1)}, map[string]any{"k": uint8(1)}},
		[]string(nil), []string{}, []string{"", "b"}, map[string]any(nil), map[string]any{}, map[string]any{"a": 1, "": []string{"x"}},
		map[any]any(nil), map[any]any{1: "a", "1": int8(2), true: nil}, map[string]string(nil), map[string]string{"a": "b"},
		time.Time{}, time.Date(2031, 5, 17, 12, 0, 0, 1, time.UTC), time.Date(1969, 1, 1, 0, 0, 0, 999, zone),
		ofTheApp{"a", []int{1}}, &behindPointer{1}, []int{1, 2}, complex(1, 2), []float64{1}, uintptr(7), deep,
	} {
		b := written(t, v)
		got, err := readValue(b)
		if err != nil || !reflect.DeepEqual(got, v) || reflect.TypeOf(got) != reflect.TypeOf(v) {
			t.Errorf("%T: got %#v, %v, want %#v", v, got, err, v)
		}
		for i := range b {
			if _, err := readValue(b[:i]); err == nil {
				t.Errorf("%T: %d of %d bytes are read", v, i, len(b))
			}
		}
		if _, err := readValue(append(bytes.Clone(b), 0)); err == nil {
			t.Errorf("%T: read with a byte more", v)
		}
	}
	if got, _ := readValue(written(t, time.Now())); got.(time.Time).Location() != time.Local {
		t.Errorf("got %v, want a local time", got)
	}
}

// The same values are written in the same way, so that Save knows what has
// changed.
func TestValuesAreWrittenInOneWay(t *testing.T) {
	m := map[string]any{}
	for c := 'a'; c < 'z'; c++ {
		m[string(c)] = map[any]any{1: 1, "x": c, c: "x"}
	}
	first := written(t, m)
	for range 20 {
		if again := written(t, m); !bytes.Equal(first, again) {
			t.Fatalf("got %x and %x", first, again)
		}
	}
}

// What was stored by one version is read by the next: neither tags nor their
// order may change.
func TestStoredFormat(t *testing.T) {
	pairs, err := pairsOf(map[any]any{"cart": []any{"tea", 3}, "since": time.Unix(1, 0).UTC(), 7: nil, "raw": []byte{9}, "ok": true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := withPart(nil, "shop", pairs)
	if err != nil {
		t.Fatal(err)
	}
	const want = "01" + "0473686f70" + "40" + "02030e" + "0100" + "040f026f6b" + "0102" +
		"050f03726177" + "03100209" + "060f0463617274" + "09" + "13030f037465610306" +
		"070f0573696e6365" + "10" + "11010000000e7791f70100000000ffff"
	if got := hex.EncodeToString(blob); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValuesThatCannotBeSaved(t *testing.T) {
	round := map[string]any{}
	round["again"] = round
	var deep any
	for range 40 {
		deep = []any{deep}
	}
	for _, test := range []struct {
		v    any
		want string
	}{
		{unknown{}, "session.unknown cannot be saved: gob: type not registered"},
		{func() {}, "func() cannot be saved"},
		{make(chan int), "chan int cannot be saved"},
		{panics{}, "session.panics cannot be saved: its methods panicked"},
		{round, "more than 32 deep"},
		{deep, "more than 32 deep"},
		{map[string]any{"a": unknown{}}, `"a": session.unknown cannot be saved`},
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 1<<24)), "zone offset"},
	} {
		gob.Register(panics{})
		if _, err := pairsOf(map[any]any{"the key": test.v}, 0); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `"the key"`) {
			t.Errorf("%T: got %v, want %q and the key", test.v, err, test.want)
		}
	}
	if _, err := pairsOf(map[any]any{unknown{}: 1}, 0); err == nil {
		t.Error("a key that cannot be saved was")
	}
}

func TestMerge(t *testing.T) {
	list := func(s string) (pairs []pair) {
		for _, kv := range strings.Fields(s) {
			pairs = append(pairs, pair{[]byte(kv[:1]), []byte(kv[1:])})
		}
		return pairs
	}
	for _, test := range []struct{ stored, base, mine, want string }{
		{"", "", "", ""},
		{"", "", "a1 b2", "a1 b2"},
		{"a1 b2", "a1 b2", "a1", "a1"},
		{"a1 b2", "a1 b2", "a1 b3", "a1 b3"},
		{"a9 b2 c3", "a1 b2", "a1 b4", "a9 b4 c3"}, // another changed a and added c
		{"b2", "a1 b2", "a1 b4", "b4"},             // another removed a
		{"b2", "a1 b2", "a2 b2", "a2 b2"},          // and this one changed it
		{"a1 c1", "a1", "", "c1"},
		{"a5", "", "a1", "a1"},
		{"a5", "a5", "a5", "a5"},
	} {
		var got string
		for _, p := range merge(list(test.stored), list(test.base), list(test.mine)) {
			got += " " + string(p.key) + string(p.value)
		}
		if got = strings.TrimSpace(got); got != test.want {
			t.Errorf("%v: got %q", test, got)
		}
	}
}

// What nobody asked for is carried as it is, whatever is in it.
func TestPartsAreCarriedUnread(t *testing.T) {
	part := func(name, body string) []byte { return appendString(appendString([]byte(nil), name), body) }
	blob := bytes.Join([][]byte{{1}, part("a", "\xff\xff junk"), part("c", "more")}, nil)
	pairs := []pair{{[]byte("k"), []byte("v")}}
	for name, want := range map[string][]byte{
		"b": bytes.Join([][]byte{{1}, part("a", "\xff\xff junk"), part("b", "\x01k\x01v"), part("c", "more")}, nil),
		"c": bytes.Join([][]byte{{1}, part("a", "\xff\xff junk"), part("c", "\x01k\x01v")}, nil),
		"d": bytes.Join([][]byte{{1}, part("a", "\xff\xff junk"), part("c", "more"), part("d", "\x01k\x01v")}, nil),
	} {
		if got, err := withPart(blob, name, pairs); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	if got, err := withPart(bytes.Join([][]byte{{1}, part("a", "x")}, nil), "a", nil); err != nil || got != nil {
		t.Errorf("the last part removed: got %q, %v", got, err)
	}
	for _, bad := range []string{"\x02", "\x01\x05", "\x01\x01a", "\x01\x01a\x01", "\x01\x01b\x00\x01a\x00", "\x01\x01a\x00\x01a\x00"} {
		if got, err := withPart([]byte(bad), "x", pairs); err == nil {
			t.Errorf("%q: got %q", bad, got)
		}
	}
	if _, err := withPart([]byte("\x02"), "x", pairs); !errors.Is(err, errVersion) {
		t.Errorf("got %v, want that the version is not known", err)
	}
}

// Whatever is stored, reading it neither panics nor costs more memory than it
// has bytes; and what can be read is written and read again as the same.
func FuzzStoredValues(f *testing.F) {
	gob.Register(ofTheApp{})
	for _, v := range []any{
		nil, true, -5, uint8(7), 1.5, float32(2), "text", []byte("raw"), time.Unix(0, 0), time.Minute,
		[]any{1, []any{"x"}}, []string{"a"}, map[string]any{"k": 1}, map[any]any{2: "x"}, map[string]string{"a": "b"}, ofTheApp{"a", nil},
	} {
		pairs, err := pairsOf(map[any]any{"key": v}, 0)
		if err != nil {
			f.Fatal(err)
		}
		blob, err := withPart(nil, "name", pairs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(blob)
	}
	huge := binary.AppendUvarint([]byte{tagSlice}, math.MaxUint64)
	for _, body := range [][]byte{huge, {tagMap, 255, 255, 3}, {tagAnyMap, 2, tagSlice, 1, tagNil}, bytes.Repeat([]byte{tagSlice, 2}, 100), {tagTime, 1, 255}} {
		f.Add(appendPart([]byte{blobVersion}, "name", []pair{{[]byte{tagNil}, body}}))
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		body, found, err := partOf(blob, "name")
		if err != nil || !found {
			return
		}
		pairs, err := pairsIn(body)
		if err != nil {
			return
		}
		values := map[any]any{}
		if _, err := readPairs(pairs, values); err != nil {
			return
		}
		first, err := pairsOf(values, 0)
		if err != nil {
			return // gob reads what it does not write
		}
		again := map[any]any{}
		if bad, err := readPairs(first, again); err != nil || len(bad) > 0 || len(again) != len(values) {
			t.Fatalf("%q: read %v, and then %v, %v", blob, values, again, err)
		}
		only(blob, []string{"name/key", "other"})
	})
}
