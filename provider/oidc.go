package provider

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The words of Error.Reason that OpenID Connect adds. What is wrong with a token
// is "id_token" or "logout_token" with _missing, _malformed, _alg, _sig, _typ,
// _iss, _sub, _aud, _azp, _exp, _iat, _nbf, _jti, _sid, _events or _nonce.
const (
	reasonDiscovery       = "discovery_invalid"     // the metadata makes no sense
	reasonDiscoveryIssuer = "discovery_issuer"      // the metadata is another server's
	reasonDiscoveryDown   = "discovery_unavailable" // there is no metadata
	reasonKeys            = "jwks_unavailable"      // there are no keys
	reasonNonce           = "nonce_mismatch"        // the ID token is of another login
	reasonNonceMissing    = "nonce_missing"         // the ID token does not say of which login it is
	reasonHash            = "at_hash"               // the access token is not the one that the ID token came with
	reasonAuthTime        = "auth_time"             // when the person logged in there makes no sense
	reasonUserinfoSub     = "userinfo_sub"          // userinfo is about someone else
	reasonUserinfoSig     = "userinfo_sig"          // userinfo is signed, and not as it should be
	reasonRefreshIdentity = "refresh_identity"      // the renewed ID token is about someone else
)

// An oidcProvider is an [OIDC] with a client ID and a secret.
type oidcProvider struct {
	d        OIDC
	info     Info
	opts     options
	clientID string
	scopes   []string // of every login
	client   *http.Client
	fields   *mapper
	active   cond  // nil if every account is
	mistakes error // that New found; for Check
	grant    grant
	pinned   *metadata // nil if it is discovered
	docs     cached[*metadata]
	skewed   func() time.Time // now, as late as another machine's clock may have it

	mu   sync.Mutex
	keys *keySet // of the address that metadata named last
}

var (
	_ Refresher      = (*oidcProvider)(nil)
	_ Revoker        = (*oidcProvider)(nil)
	_ LogoutURLer    = (*oidcProvider)(nil)
	_ LogoutVerifier = (*oidcProvider)(nil)
	_ Clienter       = (*oidcProvider)(nil)
	_ Checker        = (*oidcProvider)(nil)
)

// New is like [OAuth2.New].
func (d OIDC) New(clientID, clientSecret string, opts ...Option) Provider {
	o := makeOptions(opts)
	p := &oidcProvider{d: d, info: o.info(d.Info), opts: o, clientID: clientID, client: newHTTPClient(o)}
	p.info.Reauth = !d.NoReauth // prompt=login and max_age are part of OpenID Connect
	p.info.PostsBack = d.PostsBack
	p.scopes = joinScopes([]string{"openid"}, d.Scopes, o.scopes)
	secret := d.Secret
	if secret == nil {
		secret = func() (string, error) { return clientSecret, nil }
	}
	p.grant = grant{
		info: p.info, clientID: clientID, secret: secret, dialect: d.Dialect,
		params: mergeParams(d.Params, o.params), public: d.PublicClient, pkce: !d.NoPKCE, client: p.client,
		postsBack: d.PostsBack,
	}
	var errs [3]error
	errs[0] = p.grant.prepare()
	p.fields, errs[1] = d.standard().compile(nil)
	if d.Active != "" {
		p.active, errs[2] = parseCond(d.Active)
	}
	p.mistakes = errors.Join(append(errs[:], p.check(clientSecret))...)
	if d.pinned() {
		p.pinned = d.pins()
	}
	p.skewed = func() time.Time { return p.now().Add(-clockSkew) }
	p.docs = cached[*metadata]{
		now: p.now, fresh: freshMetadata, keep: keepMetadata,
		load: func(ctx context.Context) (*metadata, error) { return p.d.discover(ctx, p.client) },
	}
	return p
}

// standard returns the Fields with the standard claims (OpenID Connect Core 1.0
// section 5.1) where they are empty. Whether an address is verified is only
// known of the standard one.
func (d *OIDC) standard() Fields {
	f := d.Fields
	if f.EmailVerified == "" && (f.Email == "" || f.Email == "email") {
		f.EmailVerified = "email_verified"
	}
	for _, x := range []struct {
		path  *string
		claim string
	}{
		{&f.Subject, "id_token:sub"},
		{&f.Email, "email"},
		{&f.Name, "name"},
		{&f.Username, "preferred_username"},
		{&f.AvatarURL, "picture"},
		{&f.ProfileURL, "profile"},
		{&f.Locale, "locale"},
	} {
		if *x.path == "" {
			*x.path = x.claim
		}
	}
	return f
}

// ownSubject reports whether the definition names something else than sub.
func (d *OIDC) ownSubject() bool {
	return d.Fields.Subject != "" && d.Fields.Subject != "sub" && d.Fields.Subject != "id_token:sub"
}

func (p *oidcProvider) now() time.Time {
	if p.d.Now != nil {
		return p.d.Now()
	}
	return time.Now()
}

// Info implements [Provider].
func (p *oidcProvider) Info() Info { return p.info.clone() }

