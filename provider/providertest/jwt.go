package providertest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// A keyring holds the key with which a service signs. It is made at first use:
// most tests need none, and a key takes a tenth of a second.
type keyring struct {
	mu  sync.Mutex
	key *rsa.PrivateKey
	id  string
}

func (k *keyring) current() (*rsa.PrivateKey, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, "", fmt.Errorf("make a signing key: %w", err)
		}
		k.key, k.id = key, secret("key")
	}
	return k.key, k.id, nil
}

func (k *keyring) rotate() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key = nil
}

// public is the key as a JSON Web Key Set (RFC 7517).
func (k *keyring) public() (map[string]any, error) {
	key, id, err := k.current()
	if err != nil {
		return nil, err
	}
	return map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
		"n": b64(key.N.Bytes()),
		"e": b64(big.NewInt(int64(key.E)).Bytes()),
	}}}, nil
}

// sign makes a JSON Web Token, signed with RS256 (RFC 7515).
func (k *keyring) sign(kind string, claims map[string]any) (string, error) {
	key, id, err := k.current()
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(map[string]any{"alg": "RS256", "kid": id, "typ": kind})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("claims are no JSON: %w", err)
	}
	signed := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed + "." + b64(sig), nil
}

// claims returns what a token that we signed says.
func (k *keyring) claims(token string) (map[string]any, error) {
	key, _, err := k.current()
	if err != nil {
		return nil, err
	}
	signed, sig64, ok := cutLast(token, ".")
	_, payload64, ok2 := strings.Cut(signed, ".")
	sig, err1 := base64.RawURLEncoding.DecodeString(sig64)
	payload, err2 := base64.RawURLEncoding.DecodeString(payload64)
	if !ok || !ok2 || err1 != nil || err2 != nil {
		return nil, errors.New("no compact JWT")
	}
	sum := sha256.Sum256([]byte(signed))
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return claims, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Sign returns the claims as a JSON Web Token with a good signature of the
// service, whatever they say. Tests use it for tokens that must be refused.
func (s *Server) Sign(claims map[string]any) string {
	token, err := s.keys.sign("JWT", claims)
	if err != nil {
		panic("providertest: " + err.Error()) // claims that are no JSON are the test's own mistake
	}
	return token
}
