package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"slices"
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

	mu      sync.RWMutex
	sealers []daily // a few
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

// A daily is a key that lasts for a day.
type daily struct {
	id   sealerID
	aead cipher.AEAD
}

func newKeys(secret, audience string) (*keys, error) {
	prk, err := hkdf.Extract(sha256.New, []byte(secret), []byte("gatepass v1"))
	if err != nil {
		return nil, err
	}
	k := &keys{prk: prk, audience: audience}
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
	if a := k.known(id); a != nil {
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
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	// Another request may have made the same meanwhile.
	k.sealers = slices.DeleteFunc(k.sealers, func(d daily) bool { return d.id.day+1 < id.day || d.id == id })
	k.sealers = append(k.sealers, daily{id, a})
	return a, nil
}

// known returns what aead made before, or nil. To look through so few is quicker
// than a map.
func (k *keys) known(id sealerID) cipher.AEAD {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for i := range k.sealers {
		if k.sealers[i].id == id {
			return k.sealers[i].aead
		}
	}
	return nil
}
