package catalog_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"time"
)

var signer = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func jwks() map[string]any {
	pub, point := signer().PublicKey, ecPoint(&appleSigner().PublicKey)
	return map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "key-RS256",
		"n": base64.RawURLEncoding.EncodeToString(pub.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(pub.E)).Bytes()),
	}, map[string]any{
		"kty": "EC", "use": "sig", "alg": "ES256", "kid": "key-ES256", "crv": "P-256",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}}}
}

// ecPoint returns 4, x and y.
func ecPoint(pub *ecdsa.PublicKey) []byte {
	point, err := pub.Bytes()
	if err != nil {
		panic(err)
	}
	return point
}

// idToken signs the claims of the script.
func (s *service) idToken() string {
	now := time.Now()
	half := sha256.Sum256([]byte(s.vars["access_token"]))
	claims := map[string]any{}
	for name, value := range s.script.Claims {
		switch value {
		case "{now}":
			value = now.Unix()
		case "{soon}":
			value = now.Add(time.Hour).Unix()
		case "{at_hash}":
			value = base64.RawURLEncoding.EncodeToString(half[:16])
		default:
			if text, ok := value.(string); ok {
				value = s.fill(text)
			}
		}
		claims[name] = value
	}
	alg := s.script.alg
	if alg == "" {
		alg = "RS256"
	}
	header, err1 := json.Marshal(map[string]string{"alg": alg, "kid": "key-" + alg, "typ": "JWT"})
	payload, err2 := json.Marshal(claims)
	if err1 != nil || err2 != nil {
		s.t.Fatal(err1, err2)
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, signer(), crypto.SHA256, sum[:])
	if alg == "ES256" {
		var x, y *big.Int
		x, y, err = ecdsa.Sign(rand.Reader, appleSigner(), sum[:])
		sig = append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (s *service) checkOAuth1(c call, header string) {
	rest, ok := strings.CutPrefix(header, "OAuth ")
	if !ok {
		s.t.Errorf("%s: want Authorization: OAuth", c.Name)
		return
	}
	got := url.Values{}
	for _, pair := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		v, err := url.PathUnescape(strings.Trim(value, `"`))
		if err != nil {
			s.t.Errorf("%s: %v", c.Name, err)
		}
		got.Add(name, v)
	}
	for _, name := range []string{"oauth_nonce", "oauth_timestamp", "oauth_signature"} {
		if got.Get(name) == "" {
			s.t.Errorf("%s: %s is missing", c.Name, name)
		}
		got.Del(name)
	}
	want := map[string]string{"oauth_consumer_key": clientID, "oauth_signature_method": "HMAC-SHA1", "oauth_version": "1.0"}
	maps.Copy(want, c.Request.OAuth1)
	if c.Request.OAuth1["oauth_callback"] != "" {
		u, err := url.Parse(got.Get("oauth_callback"))
		if err != nil || u.Query().Get("state") != stateValue {
			s.t.Errorf("%s: oauth_callback does not bring the state back", c.Name)
		}
		want["oauth_callback"] = got.Get("oauth_callback")
		if !strings.HasPrefix(want["oauth_callback"], redirectURI) {
			s.t.Errorf("%s: oauth_callback: got %s", c.Name, want["oauth_callback"])
		}
	}
	s.same(c.Name+" OAuth parameters", got, want)
}
