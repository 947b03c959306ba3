package provider_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatepass/gatepass/provider"
)

// fuzzOP signs with the quickest of algorithms.
func fuzzOP() *hostileOP {
	op := newOP()
	op.alg, op.key = "EdDSA", edKey()
	return op
}

// FuzzIDToken gives the engine any text in place of an ID token. None may make
// it panic, and none may log anyone in as someone whom the key did not sign.
func FuzzIDToken(f *testing.F) {
	op := fuzzOP()
	good := op.sign(op.idHeader(), encode(op.idClaims("n", "at-1")))
	for _, seed := range []string{
		good, "", ".", "..", "....", good + ".", good[:len(good)/2], "{}", "e30.e30.e30", `{"payload":"e30"}`,
		b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{"sub":"x"}`)) + ".",
		b64([]byte(`{"alg":"RS256","crit":["b64"]}`)) + ".e30.e30",
		strings.Repeat("a", 70_000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		op := fuzzOP()
		op.rawToken = func(string) any { return token }
		id, _, err := op.login(t, op.provider())
		if err == nil {
			t.Errorf("%q logged in %q", token, id.Subject)
		}
	})
}

// FuzzClaims signs any bytes as the claims of an ID token.
func FuzzClaims(f *testing.F) {
	op := fuzzOP()
	f.Add(encode(op.idClaims("NONCE", "at-1")))
	f.Add([]byte(`{"sub":"a","sub":"b"}`))
	f.Add([]byte(`{"aud":{},"exp":1e999,"iat":-0,"nonce":[]}`))
	f.Add([]byte(`{"iss":"https://op.example","sub":"\ud800","aud":["client-1"],"exp":9e9,"iat":1772366400,"nonce":"NONCE","_claim_names":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, claims []byte) {
		op := fuzzOP()
		op.rawClaims = func([]byte) []byte { return bytes.ReplaceAll(claims, []byte("NONCE"), []byte(op.nonce)) }
		id, _, err := op.login(t, op.provider(func(d *provider.OIDC) { d.NoUserInfo = true }))
		if err != nil {
			return
		}
		// What logs in has to be what any JSON parser reads.
		var c map[string]any
		if err := json.Unmarshal(claims, &c); err != nil || c["iss"] != id.Issuer || c["sub"] != id.Subject {
			t.Errorf("%s logged in %q of %q: %v", claims, id.Subject, id.Issuer, err)
		}
		if id.Subject == "" || len(id.Subject) > 255 || !utf8.ValidString(id.Subject) || strings.ContainsAny(id.Subject, "\x00\n\r") {
			t.Errorf("%s logged in %q", claims, id.Subject)
		}
	})
}

// FuzzKeySet answers any bytes where the keys should be.
func FuzzKeySet(f *testing.F) {
	key := []byte(b64(edKey().Public().(ed25519.PublicKey)))
	f.Add([]byte(`{"keys":[]}`))
	f.Add(encode(map[string]any{"keys": []any{jwkOf(ecKey(), "k1"), jwkOf(edKey(), "k1")}}))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k1","n":"AA","e":"AQ"},{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"oct","k":""},5,null]}`))
	f.Add([]byte(`{"keys":null,"KEYS":[1]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		op := fuzzOP()
		op.intercept["/jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.Write(doc) }
		if _, _, err := op.login(t, op.provider()); err == nil && !bytes.ContainsRune(doc, '\\') && !bytes.Contains(doc, key) {
			t.Errorf("%q has no key that signed, and someone logged in", doc)
		}
	})
}

// FuzzMetadata answers any bytes where the metadata should be.
func FuzzMetadata(f *testing.F) {
	f.Add(encode(newOP().meta()))
	f.Add([]byte(`{"issuer":"https://op.example","authorization_endpoint":"https://a.example","token_endpoint":"https://a.example","jwks_uri":"https://a.example"}`))
	f.Add([]byte(`{"issuer":"https://op.example","Issuer":"https://evil.example"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		op := fuzzOP()
		op.intercept[wellKnown] = func(w http.ResponseWriter, _ *http.Request) { w.Write(doc) }
		to, err := op.provider().Begin(t.Context(), provider.Request{State: "s", CallbackURL: "https://app.example/cb"})
		if err != nil {
			return
		}
		if !json.Valid(doc) {
			t.Errorf("%q was read as metadata", doc)
		}
		if !strings.HasPrefix(strings.ToLower(to.URL), "https://") {
			t.Errorf("%q sent the browser to %s", doc, to.URL)
		}
	})
}

// FuzzUserinfo answers any bytes where userinfo should be.
func FuzzUserinfo(f *testing.F) {
	f.Add([]byte(`{"sub":"`+opSubject+`","email":"a@b.example","email_verified":true}`), "application/json")
	f.Add([]byte(`{"sub":"x"}`), "")
	f.Add([]byte(`{"sub":{},"email":[],"email_verified":{"a":1},"picture":5,"address":{"a":[[]]}}`), "text/html")
	f.Add([]byte(`a.b.c`), "application/jwt")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		op := fuzzOP()
		op.rawUser = func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", contentType)
			w.Write(body)
			return true
		}
		id, _, err := op.login(t, op.provider())
		if err == nil && id.Subject != opSubject {
			t.Errorf("%q logged in %q", body, id.Subject)
		}
		if err == nil && id.EmailVerified && !bytes.Contains(body, []byte("true")) {
			t.Errorf("%q verified %q", body, id.Email)
		}
	})
}

// FuzzLogoutToken gives the engine any text in place of a logout token.
func FuzzLogoutToken(f *testing.F) {
	op := fuzzOP()
	p := op.provider()
	f.Add(op.logoutToken(nil, nil)[10:])
	f.Add("")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		out, err := provider.VerifyLogout(t.Context(), p, token)
		if err == nil {
			t.Errorf("%q ended sessions: %+v", token, out)
		}
	})
}
