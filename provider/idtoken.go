package provider

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxIDTokenAge is how long before its use an ID token may have been made: the
// ten minutes of a login, and five for clocks that differ.
const maxIDTokenAge = 15 * time.Minute

// A wanted is what an ID token must fit beside the definition.
type wanted struct {
	nonce       string // that was sent
	accessToken string // that came beside it
	renewal     bool   // it came with a refresh: without a nonce, and perhaps older
}

// An idToken is an ID token that passed every check.
type idToken struct {
	*jwt
	iss, sub, sid string
	aud           []string
	authTime      time.Time // zero if not said
}

// verifyIDToken checks raw. Go-oidc reads the token and checks signature,
// audience and times; what it leaves to its caller is in [oidcProvider.claims].
func (p *oidcProvider) verifyIDToken(ctx context.Context, m *metadata, raw string, want wanted) (*idToken, error) {
	t, err := p.parseJWT("id_token", raw, m)
	if err != nil {
		return nil, err
	}
	// A token made explicitly for another use is none to log in with, even one
	// that the same key signed.
	if typ := strings.ToLower(t.typ); strings.HasSuffix(typ, "+jwt") {
		return nil, &Error{Reason: "id_token_malformed", Err: fmt.Errorf("want typ JWT, got %.40q", typ)}
	}
	keys := p.keysFor("id_token", m, t)
	_, oidcErr := oidc.NewVerifier("", keys, &keys.config).Verify(ctx, raw)
	if keys.err != nil {
		return nil, keys.err
	}
	if !keys.verified {
		return nil, &Error{Reason: "id_token_malformed", Err: errors.New("not a signed token")}
	}
	id, err := p.claims(t, want)
	if err != nil {
		return nil, err
	}
	if oidcErr != nil {
		return nil, &Error{Reason: "id_token_malformed", Err: errors.New("claims of a wrong type")}
	}
	return id, nil
}

// A keysOfOne is a [oidc.KeySet] for one token, which keeps the error that
// go-oidc would turn into text.
type keysOfOne struct {
	set      *keySet
	kind     string
	t        *jwt
	verified bool
	err      error

	algs   [1]string
	config oidc.Config
}

var _ oidc.KeySet = (*keysOfOne)(nil)

// keysFor returns the keys for t, with the settings for go-oidc. The issuer is
// compared by issuerOf, which knows of issuers that mean the same.
func (p *oidcProvider) keysFor(kind string, m *metadata, t *jwt) *keysOfOne {
	k := &keysOfOne{set: p.keysAt(m.keysURL), kind: kind, t: t, algs: [1]string{t.alg}}
	k.config = oidc.Config{
		ClientID:             p.clientID,
		SupportedSigningAlgs: k.algs[:],
		SkipIssuerCheck:      true,
		Now:                  p.skewed,
	}
	return k
}

// VerifySignature implements [oidc.KeySet].
func (k *keysOfOne) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	if raw != k.t.raw {
		return nil, errors.New("another token than the one that was parsed")
	}
	if k.err = k.set.verify(ctx, k.kind, k.t); k.err != nil {
		return nil, k.err
	}
	k.verified = true
	return k.t.payload, nil
}

// claims checks all that an ID token says (OpenID Connect Core 1.0 section
// 3.1.3.7), after its signature. Nothing is skipped because a value of our own
// is empty.
func (p *oidcProvider) claims(t *jwt, want wanted) (*idToken, error) {
	id := &idToken{jwt: t}
	var err error
	if id.iss, err = p.issuerOf("id_token", t); err != nil {
		return nil, err
	}
	if id.sub, err = subjectOf(t.claims); err != nil {
		return nil, &Error{Reason: "id_token_sub", Err: err}
	}
	if id.aud, err = p.audienceOf(t.claims); err != nil {
		return nil, &Error{Reason: "id_token_aud", Err: err}
	}
	azp, err := t.claims.text("azp")
	if err != nil || t.claims["azp"] != nil && azp != p.clientID {
		return nil, &Error{Reason: "id_token_azp", Err: errors.New("azp: want the client ID")}
	}
	oldest := p.now().Add(-maxIDTokenAge)
	if want.renewal {
		oldest = time.Time{}
	}
	if reason, err := p.checkTimes(t.claims, oldest); err != nil {
		return nil, &Error{Reason: "id_token_" + reason, Err: err}
	}
	if err := p.checkNonce(t.claims, want); err != nil {
		return nil, err
	}
	if err := checkHash(t, want.accessToken); err != nil {
		return nil, &Error{Reason: reasonHash, Err: err}
	}
	if id.sid, err = t.claims.text("sid"); err != nil || len(id.sid) > 255 {
		return nil, &Error{Reason: "id_token_malformed", Err: errors.New("sid: want a string of at most 255 bytes")}
	}
	if id.authTime, _, err = t.claims.date("auth_time"); err != nil {
		return nil, &Error{Reason: reasonAuthTime, Err: err}
	}
	return id, nil
}

