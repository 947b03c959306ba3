package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	freshKeys = time.Hour
	keepKeys  = 24 * time.Hour
	maxKeys   = 100
	maxTries  = 8 // keys that a token without a key ID is compared with
	minRSA    = 2048
)

// A keySet has the public keys of one issuer. It is fetched when the first
// token comes, and again, at most once a minute, for a key ID that it lacks.
type keySet struct {
	url string
	doc cached[[]publicKey]

	header atomic.Pointer[knownHeader] // of the last good token; nil before there was one
}

// A knownHeader is the header of a token that was good. Nearly all tokens that a
// key signs bear the same one.
type knownHeader struct {
	text          string // in base64, as it was signed
	alg, kid, typ string
	read          jose.Signature // as go-jose reads it, to be given another signature
}

// A publicKey is a key that may verify signatures.
type publicKey struct {
	kid string
	alg string // that it is bound to, if any
	key any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

func newKeySet(c *http.Client, url string, now func() time.Time) *keySet {
	return &keySet{url: url, doc: cached[[]publicKey]{
		now: now, fresh: freshKeys, keep: keepKeys,
		load: func(ctx context.Context) ([]publicKey, error) {
			body, err := getDocument(ctx, c, url)
			if err != nil {
				return nil, err
			}
			return parseKeys(body)
		},
	}}
}

// verify compares the signature of t with the keys that may have made it. Kind
// begins the Reason of errors, as in parseJWT. Key sources in the header, such
// as jwk and jku, are the sender's own and are not looked at.
func (s *keySet) verify(ctx context.Context, kind string, t *jwt) error {
	bad := func(text string) error { return &Error{Reason: kind + "_sig", Err: errors.New(text)} }
	jws, err := s.parse(t)
	if err != nil {
		return &Error{Reason: kind + "_malformed", Err: errors.New("not a signed token")}
	}
	keys, turn, err := s.doc.get(ctx)
	if err != nil {
		return unavailable(err)
	}
	found, ok := try(keys, t, jws)
	if ok {
		s.know(t, jws)
		return nil
	}
	// A key that has this ID and did not fit is no reason to ask again: anyone
	// can write an ID into a header.
	if found && t.kid != "" {
		return bad("signature does not fit")
	}
	keys, ok, err = s.doc.again(ctx, turn)
	if err != nil {
		return unavailable(err)
	}
	if !ok {
		return bad("no such key, and the keys were asked for less than a minute ago")
	}
	if _, ok := try(keys, t, jws); !ok {
		return bad("no key fits")
	}
	s.know(t, jws)
	return nil
}

// parse returns t as go-jose reads it, to be verified over t.payload. Of a token
// whose header is known, it reads the signature alone.
func (s *keySet) parse(t *jwt) (*jose.JSONWebSignature, error) {
	known := s.header.Load()
	if known == nil || known.text != t.header() {
		return jose.ParseSignedCompact(t.raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)})
	}
	sig, err := base64.RawURLEncoding.DecodeString(t.raw[strings.LastIndexByte(t.raw, '.')+1:])
	if err != nil {
		return nil, err
	}
	read := known.read
	read.Signature = sig
	return &jose.JSONWebSignature{Signatures: []jose.Signature{read}}, nil
}

// know keeps the header of a token whose signature is good, and of no other:
// anyone can send one.
func (s *keySet) know(t *jwt, jws *jose.JSONWebSignature) {
	if known := s.header.Load(); known != nil && known.text == t.header() || len(jws.Signatures) != 1 {
		return
	}
	known := &knownHeader{strings.Clone(t.header()), t.alg, t.kid, t.typ, jws.Signatures[0]}
	known.read.Signature = nil
	s.header.Store(known)
}

func unavailable(err error) error {
	return &Error{Reason: reasonKeys, Err: err}
}

// try reports whether there was a key of that ID, and whether one fitted.
func try(keys []publicKey, t *jwt, jws *jose.JSONWebSignature) (found, ok bool) {
	tries := 0
	for _, k := range keys {
		if t.kid != "" && k.kid != t.kid {
			continue
		}
		found = true
		if !k.suits(t.alg) {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		if jws.DetachedVerify(t.payload, k.key) == nil {
			return true, true
		}
	}
	return found, false
}

// suits reports whether k is of the type that alg needs, so that no token can
// have a key used in a way that it was not made for.
func (k publicKey) suits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return slices.Contains([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, alg)
	case *ecdsa.PublicKey:
		switch alg {
		case "ES256":
			return key.Curve == elliptic.P256()
		case "ES384":
			return key.Curve == elliptic.P384()
		case "ES512":
			return key.Curve == elliptic.P521()
		}
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// parseKeys reads a JSON Web Key Set. Keys that are broken, weak, private,
// symmetric or for something else are left out: RFC 7517 section 5 wants a set
// to work although some of its keys are not understood.
func parseKeys(body []byte) ([]publicKey, error) {
	var doc map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal(body, &doc) != nil {
		return nil, errors.New("not a JSON object")
	}
	if json.Unmarshal(doc["keys"], &list) != nil || list == nil {
		return nil, errors.New("keys: want a list")
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("want at most %d keys, got %d", maxKeys, len(list))
	}
	keys := make([]publicKey, 0, len(list))
	for _, raw := range list {
		if k, ok := parseKey(raw); ok {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func parseKey(raw []byte) (publicKey, bool) {
	var ops struct {
		Ops []string `json:"key_ops"`
	}
	var k jose.JSONWebKey
	if json.Unmarshal(raw, &ops) != nil || k.UnmarshalJSON(raw) != nil {
		return publicKey{}, false
	}
	if k.Use != "" && k.Use != "sig" || len(ops.Ops) > 0 && !slices.Contains(ops.Ops, "verify") {
		return publicKey{}, false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		// Go-jose refuses more than 4,096 bits, which would only waste time.
		if key.N.BitLen() < minRSA || key.E < 3 || key.E%2 == 0 {
			return publicKey{}, false
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return publicKey{}, false
	}
	return publicKey{kid: k.KeyID, alg: k.Algorithm, key: k.Key}, true
}

// getDocument fetches a public document of a service.
func getDocument(ctx context.Context, c *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	req.Header.Set("Accept", "application/json")
	status, _, body, err := fetch(c, req)
	if err != nil {
		return nil, err
	}
	if status >= 500 || status == http.StatusTooManyRequests {
		return nil, fmt.Errorf("%s: %w: status %d", req.URL.Host, ErrUnavailable, status)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: want status 200, got %d", req.URL.Host, status)
	}
	return body, nil
}
