package provider_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func jwkOf(private any, kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: private.(crypto.Signer).Public(), KeyID: kid, Use: "sig"}
}

// signature signs by hand, since libraries refuse what the tests need.
func signature(alg string, key any, input string) []byte {
	var hash crypto.Hash
	var sum []byte
	switch {
	case strings.HasSuffix(alg, "256"):
		s := sha256.Sum256([]byte(input))
		hash, sum = crypto.SHA256, s[:]
	case strings.HasSuffix(alg, "384"):
		s := sha512.Sum384([]byte(input))
		hash, sum = crypto.SHA384, s[:]
	case strings.HasSuffix(alg, "512"):
		s := sha512.Sum512([]byte(input))
		hash, sum = crypto.SHA512, s[:]
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if strings.HasPrefix(alg, "PS") {
			return must(rsa.SignPSS(rand.Reader, key, hash, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}
		return must(rsa.SignPKCS1v15(rand.Reader, key, hash, sum))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum)
		if err != nil {
			panic(err)
		}
		size := (key.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
	return nil
}

func atHash(alg, token string) string {
	switch {
	case strings.HasSuffix(alg, "384"):
		s := sha512.Sum384([]byte(token))
		return b64(s[:24])
	case strings.HasSuffix(alg, "512"), alg == "EdDSA":
		s := sha512.Sum512([]byte(token))
		return b64(s[:32])
	}
	s := sha256.Sum256([]byte(token))
	return b64(s[:16])
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encode(v any) []byte { return must(json.Marshal(v)) }
