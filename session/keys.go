package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"sync"
)

// keys are what is derived from one secret. Each is for one purpose and one
// audience, so that what one was made for is worth nothing elsewhere.
type keys struct {
	marker      [2]marker // by kind
	flowKid     byte
	rememberKid byte
	csrf        [32]byte

	rememberMark, rememberNext, rememberSession [32]byte

	prk      []byte
	audience string

	mu     sync.RWMutex
	sealer map[sealerID]cipher.AEAD
}

// A kind of tokens.
type kind uint8

const (
	ofSession kind = iota // of someone who is logged in
	ofVisitor
)

// A marker marks tokens of one kind, which are never taken for the other.
type marker struct {
	kid  byte
	mark [22]byte
}

// A sealerID names a key that lasts for a day, in days since 1970. Someone
// without a login can make us seal as often as they like, and with random
// nonces one key must not seal more than 2^32 messages.
type sealerID struct {
	label string
	day   uint16
}

func newKeys(secret, audience string) (*keys, error) {
	prk, err := hkdf.Extract(sha256.New, []byte(secret), []byte("gatepass v1"))
	if err != nil {
		return nil, err
	}
	k := &keys{prk: prk, audience: audience, sealer: make(map[sealerID]cipher.AEAD)}
	var kids [4]byte
	for label, dst := range map[string][]byte{
		"session mark": k.marker[ofSession].mark[:],
		"session kid":  kids[:1],
		"flow kid":     kids[1:2],
		"visitor mark": k.marker[ofVisitor].mark[:],
		"visitor kid":  kids[3:],
		"csrf":         k.csrf[:],

		"remember kid":     kids[2:3],
		"remember mark":    k.rememberMark[:],
		"remember next":    k.rememberNext[:],
		"remember session": k.rememberSession[:],
	} {
		b, err := k.derive(label, len(dst))
		if err != nil {
			return nil, err
		}
		copy(dst, b)
	}
	k.marker[ofSession].kid, k.flowKid, k.rememberKid, k.marker[ofVisitor].kid = kids[0], kids[1], kids[2], kids[3]
	return k, nil
}

func (k *keys) derive(label string, n int) ([]byte, error) {
	return hkdf.Expand(sha256.New, k.prk, "gatepass v1\x00"+label+"\x00"+k.audience, n)
}

// aead returns the key that seals under that label on that day. Its Seal takes
// no nonce and puts a random one first.
func (k *keys) aead(id sealerID) (cipher.AEAD, error) {
	k.mu.RLock()
	a, ok := k.sealer[id]
	k.mu.RUnlock()
	if ok {
		return a, nil
	}
	key, err := k.derive(id.label+string([]byte{byte(id.day >> 8), byte(id.day)}), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	a, err = cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for old := range k.sealer {
		if old.day+1 < id.day {
			delete(k.sealer, old)
		}
	}
	k.sealer[id] = a
	return a, nil
}
