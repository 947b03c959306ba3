package provider_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatepass/gatepass/provider"
)

const (
	opIssuer  = "https://op.example"
	opClient  = "client-1"
	opSecret  = "s3cr3t: %+&ü"
	opSubject = "248289761001"
)

// Keys are slow to make, so that all tests share them.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ec384Key = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, 32)) })
)

// A hostileOP is an OpenID Connect server in memory, every part of which a test
// can bend. It is an [http.RoundTripper], so that a test can give it any
// address, https included.
type hostileOP struct {
	issuer string
	clock  *clock
	alg    string
	key    any    // signs
	kid    string // "" leaves it out of header and keys

	header    func(h map[string]any)           // changes the ID token's header
	claims    func(c map[string]any)           // changes its claims
	rawClaims func(c []byte) []byte            // changes its claims as bytes
	rawToken  func(signed string) any          // replaces it; nil leaves it out
	answer    func(a map[string]any)           // changes the token answer
	user      map[string]any                   // userinfo
	rawUser   func(w http.ResponseWriter) bool // answers in place of user if it returns true
	metadata  func(m map[string]any)           // changes the metadata
	keys      func() any                       // replaces the JWK Set
	intercept map[string]http.HandlerFunc      // answers for a path
	refreshed func(c map[string]any)           // changes the ID token of a renewal; nil sends none

	mu        sync.Mutex
	calls     map[string]int
	nonce     string
	challenge string
	lastForm  url.Values
	lastAuth  string
	lastToken string
}

func newOP() *hostileOP {
	return &hostileOP{
		issuer: opIssuer, clock: newClock(), alg: "RS256", key: rsaKey(), kid: "k1",
		user:  map[string]any{"sub": opSubject, "name": "Jane Doe", "preferred_username": "jane"},
		calls: map[string]int{}, intercept: map[string]http.HandlerFunc{},
	}
}

// definition is that of a conforming client of op.
func (op *hostileOP) definition() provider.OIDC {
	return provider.OIDC{
		Info:   provider.Info{ID: "op", Name: "The OP"},
		Issuer: op.issuer,
		Scopes: []string{"profile", "email"},
		Now:    op.clock.Now,
	}
}

func (op *hostileOP) provider(change ...func(d *provider.OIDC)) provider.Provider {
	d := op.definition()
	for _, f := range change {
		f(&d)
	}
	return d.New(opClient, opSecret, provider.WithHTTPClient(&http.Client{Transport: op}))
}

// RoundTrip answers without a connection.
func (op *hostileOP) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		op.ServeHTTP(w, req)
	}()
	select {
	case v := <-done:
		if v != nil {
			return nil, fmt.Errorf("%v", v)
		}
		res := w.Result()
		res.Request = req
		return res, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

func (op *hostileOP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if u, err := url.Parse(op.issuer); err == nil {
		path = strings.TrimPrefix(path, strings.TrimSuffix(u.Path, "/"))
	}
	op.mu.Lock()
	op.calls[path]++
	h := op.intercept[path]
	op.mu.Unlock()
	switch {
	case h != nil:
		h(w, r)
	case path == "/.well-known/openid-configuration":
		m := op.meta()
		if op.metadata != nil {
			op.metadata(m)
		}
		writeJSON(w, m)
	case path == "/jwks":
		if op.keys != nil {
			writeJSON(w, op.keys())
			return
		}
		writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwkOf(op.key, op.kid)}})
	case path == "/token":
		op.token(w, r)
	case path == "/userinfo":
		op.userinfo(w, r)
	case path == "/revoke":
	default:
		http.NotFound(w, r)
	}
}

func (op *hostileOP) meta() map[string]any {
	base := strings.TrimSuffix(op.issuer, "/")
	return map[string]any{
		"issuer":                                op.issuer,
		"authorization_endpoint":                base + "/authorize",
		"token_endpoint":                        base + "/token",
		"jwks_uri":                              base + "/jwks",
		"userinfo_endpoint":                     base + "/userinfo",
		"revocation_endpoint":                   base + "/revoke",
		"end_session_endpoint":                  base + "/logout?ui=1",
		"code_challenge_methods_supported":      []string{"plain", "S256"},
		"id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"},
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func (op *hostileOP) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		panic(err)
	}
	op.mu.Lock()
	op.lastForm, op.lastAuth = maps.Clone(r.PostForm), r.Header.Get("Authorization")
	nonce, challenge := op.nonce, op.challenge
	op.mu.Unlock()
	answer := map[string]any{"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rt-1"}
	switch r.PostForm.Get("grant_type") {
	case "refresh_token":
		answer["access_token"], answer["refresh_token"] = "at-2", "rt-2"
		if op.refreshed != nil {
			c := op.idClaims("", "at-2")
			op.refreshed(c)
			answer["id_token"] = op.sign(op.idHeader(), encode(c))
		}
	default:
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if challenge != "" && b64(sum[:]) != challenge {
			w.WriteHeader(http.StatusBadRequest)
			writeJSON(w, map[string]any{"error": "invalid_grant"})
			return
		}
		if t := op.idToken(nonce); t != nil {
			answer["id_token"] = t
		}
	}
	if op.answer != nil {
		op.answer(answer)
	}
	writeJSON(w, answer)
}

