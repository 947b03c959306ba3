package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// TestIDTokenTolerances are tokens that are odd and yet good.
func TestIDTokenTolerances(t *testing.T) {
	in := func(d time.Duration) int64 { return newClock().now.Add(d).Unix() }
	tests := []struct {
		name  string
		setup func(op *hostileOP, d *provider.OIDC)
	}{
		{"rs256", func(*hostileOP, *provider.OIDC) {}},
		{"ps256", func(op *hostileOP, _ *provider.OIDC) { op.alg = "PS256" }},
		{"es256", func(op *hostileOP, _ *provider.OIDC) { op.alg, op.key = "ES256", ecKey() }},
		{"es384", func(op *hostileOP, _ *provider.OIDC) { op.alg, op.key = "ES384", ec384Key() }},
		{"eddsa", func(op *hostileOP, _ *provider.OIDC) { op.alg, op.key = "EdDSA", edKey() }},
		{"rs512_by_definition", func(op *hostileOP, d *provider.OIDC) { op.alg, d.Algs = "RS512", []string{"RS512"} }},
		{"no_kid_one_key", func(op *hostileOP, _ *provider.OIDC) { op.kid = "" }},
		{"no_kid_three_keys", func(op *hostileOP, _ *provider.OIDC) {
			op.kid = ""
			op.keys = func() any {
				return map[string]any{"keys": []any{jwkOf(otherRSA(), ""), jwkOf(ecKey(), ""), jwkOf(rsaKey(), "")}}
			}
		}},
		{"typ_missing", func(op *hostileOP, _ *provider.OIDC) { op.header = drop("typ") }},
		{"typ_lower_case", func(op *hostileOP, _ *provider.OIDC) { op.header = set("typ", "jwt") }},
		{"audience_list_of_one", func(op *hostileOP, _ *provider.OIDC) { op.claims = set("aud", []string{opClient}) }},
		{"audience_trusted", func(op *hostileOP, d *provider.OIDC) {
			d.Audiences = []string{"project-1"}
			op.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{"project-1", opClient}, opClient }
		}},
		{"azp", func(op *hostileOP, _ *provider.OIDC) { op.claims = set("azp", opClient) }},
		{"no_at_hash", func(op *hostileOP, _ *provider.OIDC) { op.claims = drop("at_hash") }},
		{"no_auth_time", func(op *hostileOP, _ *provider.OIDC) { op.claims = drop("auth_time") }},
		{"exp_thirty_seconds_ago", func(op *hostileOP, _ *provider.OIDC) { op.claims = set("exp", in(-30*time.Second)) }},
		{"nbf_in_thirty_seconds", func(op *hostileOP, _ *provider.OIDC) { op.claims = set("nbf", in(30*time.Second)) }},
		{"iat_in_thirty_seconds", func(op *hostileOP, _ *provider.OIDC) { op.claims = set("iat", in(30*time.Second)) }},
		{"iat_ten_minutes_ago", func(op *hostileOP, _ *provider.OIDC) { op.claims = set("iat", in(-10*time.Minute)) }},
		{"dates_with_fractions", func(op *hostileOP, _ *provider.OIDC) {
			op.claims = func(c map[string]any) { c["iat"], c["exp"] = float64(in(0))+0.25, json.RawMessage("1.9e9") }
		}},
		{"alternative_issuer", func(op *hostileOP, d *provider.OIDC) {
			d.Issuers = []string{"op.example"}
			op.claims = set("iss", "op.example")
		}},
		{"nonce_not_returned_insecurely", func(op *hostileOP, d *provider.OIDC) {
			d.InsecureNoNonce = true
			op.claims = drop("nonce")
		}},
		{"aggregated_claims", func(op *hostileOP, _ *provider.OIDC) {
			op.claims = func(c map[string]any) {
				c["_claim_names"] = map[string]any{"email": "src1", "address": "src2"}
				c["_claim_sources"] = map[string]any{
					"src1": map[string]any{"JWT": "e.e.e"},
					"src2": map[string]any{"endpoint": "http://169.254.169.254/latest", "access_token": "x"},
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			id, tok, err := op.login(t, op.provider(func(d *provider.OIDC) { tt.setup(op, d) }))
			if err != nil {
				t.Fatal(err)
			}
			if id.Issuer != opIssuer || id.Subject != opSubject || id.Provider != "op" {
				t.Errorf("got issuer %q, subject %q, provider %q", id.Issuer, id.Subject, id.Provider)
			}
			if id.Email != "" {
				t.Errorf("got email %q from a claim source", id.Email)
			}
			if tok.AccessToken != "at-1" || tok.IDToken != op.lastToken {
				t.Errorf("got token %#v, want what the service sent", tok)
			}
			for path, want := range map[string]int{"/token": 1, "/userinfo": 1, "/jwks": 1, "/latest": 0} {
				if got := op.count(path); got != want {
					t.Errorf("got %d requests to %s, want %d", got, path, want)
				}
			}
		})
	}
}

// With several audiences, all trusted, the token must say which of them it is
// for.
func TestIDTokenOfSeveralAudiencesWithoutAZP(t *testing.T) {
	op := newOP()
	trust := func(d *provider.OIDC) { d.Audiences = []string{"project-1"} }
	op.claims = set("aud", []string{opClient, "project-1"})
	_, _, err := op.login(t, op.provider(trust))
	wantReason(t, err, "id_token_aud")
	op.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{opClient, "project-1"}, "project-1" }
	_, _, err = op.login(t, op.provider(trust))
	wantReason(t, err, "id_token_azp")
	op.claims = set("aud", "project-1")
	_, _, err = op.login(t, op.provider(trust))
	wantReason(t, err, "id_token_aud")
}