// Client implements [Clienter].
func (p *oidcProvider) Client(_ context.Context, tok Token) *http.Client {
	return bearerClient(p.info, p.client, tok)
}

// metadata returns what is known of the server, which it may have to be asked.
func (p *oidcProvider) metadata(ctx context.Context) (*metadata, error) {
	if p.pinned != nil {
		return p.pinned, nil
	}
	m, _, err := p.docs.get(ctx)
	return m, err
}

// keysAt returns the keys at url. When metadata names another address, those of
// the old one are forgotten.
func (p *oidcProvider) keysAt(url string) *keySet {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil || p.keys.url != url {
		p.keys = newKeySet(p.client, url, p.now)
	}
	return p.keys
}

// parseJWT takes a token of the server apart.
func (p *oidcProvider) parseJWT(kind, raw string, m *metadata) (*jwt, error) {
	return parseJWT(kind, raw, m.algs, p.keysAt(m.keysURL).header.Load())
}

// newMemo makes the secrets of a login. The memo is what Complete needs of Begin:
// "1.verifier.nonce", and after a space the scopes that the Request added. It
// begins with its version, as one may have been written by an older instance of
// the app. The nonce is not made from the verifier: it is shown to the browser.
func (p *oidcProvider) newMemo(scopes []string) (memo, verifier, nonce string) {
	var random [64]byte
	rand.Read(random[:])
	var room [128]byte
	b := append(room[:0], "1."...)
	if !p.d.NoPKCE {
		b = base64.RawURLEncoding.AppendEncode(b, random[:32])
	}
	middle := len(b)
	b = base64.RawURLEncoding.AppendEncode(append(b, '.'), random[32:])
	end := len(b)
	for _, s := range scopes {
		b = append(append(b, ' '), s...)
	}
	memo = string(b)
	return memo, memo[2:middle], memo[middle+1 : end]
}

func (p *oidcProvider) openMemo(memo string) (verifier, nonce string, scopes []string, err error) {
	secrets, rest, _ := strings.Cut(memo, " ")
	version, secrets, _ := strings.Cut(secrets, ".")
	verifier, nonce, _ = strings.Cut(secrets, ".")
	if version != "1" || nonce == "" || strings.Contains(nonce, ".") || (verifier == "") != p.d.NoPKCE {
		return "", "", nil, &Error{Reason: reasonMemo, Err: fmt.Errorf("PKCE verifier and nonce: %w", ErrState)}
	}
	return verifier, nonce, strings.Fields(rest), nil
}

// randomText returns 32 random bytes as base64url. EncodeToString would allocate
// twice.
func randomText() string {
	var b [32]byte
	rand.Read(b[:])
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], b[:])
	return string(text[:])
}

// checkIss compares the iss of a callback (RFC 9207), so that a code of one
// server is not sent to another. It must be there if the server says that it is.
func (p *oidcProvider) checkIss(m *metadata, cb Callback) error {
	iss := cb.Param("iss")
	switch {
	case iss == "" && m.issParam:
		return &Error{Reason: reasonIssMissing, Err: errors.New("the server sends iss, and a proxy may have removed it")}
	case !cb.params.Has("iss"), iss != "" && p.known(iss):
		return nil
	case p.d.AcceptIssuer != nil && fitsTemplate(iss, p.d.metadataIssuer()):
		return nil // the ID token has to name the same one; see Complete
	}
	return &Error{Reason: reasonIssuer, Err: fmt.Errorf("iss: want %q, got %.200q", p.d.Issuer, iss)}
}

// fitsTemplate reports whether iss is template with one segment of a path in
// place of what stands in braces, such as a tenant's ID.
func fitsTemplate(iss, template string) bool {
	before, rest, ok := strings.Cut(template, "{")
	_, after, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return iss == template
	}
	middle, ok := strings.CutPrefix(iss, before)
	if !ok {
		return false
	}
	middle, ok = strings.CutSuffix(middle, after)
	return ok && middle != "" && !strings.ContainsAny(middle, "/?#@:")
}

// identityIssuer returns what an Identity carries for an accepted iss.
func (p *oidcProvider) identityIssuer(iss string) string {
	if p.d.AcceptIssuer != nil {
		return iss
	}
	return p.d.Issuer
}

// subject returns the Identity's Subject for a sub. Where there are several
// issuers, two of them may use one sub for two people, so that a hash of the
// issuer goes before it.
func (p *oidcProvider) subject(iss, sub string) string {
	if p.d.AcceptIssuer == nil {
		return sub
	}
	sum := sha256.Sum256([]byte(iss))
	return base64.RawURLEncoding.EncodeToString(sum[:12]) + "." + sub
}

// logoutSubject is subject for a logout token, which may lack the claims that
// the definition's own Subject is made of. It is then empty.
func (p *oidcProvider) logoutSubject(iss, sub string, claims object) string {
	if !p.d.ownSubject() {
		return p.subject(iss, sub)
	}
	all := map[string]any(claims)
	s := p.fields.identity(documents{profile: all, idToken: all}, false).Subject
	if checkSubject(s) != nil {
		return ""
	}
	return s
}
