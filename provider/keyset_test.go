package provider_test

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
)

func TestKeysRedirectIsRefused(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"https://evil.example/jwks2", opIssuer + "/jwks2"} {
			op := newOP()
			op.intercept["/jwks"] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) }
			_, _, err := op.login(t, op.provider())
			wantReason(t, err, "jwks_unavailable")
			if op.count("/jwks2") != 0 {
				t.Errorf("%d to %s was followed", status, to)
			}
		}
	}
}

func TestKeySetLimits(t *testing.T) {
	many := func(n int) func() any {
		return func() any {
			keys := make([]any, n)
			for i := range keys {
				keys[i] = jwkOf(rsaKey(), fmt.Sprint("k", i))
			}
			return map[string]any{"keys": keys}
		}
	}
	op := newOP()
	op.keys = many(100)
	op.mustLogin(t, op.provider())
	for name, keys := range map[string]func() any{
		"101_keys": many(101),
		"50k_keys": func() any { return map[string]any{"keys": make([]int, 50_000)} },
		"ten_MB": func() any {
			return map[string]any{"keys": []any{jwkOf(rsaKey(), "k1")}, "x": strings.Repeat("x", 10<<20)}
		},
		"empty_set": func() any { return map[string]any{"keys": []any{}} },
	} {
		t.Run(name, func(t *testing.T) {
			op := newOP()
			op.keys = keys
			_, _, err := op.login(t, op.provider())
			if name == "empty_set" {
				wantReason(t, err, "id_token_sig")
				return
			}
			wantReason(t, err, "jwks_unavailable")
		})
	}
}

// Broken, weak and foreign keys are left out, and the good one among them works.
func TestUnusableKeysAreSkipped(t *testing.T) {
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	private := json.RawMessage(must(json.Marshal(map[string]any{
		"kty": "RSA", "kid": "k1", "n": b64(otherRSA().N.Bytes()), "e": "AQAB", "d": b64(otherRSA().D.Bytes()),
		"p": b64(otherRSA().Primes[0].Bytes()), "q": b64(otherRSA().Primes[1].Bytes()),
	})))
	x25519 := must(ecdh.X25519().GenerateKey(rand.Reader)).PublicKey().Bytes()
	rsaJWK := func(n *big.Int, e string) map[string]any {
		return map[string]any{"kty": "RSA", "kid": "k1", "n": b64(n.Bytes()), "e": e}
	}
	good := func() map[string]any {
		var m map[string]any
		if err := json.Unmarshal(must(jwkOf(rsaKey(), "k1").MarshalJSON()), &m); err != nil {
			panic(err)
		}
		return m
	}
	with := func(name string, v any) map[string]any {
		m := good()
		m[name] = v
		return m
	}
	tests := map[string]any{
		"symmetric":        map[string]any{"kty": "oct", "kid": "k1", "k": b64([]byte("secret"))},
		"x25519":           map[string]any{"kty": "OKP", "crv": "X25519", "kid": "k1", "x": b64(x25519)},
		"point_off_curve":  map[string]any{"kty": "EC", "crv": "P-256", "kid": "k1", "x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))},
		"unknown_curve":    map[string]any{"kty": "EC", "crv": "P-1", "kid": "k1", "x": "AA", "y": "AA"},
		"curve_too_short":  map[string]any{"kty": "EC", "crv": "P-256", "kid": "k1", "x": "AA", "y": b64(elliptic.P256().Params().Gy.Bytes())},
		"exponent_1":       rsaJWK(rsaKey().N, "AQ"),
		"exponent_even":    rsaJWK(rsaKey().N, b64([]byte{1, 0, 0})),
		"exponent_missing": map[string]any{"kty": "RSA", "kid": "k1", "n": b64(rsaKey().N.Bytes())},
		"modulus_512":      rsaJWK(new(big.Int).Rsh(rsaKey().N, 1536), "AQAB"),
		"modulus_1024":     rsaJWK(weak.N, "AQAB"),
		"modulus_huge":     rsaJWK(new(big.Int).Lsh(rsaKey().N, 100_000), "AQAB"),
		"modulus_missing":  map[string]any{"kty": "RSA", "kid": "k1", "e": "AQAB"},
		"modulus_number":   map[string]any{"kty": "RSA", "kid": "k1", "e": "AQAB", "n": 5},
		"private":          private,
		"for_encryption":   with("use", "enc"),
		"key_ops_encrypt":  with("key_ops", []string{"encrypt"}),
		"alg_other":        with("alg", "RS512"),
		"kty_unknown":      map[string]any{"kty": "PQC", "kid": "k1"},
		"kty_missing":      map[string]any{"kid": "k1"},
		"number":           5,
		"null":             nil,
		"list":             []int{},
		"x5c_junk":         with("x5c", []string{"!"}),
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			op := newOP()
			op.keys = func() any { return map[string]any{"keys": []any{bad}} }
			_, _, err := op.login(t, op.provider())
			wantReason(t, err, "id_token_sig")

			op = newOP()
			op.keys = func() any { return map[string]any{"keys": []any{bad, jwkOf(rsaKey(), "k1")}} }
			op.mustLogin(t, op.provider())
		})
	}
}

// A weak key must not verify even what it did sign.
func TestWeakKeyVerifiesNothing(t *testing.T) {
	op := newOP()
	op.key = must(rsa.GenerateKey(rand.Reader, 1024))
	_, _, err := op.login(t, op.provider())
	wantReason(t, err, "id_token_sig")
}

// A token without a key ID is compared with eight keys at most.
func TestTriesAreBounded(t *testing.T) {
	for _, tt := range []struct {
		others int
		good   bool
	}{{7, true}, {8, false}} {
		op := newOP()
		op.kid = ""
		op.keys = func() any {
			var keys []any
			for range tt.others {
				keys = append(keys, jwkOf(otherRSA(), ""))
			}
			return map[string]any{"keys": append(keys, jwkOf(rsaKey(), ""))}
		}
		_, _, err := op.login(t, op.provider())
		if tt.good && err != nil {
			t.Errorf("after %d others: %v", tt.others, err)
		}
		if !tt.good {
			wantReason(t, err, "id_token_sig")
		}
	}
}
