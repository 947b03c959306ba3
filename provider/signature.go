package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
)

// signature returns what t's signature is of, and the signature.
func (t *jwt) signature() (signed, sig []byte, ok bool) {
	end := strings.LastIndexByte(t.raw, '.')
	sig, err := base64.RawURLEncoding.Strict().DecodeString(t.raw[end+1:])
	return []byte(t.raw[:end]), sig, err == nil
}

// made reports whether k made the signature sig of signed, under an algorithm of
// RFC 7518 section 3 that k suits.
func (k publicKey) made(alg string, signed, sig []byte) bool {
	hash := hashOf(alg)
	digest := signed
	if hash != 0 {
		h := hash.New()
		h.Write(signed)
		digest = h.Sum(nil)
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(alg, "PS") {
			return rsa.VerifyPSS(key, hash, digest, sig, nil) == nil
		}
		return rsa.VerifyPKCS1v15(key, hash, digest, sig) == nil
	case *ecdsa.PublicKey:
		// Two numbers of the curve's size, one after the other, and not ASN.1.
		size := (key.Curve.Params().BitSize + 7) / 8
		if len(sig) != 2*size {
			return false
		}
		return ecdsa.Verify(key, digest, new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:]))
	case ed25519.PublicKey:
		return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, digest, sig)
	}
	return false
}

// hashOf returns the hash of alg. It is zero for EdDSA, which hashes for itself.
func hashOf(alg string) crypto.Hash {
	switch {
	case strings.HasSuffix(alg, "256"):
		return crypto.SHA256
	case strings.HasSuffix(alg, "384"):
		return crypto.SHA384
	case strings.HasSuffix(alg, "512"):
		return crypto.SHA512
	}
	return 0
}
