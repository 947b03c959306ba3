package session

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"math"
	"reflect"
	"time"
)

var errStored = errors.New("what is stored is not what was saved")

// A valueReader reads what appendValue wrote. What it returns shares no memory
// with what it reads.
type valueReader struct{ b []byte }

func (r *valueReader) byte() (byte, error) {
	if len(r.b) == 0 {
		return 0, errStored
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c, nil
}

func (r *valueReader) uvarint() (uint64, error) {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		return 0, errStored
	}
	r.b = r.b[size:]
	return n, nil
}

// take returns the next n bytes, which are not copied.
func (r *valueReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.b)) {
		return nil, errStored
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p, nil
}

func (r *valueReader) text() ([]byte, error) {
	n, err := r.uvarint()
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

// count is the reverse of appendCount. Each thing that is counted takes a byte
// at least, so that a count is no promise that costs memory.
func (r *valueReader) count() (n int, isNil bool, err error) {
	c, err := r.uvarint()
	if err != nil || c == 0 {
		return 0, true, err
	}
	if c-1 > uint64(len(r.b)) {
		return 0, false, errStored
	}
	return int(c - 1), false, nil
}

func (r *valueReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	tag, err := r.byte()
	if err != nil {
		return nil, err
	}
	switch tag {
	case tagNil:
		return nil, nil
	case tagFalse, tagTrue:
		return tag == tagTrue, nil
	case tagInt, tagInt8, tagInt16, tagInt32, tagInt64, tagDuration:
		return r.signed(tag)
	case tagUint, tagUint8, tagUint16, tagUint32, tagUint64:
		return r.unsigned(tag)
	case tagFloat32:
		p, err := r.take(4)
		if err != nil {
			return nil, err
		}
		return math.Float32frombits(binary.BigEndian.Uint32(p)), nil
	case tagFloat64:
		p, err := r.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(p)), nil
	case tagString:
		p, err := r.text()
		return string(p), err
	case tagTime:
		return r.time()
	case tagGob:
		p, err := r.text()
		if err != nil {
			return nil, err
		}
		return ungob(p)
	}
	return r.collection(tag, depth)
}

func (r *valueReader) signed(tag byte) (any, error) {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		return nil, errStored
	}
	r.b = r.b[size:]
	switch {
	case tag == tagInt && int64(int(n)) == n:
		return int(n), nil
	case tag == tagInt8 && int64(int8(n)) == n:
		return int8(n), nil
	case tag == tagInt16 && int64(int16(n)) == n:
		return int16(n), nil
	case tag == tagInt32 && int64(int32(n)) == n:
		return int32(n), nil
	case tag == tagInt64:
		return n, nil
	case tag == tagDuration:
		return time.Duration(n), nil
	}
	return nil, errStored
}

func (r *valueReader) unsigned(tag byte) (any, error) {
	n, err := r.uvarint()
	switch {
	case err != nil:
		return nil, err
	case tag == tagUint && uint64(uint(n)) == n:
		return uint(n), nil
	case tag == tagUint8 && uint64(uint8(n)) == n:
		return uint8(n), nil
	case tag == tagUint16 && uint64(uint16(n)) == n:
		return uint16(n), nil
	case tag == tagUint32 && uint64(uint32(n)) == n:
		return uint32(n), nil
	case tag == tagUint64:
		return n, nil
	}
	return nil, errStored
}

// time reads what Time.AppendBinary writes: a version, seconds, nanoseconds,
// and minutes east of Greenwich, to which the second version adds seconds.
func (r *valueReader) time() (any, error) {
	size := uint64(15)
	if len(r.b) > 0 && r.b[0] == 2 {
		size = 16
	}
	p, err := r.take(size)
	if err != nil {
		return nil, err
	}
	var t time.Time
	if binary.BigEndian.Uint32(p[9:]) >= uint32(time.Second) || t.UnmarshalBinary(p) != nil {
		return nil, errStored
	}
	return t, nil
}

func (r *valueReader) collection(tag byte, depth int) (any, error) {
	n, isNil, err := r.count()
	if err != nil {
		return nil, err
	}
	switch tag {
	case tagBytes:
		if isNil {
			return []byte(nil), nil
		}
		p, err := r.take(uint64(n))
		return append(make([]byte, 0, len(p)), p...), err
	case tagSlice:
		return list(n, isNil, func() (any, error) { return r.value(depth + 1) })
	case tagStrings:
		return list(n, isNil, r.string)
	case tagMap:
		return table(n, isNil, r.tagged, func() (any, error) { return r.value(depth + 1) })
	case tagStringsMap:
		return table(n, isNil, r.tagged, r.tagged)
	case tagAnyMap:
		return table(n, isNil, func() (any, error) { return r.key(depth + 1) }, func() (any, error) { return r.value(depth + 1) })
	}
	return nil, errStored
}

func list[T any](n int, isNil bool, next func() (T, error)) (any, error) {
	if isNil {
		return []T(nil), nil
	}
	list := make([]T, 0, min(n, 16))
	for range n {
		v, err := next()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func table[K comparable, V any](n int, isNil bool, key func() (K, error), value func() (V, error)) (any, error) {
	if isNil {
		return map[K]V(nil), nil
	}
	m := make(map[K]V, min(n, 16))
	for range n {
		k, err := key()
		if err != nil {
			return nil, err
		}
		if m[k], err = value(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (r *valueReader) string() (string, error) {
	p, err := r.text()
	return string(p), err
}

// tagged reads a string that is written as a value.
func (r *valueReader) tagged() (string, error) {
	if tag, err := r.byte(); err != nil || tag != tagString {
		return "", errStored
	}
	return r.string()
}

// key reads a value that can be the key of a map.
func (r *valueReader) key(depth int) (any, error) {
	k, err := r.value(depth)
	if _, ok := k.(string); ok {
		return k, err
	}
	if err == nil && k != nil && !reflect.ValueOf(k).Comparable() {
		return nil, errStored
	}
	return k, err
}

func ungob(p []byte) (v any, err error) {
	defer func() {
		if recover() != nil {
			v, err = nil, errStored
		}
	}()
	if err := gob.NewDecoder(bytes.NewReader(p)).Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}
