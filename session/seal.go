package session

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	sealVersion  = 1
	sealHeader   = 1 + 1 + 2
	sealOverhead = sealHeader + 12 + 16
	maxSealed    = 3600 // characters; browsers keep 4,096 bytes of a cookie
)

var errTooLong = errors.New("does not fit into a cookie")

// seal encrypts plain under today's key for label, binds it to aad and appends it
// to b. It is a cookie's value once it is written in base64.
func (m *Manager) seal(b []byte, label string, now time.Time, aad, plain []byte) ([]byte, error) {
	if b64.EncodedLen(sealOverhead+len(plain)) > maxSealed {
		return nil, errTooLong
	}
	k, day := m.keys[0], dayOf(now)
	a, err := k.aead(sealerID{label, day})
	if err != nil {
		return nil, err
	}
	b = append(b, sealVersion, k.flowKid)
	b = binary.BigEndian.AppendUint16(b, day)
	return a.Seal(b, nil, plain, aad), nil
}

// open returns what seal was given, if it was given it today or yesterday.
func (m *Manager) open(label string, now time.Time, aad []byte, value string) ([]byte, bool) {
	if len(value) > maxSealed {
		return nil, false
	}
	b, err := b64.DecodeString(value)
	if err != nil || len(b) < sealOverhead || b64.EncodedLen(len(b)) != len(value) || b[0] != sealVersion {
		return nil, false
	}
	day := binary.BigEndian.Uint16(b[2:])
	// Just before midnight, another machine may have tomorrow already.
	if day != dayOf(now) && day != dayOf(now.Add(-24*time.Hour)) && day != dayOf(now.Add(flowSkew)) {
		return nil, false
	}
	for _, k := range m.keys {
		if k.flowKid != b[1] {
			continue
		}
		a, err := k.aead(sealerID{label, day})
		if err != nil {
			continue
		}
		if plain, err := a.Open(nil, nil, b[sealHeader:], aad); err == nil {
			return plain, true
		}
	}
	return nil, false
}

func dayOf(t time.Time) uint16 { return uint16(t.Unix() / 86400) }

// appendText appends s with its length before it.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// cutText is the reverse of appendText. Of a string, s is a part.
func cutText[T string | []byte](b T) (s string, rest T, ok bool) {
	if len(b) < 2 {
		return "", rest, false
	}
	n := int(b[0])<<8 | int(b[1])
	if b = b[2:]; len(b) < n {
		return "", rest, false
	}
	return string(b[:n]), b[n:], true
}