// issuerOf returns the iss of a token whose signature is good, if it is one to
// believe.
func (p *oidcProvider) issuerOf(kind string, t *jwt) (string, error) {
	iss, err := t.claims.text("iss")
	switch {
	case err != nil:
	case iss == "":
		err = errors.New("iss: missing")
	case len(iss) > 2048:
		err = errors.New("iss: too long")
	case p.d.AcceptIssuer != nil:
		if !p.d.AcceptIssuer(iss, json.RawMessage(slices.Clone(t.payload))) {
			err = fmt.Errorf("iss: %.200q is not accepted", iss)
		}
	case iss != p.d.Issuer && !slices.Contains(p.d.Issuers, iss):
		err = fmt.Errorf("iss: want %q, got %.200q", p.d.Issuer, iss)
	}
	if err != nil {
		return "", &Error{Reason: kind + "_iss", Err: err}
	}
	return iss, nil
}

// subjectOf returns sub. What a database might store as something else than was
// signed is refused, never cut: two people must not become one.
func subjectOf(claims object) (string, error) {
	sub, err := claims.text("sub")
	switch {
	case err != nil:
		return "", err
	case sub == "":
		return "", errors.New("sub: missing")
	case len(sub) > 255:
		return "", errors.New("sub: longer than 255 bytes")
	case strings.TrimSpace(sub) != sub:
		return "", errors.New("sub: begins or ends with a space")
	case strings.ContainsFunc(sub, unicode.IsControl):
		return "", errors.New("sub: has a control character")
	case strings.ContainsRune(sub, utf8.RuneError): // also what half a surrogate pair is read as
		return "", errors.New("sub: not valid UTF-8")
	}
	return sub, nil
}

// audienceOf returns aud, which must hold the client ID and beside it only
// what the definition trusts.
func (p *oidcProvider) audienceOf(claims object) ([]string, error) {
	aud, err := audiences(claims)
	if err != nil {
		return nil, err
	}
	if p.clientID == "" || !slices.Contains(aud, p.clientID) {
		return nil, errors.New("aud: want the client ID")
	}
	others := 0
	for _, a := range aud {
		if a == p.clientID {
			continue
		}
		if !slices.Contains(p.d.Audiences, a) {
			return nil, fmt.Errorf("aud: another audience, %.200q", a)
		}
		others++
	}
	if others > 0 && claims["azp"] == nil {
		return nil, errors.New("aud: several, and no azp")
	}
	return aud, nil
}

func audiences(claims object) ([]string, error) {
	if s, ok := claims["aud"].(string); ok {
		return []string{s}, nil
	}
	return claims.texts("aud")
}

// checkTimes checks exp, iat and nbf, and says which of them is wrong.
func (p *oidcProvider) checkTimes(claims object, oldest time.Time) (string, error) {
	now := p.now()
	exp, ok, err := claims.date("exp")
	switch {
	case err != nil:
		return "exp", err
	case !ok:
		return "exp", errors.New("exp: missing")
	case !now.Before(exp.Add(clockSkew)):
		return "exp", fmt.Errorf("expired %v ago", now.Sub(exp).Round(time.Second))
	}
	iat, ok, err := claims.date("iat")
	switch {
	case err != nil:
		return "iat", err
	case !ok:
		return "iat", errors.New("iat: missing")
	case iat.After(now.Add(clockSkew)):
		return "iat", fmt.Errorf("made %v from now: is a clock wrong?", iat.Sub(now).Round(time.Second))
	case iat.Before(oldest):
		return "iat", fmt.Errorf("made %v ago", now.Sub(iat).Round(time.Second))
	}
	nbf, _, err := claims.date("nbf")
	switch {
	case err != nil:
		return "nbf", err
	case nbf.After(now.Add(clockSkew)):
		return "nbf", fmt.Errorf("not valid before %v from now", nbf.Sub(now).Round(time.Second))
	}
	return "", nil
}

// checkNonce ties the token to the login that it was asked for.
func (p *oidcProvider) checkNonce(claims object, want wanted) error {
	nonce, err := claims.text("nonce")
	switch {
	case claims["nonce"] == nil && (want.renewal || p.d.InsecureNoNonce):
		return nil
	case want.renewal:
		return nil // section 12.2 of Core allows the first login's, which is long forgotten
	case claims["nonce"] == nil:
		return &Error{Reason: reasonNonceMissing, Err: errors.New("the ID token has no nonce")}
	case err != nil || want.nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(want.nonce)) != 1:
		return &Error{Reason: reasonNonce, Err: errors.New("the ID token is of another login")}
	}
	return nil
}

// checkHash compares at_hash, where there is one, with the access token that
// came along (section 3.1.3.6 of Core).
func checkHash(t *jwt, accessToken string) error {
	hash, err := t.claims.text("at_hash")
	if err != nil || t.claims["at_hash"] == nil {
		return err
	}
	var sum []byte
	switch {
	case strings.HasSuffix(t.alg, "256"):
		s := sha256.Sum256([]byte(accessToken))
		sum = s[:]
	case strings.HasSuffix(t.alg, "384"):
		s := sha512.Sum384([]byte(accessToken))
		sum = s[:]
	default: // 512, and EdDSA, whose curve hashes with SHA-512
		s := sha512.Sum512([]byte(accessToken))
		sum = s[:]
	}
	left := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	if subtle.ConstantTimeCompare([]byte(hash), []byte(left)) != 1 {
		return errors.New("at_hash: made for another access token")
	}
	return nil
}
