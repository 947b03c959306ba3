package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// It is internal since no service can be made to sign with each algorithm and
// have its signature changed beneath go-oidc, which parses it first.
func TestSignatures(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := func(c elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, tt := range []struct {
		alg jose.SignatureAlgorithm
		key crypto.Signer
	}{
		{jose.RS256, rsaKey}, {jose.RS384, rsaKey}, {jose.RS512, rsaKey},
		{jose.PS256, rsaKey}, {jose.PS384, rsaKey}, {jose.PS512, rsaKey},
		{jose.ES256, curve(elliptic.P256())}, {jose.ES384, curve(elliptic.P384())}, {jose.ES512, curve(elliptic.P521())},
		{jose.EdDSA, edKey},
	} {
		t.Run(string(tt.alg), func(t *testing.T) {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: tt.alg, Key: tt.key}, nil)
			if err != nil {
				t.Fatal(err)
			}
			jws, err := signer.Sign([]byte(`{"sub":"1"}`))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := jws.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			token, err := parseJWT("id_token", raw, []string{string(tt.alg)})
			if err != nil {
				t.Fatal(err)
			}
			key := publicKey{key: tt.key.Public()}
			signed, sig, ok := token.signature()
			if !ok || !key.made(token.alg, signed, sig) {
				t.Fatal("a good signature was refused")
			}
			refused := func(what, alg string, signed, sig []byte) {
				t.Helper()
				if key.suits(alg) && key.made(alg, signed, sig) {
					t.Errorf("a signature was accepted that %s", what)
				}
			}
			for i := range sig {
				changed := slices.Clone(sig)
				changed[i] ^= 1
				refused("was changed", token.alg, signed, changed)
			}
			for i := range signed {
				changed := slices.Clone(signed)
				changed[i] ^= 1
				refused("is of another token", token.alg, changed, sig)
			}
			refused("is missing", token.alg, signed, nil)
			refused("is all zero", token.alg, signed, make([]byte, len(sig)))
			refused("is cut off", token.alg, signed, sig[:len(sig)-1])
			refused("is too long", token.alg, signed, append(slices.Clone(sig), 0))
			refused("has zeros before it", token.alg, signed, append(make([]byte, 2), sig...))
			refused("has a zero within", token.alg, signed, slices.Insert(slices.Clone(sig), len(sig)/2, 0))
			for _, other := range publicAlgs {
				if other != token.alg {
					refused("is made with "+token.alg+" and not "+other, other, signed, sig)
				}
			}
		})
	}
}

func TestSignatureInASN1(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := []byte("e30.e30")
	h := crypto.SHA256.New()
	h.Write(signed)
	sig, err := ecdsa.SignASN1(rand.Reader, k, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	if (publicKey{key: &k.PublicKey}).made("ES256", signed, sig) {
		t.Error("a signature was accepted that is not spelled as RFC 7518 wants it")
	}
}

// TestSpareBits sees to it that a signature is spelled in one way only.
func TestSpareBits(t *testing.T) {
	if _, _, ok := (&jwt{raw: "e30.e30.AB"}).signature(); ok {
		t.Error("base64 was accepted of which bits are left over")
	}
	if _, sig, ok := (&jwt{raw: "e30.e30.AA"}).signature(); !ok || len(sig) != 1 {
		t.Errorf("got %x, %v, want one byte", sig, ok)
	}
}
