package session

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// All gorilla sessions of a browser are kept as one run of bytes: a version,
// then for each, in the order of their names, its name and its pairs, in the
// order of their keys. Each has its length before it, so that what nobody asks
// for is passed over, and carried along, unread.
const blobVersion = 1

var errVersion = errors.New("what is stored is in a format that this version does not know")

// eachPart calls f with the name and the pairs of each gorilla session in blob,
// and with the bytes that are both, until f returns false.
func eachPart(blob []byte, f func(name, body, whole []byte) bool) error {
	if len(blob) == 0 {
		return nil
	}
	if blob[0] != blobVersion {
		return errVersion
	}
	r := valueReader{blob[1:]}
	for last := []byte(nil); len(r.b) > 0; {
		before := r.b
		name, err := r.text()
		if err != nil {
			return err
		}
		body, err := r.text()
		if err != nil {
			return err
		}
		if last != nil && bytes.Compare(last, name) >= 0 {
			return errStored
		}
		if last = name; !f(name, body, before[:len(before)-len(r.b)]) {
			return nil
		}
	}
	return nil
}

// eachPair calls f with each pair in body.
func eachPair(body []byte, f func(p pair)) error {
	r := valueReader{body}
	for last := []byte(nil); len(r.b) > 0; {
		key, err := r.text()
		if err != nil {
			return err
		}
		value, err := r.text()
		if err != nil {
			return err
		}
		if last != nil && bytes.Compare(last, key) >= 0 {
			return errStored
		}
		last = key
		f(pair{key, value})
	}
	return nil
}

// partOf returns the pairs of the gorilla session of that name.
func partOf(blob []byte, name string) (body []byte, found bool, err error) {
	err = eachPart(blob, func(n, b, _ []byte) bool {
		if string(n) == name {
			body, found = b, true
		}
		return !found
	})
	return body, found, err
}

// withPart returns blob with those pairs in the gorilla session of that name,
// which is none if there are none.
func withPart(blob []byte, name string, pairs []pair) ([]byte, error) {
	size := 0
	for _, p := range pairs {
		size += len(p.key) + len(p.value) + 2*binary.MaxVarintLen32
	}
	out := append(make([]byte, 0, len(blob)+size+len(name)+2*binary.MaxVarintLen32), blobVersion)
	put := func() {
		if len(pairs) > 0 {
			out = appendPart(out, name, pairs)
		}
		pairs = nil
	}
	err := eachPart(blob, func(n, _, whole []byte) bool {
		if string(n) >= name {
			put()
		}
		if string(n) != name {
			out = append(out, whole...)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if put(); len(out) == 1 {
		return nil, nil
	}
	return out, nil
}

func appendPart(b []byte, name string, pairs []pair) []byte {
	b = appendString(b, name)
	size := 0
	for _, p := range pairs {
		size += textSize(len(p.key)) + textSize(len(p.value))
	}
	b = binary.AppendUvarint(b, uint64(size))
	for _, p := range pairs {
		b = appendString(appendString(b, p.key), p.value)
	}
	return b
}

// textSize is how many bytes appendString writes for n.
func textSize(n int) int {
	size := n + 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// readPairs puts the pairs into values. It returns those that cannot be read, as
// when a type of the app has changed, and the first reason.
func readPairs(pairs []pair, values map[any]any) (bad []pair, err error) {
	for _, p := range pairs {
		k, why := readKey(p.key)
		if why == nil {
			var v any
			if v, why = readValue(p.value); why == nil {
				values[k] = v
				continue
			}
			why = keyError(k, why)
		}
		if bad = append(bad, p); err == nil {
			err = why
		}
	}
	return bad, err
}

// readKey and readValue read what all of b is.
func readKey(b []byte) (any, error) {
	r := valueReader{b}
	k, err := r.key(0)
	return r.whole(k, err)
}

func readValue(b []byte) (any, error) {
	r := valueReader{b}
	v, err := r.value(0)
	return r.whole(v, err)
}

func (r *valueReader) whole(v any, err error) (any, error) {
	if err == nil && len(r.b) > 0 {
		return nil, errStored
	}
	return v, err
}

// merge returns what is stored with the changes that lead from base to mine.
// Who saves at the same time loses nothing but a change of the same key.
func merge(stored, base, mine []pair) []pair {
	out := make([]pair, 0, max(len(stored), len(mine)))
	for len(stored)+len(base)+len(mine) > 0 {
		key := firstKey(stored, base, mine)
		now, before, wanted := cutPair(&stored, key), cutPair(&base, key), cutPair(&mine, key)
		if !same(before, wanted) {
			now = wanted
		}
		if now != nil {
			out = append(out, *now)
		}
	}
	return out
}

func firstKey(lists ...[]pair) (key []byte) {
	for _, list := range lists {
		if len(list) > 0 && (key == nil || bytes.Compare(list[0].key, key) < 0) {
			key = list[0].key
		}
	}
	return key
}

// cutPair takes the first of the list if it has that key.
func cutPair(list *[]pair, key []byte) *pair {
	if len(*list) == 0 || !bytes.Equal((*list)[0].key, key) {
		return nil
	}
	p := &(*list)[0]
	*list = (*list)[1:]
	return p
}

func same(a, b *pair) bool {
	return a == b || a != nil && b != nil && bytes.Equal(a.value, b.value)
}

func pairsIn(body []byte) ([]pair, error) {
	if len(body) == 0 {
		return nil, nil
	}
	list := make([]pair, 0, 8)
	err := eachPair(body, func(p pair) { list = append(list, p) })
	return list, err
}
