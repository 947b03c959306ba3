package catalog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"time"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// An AppleKey is what Apple gives a developer in place of a client secret. All
// three stand on https://developer.apple.com/account/resources/authkeys/list.
type AppleKey struct {
	TeamID string // ten characters, at the top right of the page
	KeyID  string // ten characters, beside the key's name
	PEM    string // what is in the file AuthKey_….p8
}

// String hides the key, so that a logged AppleKey gives nothing away.
func (k AppleKey) String() string {
	return "catalog.AppleKey{TeamID: " + k.TeamID + ", KeyID: " + k.KeyID + ", …}"
}

// GoString is String, for %#v.
func (k AppleKey) GoString() string { return k.String() }

// Apple logs people in with Apple. The ID is that of a Services ID, and there
// is no secret: one is made of the key for each request.
// https://developer.apple.com/documentation/signinwithapple
//
// An address is verified if the claim email_verified says so, and may be a relay
// that the person can shut:
// https://developer.apple.com/documentation/signinwithapple/authenticating-users-with-sign-in-with-apple
//
// Apple tells a person's name to the app once, at their first login ever. Keep
// it then. It comes by way of the browser, so that a person can write there
// what they like.
//
// Apple gives a refresh token without being asked, but has no API to call.
// Callbacks come as a POST, to https and to a name, never to localhost.
func Apple(key AppleKey, id string, opts ...provider.Option) provider.Provider {
	private, err := key.parse()
	d := &provider.OIDC{
		Info: provider.Info{
			ID: "apple", Name: "Apple",
			Setup: "https://developer.apple.com/account/resources/identifiers/list/serviceId",
			API:   "https://appleid.apple.com", // lest a client send the token elsewhere
		},
		Issuer: "https://appleid.apple.com",
		// Apple's metadata named this one for a while on 10 June 2025.
		Issuers: []string{"https://account.apple.com"},
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://appleid.apple.com/auth/authorize",
			TokenURL:  "https://appleid.apple.com/auth/token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
		KeysURL:   "https://appleid.apple.com/auth/keys",
		RevokeURL: "https://appleid.apple.com/auth/revoke",
		NoReauth:  true,
		PostsBack: true,
		Scopes:    []string{"name", "email"},
		Fields: provider.Fields{
			EmailVerified: "claim_loose:email_verified", // a string in some tokens
			Name:          "callback:user.name.firstName callback:user.name.lastName",
		},
		Secret: func() (string, error) {
			if err != nil {
				return "", err
			}
			return key.secret(private, id, time.Now())
		},
	}
	p := d.New(id, "", opts...)
	if err != nil {
		return mistaken{p, err}
	}
	return p
}

// parse reads the key. Its errors never quote what was given.
func (k AppleKey) parse() (*ecdsa.PrivateKey, error) {
	if k.TeamID == "" || k.KeyID == "" {
		return nil, errors.New("catalog: AppleKey: TeamID and KeyID are required")
	}
	block, _ := pem.Decode([]byte(k.PEM))
	if block == nil {
		return nil, errors.New("catalog: AppleKey.PEM: want the text of the file AuthKey_….p8, from BEGIN PRIVATE KEY to END PRIVATE KEY")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("catalog: AppleKey.PEM: want a PKCS #8 private key")
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("catalog: AppleKey.PEM: want an elliptic curve key, P-256")
	}
	return private, nil
}

// secret makes a client secret as in
// https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret.
// It is good for five minutes, since one request is all it is for.
func (k AppleKey) secret(private *ecdsa.PrivateKey, clientID string, now time.Time) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": k.KeyID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": k.TeamID,
		"iat": now.Unix(),
		"exp": now.Add(5 * time.Minute).Unix(),
		"aud": "https://appleid.apple.com",
		"sub": clientID,
	})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		return "", err
	}
	var sig [64]byte // RFC 7518 section 3.4: r and s side by side, not ASN.1
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig[:]), nil
}
