package session

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A value is written as a byte that says its type, and what that type needs.
// The bytes are in stores: none may ever mean something else.
const (
	tagNil byte = iota
	tagFalse
	tagTrue
	tagInt
	tagInt8
	tagInt16
	tagInt32
	tagInt64
	tagUint
	tagUint8
	tagUint16
	tagUint32
	tagUint64
	tagFloat32
	tagFloat64
	tagString
	tagBytes
	tagTime
	tagDuration
	tagSlice      // []any
	tagStrings    // []string
	tagMap        // map[string]any
	tagAnyMap     // map[any]any
	tagStringsMap // map[string]string
	tagGob        // any other type, which the app has told gob about
)

// maxDepth is how deep values may stand in each other. One that holds itself
// has no end.
const maxDepth = 32

var (
	errDeep  = errors.New("values stand in each other more than 32 deep")
	errTwice = errors.New("two keys of a map are saved as the same bytes, such as times of which one has a monotonic clock")
)

// appendValue writes v, the same value always in the same way, save for maps
// that only gob knows.
func appendValue(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	switch v := v.(type) {
	case nil:
		return append(b, tagNil), nil
	case bool:
		if v {
			return append(b, tagTrue), nil
		}
		return append(b, tagFalse), nil
	case string:
		return appendString(append(b, tagString), v), nil
	case int:
		return binary.AppendVarint(append(b, tagInt), int64(v)), nil
	case int8:
		return binary.AppendVarint(append(b, tagInt8), int64(v)), nil
	case int16:
		return binary.AppendVarint(append(b, tagInt16), int64(v)), nil
	case int32:
		return binary.AppendVarint(append(b, tagInt32), int64(v)), nil
	case int64:
		return binary.AppendVarint(append(b, tagInt64), v), nil
	case time.Duration:
		return binary.AppendVarint(append(b, tagDuration), int64(v)), nil
	case uint:
		return binary.AppendUvarint(append(b, tagUint), uint64(v)), nil
	case uint8:
		return binary.AppendUvarint(append(b, tagUint8), uint64(v)), nil
	case uint16:
		return binary.AppendUvarint(append(b, tagUint16), uint64(v)), nil
	case uint32:
		return binary.AppendUvarint(append(b, tagUint32), uint64(v)), nil
	case uint64:
		return binary.AppendUvarint(append(b, tagUint64), v), nil
	case float32:
		return binary.BigEndian.AppendUint32(append(b, tagFloat32), math.Float32bits(v)), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(b, tagFloat64), math.Float64bits(v)), nil
	case []byte:
		return append(appendCount(append(b, tagBytes), len(v), v == nil), v...), nil
	case time.Time:
		return v.AppendBinary(append(b, tagTime))
	case []any:
		return appendList(appendCount(append(b, tagSlice), len(v), v == nil), v, depth)
	case []string:
		b = appendCount(append(b, tagStrings), len(v), v == nil)
		for _, s := range v {
			b = appendString(b, s)
		}
		return b, nil
	case map[string]any:
		return appendMap(append(b, tagMap), v, depth)
	case map[any]any:
		return appendMap(append(b, tagAnyMap), v, depth)
	case map[string]string:
		return appendMap(append(b, tagStringsMap), v, depth)
	}
	return appendGob(append(b, tagGob), v)
}

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendCount tells nil from what is empty.
func appendCount(b []byte, n int, isNil bool) []byte {
	if isNil {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(n)+1)
}

func appendList(b []byte, list []any, depth int) (_ []byte, err error) {
	for _, v := range list {
		if b, err = appendValue(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendMap[K comparable, V any](b []byte, m map[K]V, depth int) ([]byte, error) {
	list, err := pairsOf(m, depth+1)
	if err != nil {
		return nil, err
	}
	b = appendCount(b, len(list), m == nil)
	for _, e := range list {
		b = append(append(b, e.key...), e.value...)
	}
	return b, nil
}

// A pair is a key of a map and its value, as they are written.
type pair struct{ key, value []byte }

func pairsOf[K comparable, V any](m map[K]V, depth int) ([]pair, error) {
	if len(m) == 0 {
		return nil, nil
	}
	list := make([]pair, 0, len(m))
	b := make([]byte, 0, 32*len(m))
	var err error
	for k, v := range m {
		at := len(b)
		if b, err = appendValue(b, k, depth); err != nil {
			return nil, err
		}
		key := b[at:len(b):len(b)]
		at = len(b)
		if b, err = appendValue(b, v, depth); err != nil {
			return nil, keyError(k, err)
		}
		list = append(list, pair{key, b[at:len(b):len(b)]})
	}
	slices.SortFunc(list, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	for i := range list[1:] {
		if bytes.Equal(list[i].key, list[i+1].key) {
			return nil, errTwice // they could not be told apart again
		}
	}
	return list, nil
}

func keyError(k any, err error) error {
	if s, ok := k.(string); ok && len(s) <= maxName {
		return fmt.Errorf("%q: %w", s, err)
	}
	return fmt.Errorf("a key of type %T: %w", k, err)
}

// appendGob writes each value by itself, so that one that cannot be read takes
// none with it.
func appendGob(b []byte, v any) (_ []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // of a method of the app's type
			err = fmt.Errorf("%T cannot be saved: its methods panicked", v)
		}
	}()
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(&v); err != nil {
		return nil, fmt.Errorf("%T cannot be saved: %w", v, err)
	}
	return appendString(b, buf.Bytes()), nil
}
