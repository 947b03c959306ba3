package provider

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// These are internal because the public way to an ID token's verification leads
// through a token endpoint, which costs more than what is measured.

type verifyBench struct {
	p     *oidcProvider
	m     *metadata
	key   *rsa.PrivateKey
	token string
}

func newVerifyBench(b *testing.B) *verifyBench {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": "https://op.example", "sub": "248289761001", "aud": "client-1", "azp": "client-1", "nonce": "n-0S6_WzA2Mj",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "email": "jane@example.com", "email_verified": true,
		"name": "Jane Doe", "given_name": "Jane", "family_name": "Doe", "picture": "https://img.example/jane.png",
	})
	if err != nil {
		b.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1").WithType("JWT"))
	if err != nil {
		b.Fatal(err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		b.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		b.Fatal(err)
	}
	p := OIDC{Info: Info{ID: "op", Name: "OP"}, Issuer: "https://op.example"}.New("client-1", "secret").(*oidcProvider)
	const keysURL = "https://op.example/jwks"
	p.keysAt(keysURL).doc.load = func(context.Context) ([]publicKey, error) {
		return []publicKey{{kid: "k0", key: &rsa.PublicKey{N: key.N, E: 3}}, {kid: "k1", key: &key.PublicKey}}, nil
	}
	return &verifyBench{p: p, m: &metadata{keysURL: keysURL, algs: []string{"RS256"}}, key: key, token: token}
}

func (v *verifyBench) verify(b *testing.B) {
	id, err := v.p.verifyIDToken(b.Context(), v.m, v.token, wanted{nonce: "n-0S6_WzA2Mj", accessToken: "at"})
	if err != nil || id.sub != "248289761001" {
		b.Fatalf("got %+v, %v", id, err)
	}
}

func (v *verifyBench) signature(b *testing.B) {
	i := strings.LastIndexByte(v.token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(v.token[i+1:])
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte(v.token[:i]))
	if err := rsa.VerifyPKCS1v15(&v.key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkVerifyIDToken checks an RS256 ID token with cached keys, all claims
// included. The metric x/floor is its time over that of the RSA signature alone
// and x/go-oidc over that of go-oidc with keys in memory, both in the same run.
func BenchmarkVerifyIDToken(b *testing.B) {
	v := newVerifyBench(b)
	bare := oidc.NewVerifier("https://op.example", &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{&v.key.PublicKey}}, &oidc.Config{ClientID: "client-1"})
	var own, floor, goOIDC time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		v.verify(b)
		own += time.Since(start)
		b.StopTimer()
		start = time.Now()
		v.signature(b)
		floor += time.Since(start)
		start = time.Now()
		if _, err := bare.Verify(b.Context(), v.token); err != nil {
			b.Fatal(err)
		}
		goOIDC += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(own)/float64(floor), "x/floor")
	b.ReportMetric(float64(own)/float64(goOIDC), "x/go-oidc")
}

// BenchmarkParseKeys reads a key set of a usual size.
func BenchmarkParseKeys(b *testing.B) {
	v := newVerifyBench(b)
	var set jose.JSONWebKeySet
	for i := range 4 {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &v.key.PublicKey, KeyID: fmt.Sprint("k", i), Use: "sig", Algorithm: "RS256"})
	}
	body, err := json.Marshal(set)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if keys, err := parseKeys(body); err != nil || len(keys) != 4 {
			b.Fatal(len(keys), err)
		}
	}
}