// InsecureNoNonce lets a nonce be missing, not be another login's.
func TestInsecureNoNonceStillComparesANonce(t *testing.T) {
	op := newOP()
	op.claims = set("nonce", "another")
	_, _, err := op.login(t, op.provider(func(d *provider.OIDC) { d.InsecureNoNonce = true }))
	wantReason(t, err, "nonce_mismatch")
}

// A good ID token of the same person from another login must not do.
func TestIDTokenReplayedFromAnotherLogin(t *testing.T) {
	op := newOP()
	p := op.provider()
	if _, _, err := op.login(t, p); err != nil {
		t.Fatal(err)
	}
	stolen := op.lastToken
	op.rawToken = func(string) any { return stolen }
	_, _, err := op.login(t, p)
	wantReason(t, err, "nonce_mismatch")
	if got := op.count("/userinfo"); got != 1 {
		t.Errorf("got %d userinfo requests, want that of the first login only", got)
	}
}

// Two servers may use one kid and one sub; neither may speak for the other.
func TestSameKeyIDAtTwoIssuers(t *testing.T) {
	a, b := newOP(), newOP()
	b.issuer, b.key = "https://b.example", otherRSA()
	pa, pb := a.provider(), b.provider()
	ida, _, err := a.login(t, pa)
	if err != nil {
		t.Fatal(err)
	}
	idb, _, err := b.login(t, pb)
	if err != nil {
		t.Fatal(err)
	}
	if ida.Subject != idb.Subject || ida.Issuer == idb.Issuer {
		t.Errorf("got %q of %q and %q of %q: want one subject of two issuers", ida.Subject, ida.Issuer, idb.Subject, idb.Issuer)
	}
	b.key = rsaKey() // b's kid, a's key
	b.keys = func() any { return map[string]any{"keys": []any{jwkOf(otherRSA(), "k1")}} }
	_, _, err = b.login(t, pb)
	wantReason(t, err, "id_token_sig")
}

// A token that is too large is refused without memory being spent on it.
func TestOversizedIDTokenCostsLittle(t *testing.T) {
	op := newOP()
	p := op.provider(func(d *provider.OIDC) { d.NoUserInfo = true })
	if _, _, err := op.login(t, p); err != nil {
		t.Fatal(err)
	}
	huge := strings.Repeat("[", 2_000_000) + "." + strings.Repeat(".", 1_000_000)
	v := p.(provider.LogoutVerifier)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if _, err := v.VerifyLogout(t.Context(), huge); err == nil {
			t.Fatal("got no error")
		}
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / 10; got > 100_000 {
		t.Errorf("got %d bytes allocated for each, want at most 100000", got)
	}
}

// An answer of another type than asked for must not reach the token parser.
func TestTokenAnswerOfHTML(t *testing.T) {
	op := newOP()
	op.intercept["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>log in</html>")
	}
	_, _, err := op.login(t, op.provider())
	wantReason(t, err, "token_invalid")
	if op.count("/userinfo") != 0 || op.count("/token") != 1 {
		t.Errorf("got %d token and %d userinfo requests", op.count("/token"), op.count("/userinfo"))
	}
}

// TestHalfACharacter sees to it that what is kept of the claims is what every
// database takes for text.
func TestHalfACharacter(t *testing.T) {
	op := newOP()
	op.claims = func(c map[string]any) { c["name"] = json.RawMessage(`"Ada \ud800"`) }
	id, _, err := op.login(t, op.provider(func(d *provider.OIDC) { d.NoUserInfo = true }))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(id.Raw) || strings.Contains(strings.ToLower(string(id.Raw)), `\ud800`) || !strings.Contains(string(id.Raw), "Ada") {
		t.Errorf("got %s, want half a character replaced", id.Raw)
	}
}
