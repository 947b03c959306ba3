package session_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// A schedule derives keys as the library should, by HMAC alone.
type schedule struct {
	prk      []byte
	audience string
}

func newSchedule(secret, audience string) schedule {
	return schedule{hmacSum([]byte("gatepass v1"), []byte(secret)), audience}
}

func hmacSum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// key is HKDF-Expand (RFC 5869) of at most one block.
func (s schedule) key(label string, n int) []byte {
	return hmacSum(s.prk, []byte("gatepass v1\x00"+label+"\x00"+s.audience), []byte{1})[:n]
}

// token marks random bytes, as only someone with the secret can.
func (s schedule) token(random []byte) string {
	kid := s.key("session kid", 1)
	mark := sha256.Sum256(slices.Concat(s.key("session mark", 22), kid, random))
	return b64.EncodeToString(slices.Concat(kid, random, mark[:15]))
}

func (s schedule) visitorToken(random []byte) string {
	kid := s.key("visitor kid", 1)
	mark := sha256.Sum256(slices.Concat(s.key("visitor mark", 22), kid, random))
	return b64.EncodeToString(slices.Concat(kid, random, mark[:15]))
}

func sessionID(random []byte) string {
	sum := sha256.Sum256(slices.Concat([]byte("gatepass session id v1\x00"), random))
	return b64.EncodeToString(sum[:])
}

func (s schedule) gcm(label string, day uint16) cipher.AEAD {
	block, err := aes.NewCipher(s.key(label+string([]byte{byte(day >> 8), byte(day)}), 32))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

func (s schedule) seal(label string, day uint16, nonce, aad, plain []byte) string {
	head := []byte{1, s.key("flow kid", 1)[0], byte(day >> 8), byte(day)}
	return b64.EncodeToString(slices.Concat(head, nonce, s.gcm(label, day).Seal(nil, nonce, plain, aad)))
}

func dayOf(t time.Time) uint16 { return uint16(t.Unix() / 86400) }

func flowName(state string) string {
	sum := sha256.Sum256([]byte("gatepass flow name v1\x00" + state))
	return "__Host-session-flow-" + b64.EncodeToString(sum[:6])
}

func flowAAD(state string) []byte {
	return []byte("gatepass flow v1\x00" + flowName(state) + "\x00" + audience)
}

func binaryTime(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli()))
}