func (op *hostileOP) userinfo(w http.ResponseWriter, r *http.Request) {
	if op.rawUser != nil && op.rawUser(w) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer at-1" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	writeJSON(w, op.user)
}

func (op *hostileOP) idHeader() map[string]any {
	h := map[string]any{"alg": op.alg, "typ": "JWT"}
	if op.kid != "" {
		h["kid"] = op.kid
	}
	return h
}

func (op *hostileOP) idClaims(nonce, accessToken string) map[string]any {
	now := op.clock.Now().Unix()
	c := map[string]any{
		"iss": op.issuer, "sub": opSubject, "aud": opClient, "iat": now, "exp": now + 3600,
		"at_hash": atHash(op.alg, accessToken), "auth_time": now - 30, "sid": "session-1",
	}
	if nonce != "" {
		c["nonce"] = nonce
	}
	return c
}

func (op *hostileOP) idToken(nonce string) any {
	h, c := op.idHeader(), op.idClaims(nonce, "at-1")
	if op.header != nil {
		op.header(h)
	}
	if op.claims != nil {
		op.claims(c)
	}
	body := encode(c)
	if op.rawClaims != nil {
		body = op.rawClaims(body)
	}
	signed := op.sign(h, body)
	op.mu.Lock()
	op.lastToken = signed
	op.mu.Unlock()
	if op.rawToken != nil {
		return op.rawToken(signed)
	}
	return signed
}

// sign makes a token in compact form of any header and payload.
func (op *hostileOP) sign(header map[string]any, payload []byte) string {
	input := b64(encode(header)) + "." + b64(payload)
	return input + "." + b64(signature(op.alg, op.key, input))
}

// count returns how often path was asked for.
func (op *hostileOP) count(path string) int {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.calls[path]
}

// begin starts a login and remembers what the browser would bring.
func (op *hostileOP) begin(t testing.TB, p provider.Provider, req provider.Request) (provider.Request, provider.Redirect) {
	t.Helper()
	if req.State == "" {
		req.State = "state-1"
	}
	if req.CallbackURL == "" {
		req.CallbackURL = "https://app.example/auth/callback/op"
	}
	to, err := p.Begin(t.Context(), req)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	u, err := url.Parse(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	op.mu.Lock()
	op.nonce, op.challenge = u.Query().Get("nonce"), u.Query().Get("code_challenge")
	op.mu.Unlock()
	return req, to
}

// login runs a whole login with these callback parameters beside state, or a
// code if there are none.
func (op *hostileOP) login(t testing.TB, p provider.Provider, params ...string) (provider.Identity, provider.Token, error) {
	t.Helper()
	req, to := op.begin(t, p, provider.Request{})
	return op.complete(t, p, req, to.Memo, params...)
}

func (op *hostileOP) complete(t testing.TB, p provider.Provider, req provider.Request, memo string, params ...string) (provider.Identity, provider.Token, error) {
	t.Helper()
	if len(params) == 0 {
		params = []string{"code", "code-1"}
	}
	q := url.Values{"state": {req.State}}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	cb, err := provider.NewCallback(req, memo, q)
	if err != nil {
		t.Fatalf("NewCallback: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return p.Complete(ctx, cb)
}

// wantReason fails the test unless err is an *Error with that reason that gives
// nothing away.
func wantReason(t testing.TB, err error, reason string) {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error with reason %s", err, reason)
	}
	if e.Reason != reason {
		t.Errorf("got reason %q (%v), want %q", e.Reason, err, reason)
	}
	if e.Provider != "op" || e.Op == "" {
		t.Errorf("got provider %q, op %q: want both said", e.Provider, e.Op)
	}
	for _, secret := range []string{"at-1", "rt-1", "code-1", "state-1", "eyJ", opSecret} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q holds %q", err, secret)
		}
	}
}
