package catalog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
)

// checkAppleSecret judges a client secret as Apple does. Every token request of
// TestLogin/apple comes by here.
func checkAppleSecret(t *testing.T, secret string) {
	t.Helper()
	parts := strings.Split(secret, ".")
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(sig) != 64 {
		t.Fatalf("signature: got %d bytes (%v), want 64", len(sig), err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if !ecdsa.Verify(&appleSigner().PublicKey, sum[:], r, s) {
		t.Error("the client secret is not signed by the developer's key")
	}
	var header struct{ Alg, Kid string }
	var claims struct {
		Iss, Aud, Sub string
		Iat, Exp      int64
	}
	for i, to := range []any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, to); err != nil {
			t.Fatal(err)
		}
	}
	if header.Alg != "ES256" || header.Kid != "KEY7777777" {
		t.Errorf("header: got %+v", header)
	}
	if claims.Iss != "TEAM777777" || claims.Aud != "https://appleid.apple.com" || claims.Sub != clientID {
		t.Errorf("claims: got %+v", claims)
	}
	now := time.Now().Unix()
	if claims.Iat > now || claims.Exp <= now || claims.Exp > now+int64((180*24*time.Hour).Seconds()) {
		t.Errorf("the client secret is good from %d to %d, and it is %d", claims.Iat, claims.Exp, now)
	}
}

func TestAppleKeyThatCannotSign(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := appleKey()
	for name, key := range map[string]catalog.AppleKey{
		"nothing":       {},
		"no team":       {KeyID: good.KeyID, PEM: good.PEM},
		"no key ID":     {TeamID: good.TeamID, PEM: good.PEM},
		"no PEM":        {TeamID: good.TeamID, KeyID: good.KeyID, PEM: "c2VjcmV0LWtleQ=="},
		"cut off":       {TeamID: good.TeamID, KeyID: good.KeyID, PEM: good.PEM[:len(good.PEM)/2]},
		"another curve": {TeamID: good.TeamID, KeyID: good.KeyID, PEM: pkcs8(p384)},
		"RSA":           {TeamID: good.TeamID, KeyID: good.KeyID, PEM: pkcs8(rsaKey)},
	} {
		t.Run(name, func(t *testing.T) {
			p := catalog.Apple(key, clientID)
			err := provider.Check(p)
			if err == nil || !strings.Contains(err.Error(), "AppleKey") {
				t.Fatalf("got %v, want an error that names AppleKey", err)
			}
			for _, line := range strings.Fields(key.PEM) {
				if len(line) > 12 && strings.Contains(err.Error(), line) {
					t.Errorf("the error quotes the key: %v", err)
				}
			}
			if p.Info().ID != "apple" {
				t.Errorf("Info: got %+v", p.Info())
			}
		})
	}
}

func TestAppleKeyIsNotPrinted(t *testing.T) {
	key := appleKey()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(format, key); strings.Contains(got, "PRIVATE") || strings.Contains(got, key.PEM[40:60]) {
			t.Errorf("%s prints the key: %s", format, got)
		}
	}
}
