package provider_test

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

func acceptAll(string, json.RawMessage) bool { return true }

const tenants = "https://login.example/{tenantid}/v2.0"

func tenant(id string) string { return strings.Replace(tenants, "{tenantid}", id, 1) }

// A tenantOP is a server with an issuer for each tenant, as Microsoft's is.
func tenantOP(iss string) (*hostileOP, func(d *provider.OIDC)) {
	op := newOP()
	op.issuer = "https://login.example/common/v2.0"
	op.metadata = set("issuer", tenants)
	op.claims = func(c map[string]any) { c["iss"], c["tid"], c["oid"] = iss, "t1", "o1" }
	return op, func(d *provider.OIDC) {
		d.MetadataIssuer = tenants
		d.AcceptIssuer = func(iss string, claims json.RawMessage) bool {
			var c struct {
				TID string `json:"tid"`
			}
			return json.Unmarshal(claims, &c) == nil && c.TID != "" && iss == tenant(c.TID)
		}
	}
}

func TestOIDCIssuerPerTenant(t *testing.T) {
	op, many := tenantOP(tenant("t1"))
	id, _, err := op.login(t, op.provider(many))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(tenant("t1")))
	if want := b64(sum[:12]) + "." + opSubject; id.Subject != want || id.Issuer != tenant("t1") {
		t.Errorf("got %q of %q, want %q of %q", id.Subject, id.Issuer, want, tenant("t1"))
	}

	// The same sub in another tenant is another person.
	op.claims = func(c map[string]any) { c["iss"], c["tid"] = tenant("t2"), "t2" }
	other, _, err := op.login(t, op.provider(many))
	if err != nil || other.Subject == id.Subject {
		t.Errorf("got %q for both tenants (%v)", other.Subject, err)
	}

	// A subject made of other claims is used as it is.
	op, many = tenantOP(tenant("t1"))
	id, _, err = op.login(t, op.provider(many, func(d *provider.OIDC) { d.Fields.Subject = "id_token:tid&id_token:oid" }))
	if err != nil || id.Subject != "t1/o1" {
		t.Errorf("got %q, %v, want t1/o1", id.Subject, err)
	}

	// The issuer of another tenant than the token's own.
	op, many = tenantOP(tenant("t2"))
	_, _, err = op.login(t, op.provider(many))
	wantReason(t, err, "id_token_iss")
	if op.count("/userinfo") != 0 {
		t.Error("userinfo was asked although the issuer was not accepted")
	}
}

// The iss of a callback may be any tenant's, but must be the ID token's.
func TestOIDCIssuerPerTenantInCallback(t *testing.T) {
	for iss, reason := range map[string]string{
		tenant("t1"):                           "",
		tenants:                                "",
		"https://login.example/common/v2.0":    "",
		tenant("t2"):                           "iss_mismatch",
		tenant("t1/x"):                         "iss_mismatch",
		tenant(""):                             "iss_mismatch",
		tenant("t1") + "/":                     "iss_mismatch",
		"https://evil.example/t1/v2.0":         "iss_mismatch",
		"https://login.example.evil/t1/v2.0":   "iss_mismatch",
		"https://login.example/t1?x=/v2.0":     "iss_mismatch",
		"https://login.example/@evil.com/v2.0": "iss_mismatch",
	} {
		op, many := tenantOP(tenant("t1"))
		_, _, err := op.login(t, op.provider(many), "code", "code-1", "iss", iss)
		if reason == "" && err != nil {
			t.Errorf("%s: %v", iss, err)
		}
		if reason == "" {
			continue
		}
		wantReason(t, err, reason)
		exchanged := 0
		if iss == tenant("t2") {
			exchanged = 1 // that it is not the ID token's shows only then
		}
		if got := op.count("/token"); got != exchanged || op.count("/userinfo") != 0 {
			t.Errorf("%s: got %d token requests, want %d", iss, got, exchanged)
		}
	}
}

// A template in MetadataIssuer opens nothing without AcceptIssuer.
func TestOIDCTemplateWithoutAcceptIssuer(t *testing.T) {
	op, many := tenantOP(tenant("t1"))
	_, _, err := op.login(t, op.provider(many, func(d *provider.OIDC) { d.AcceptIssuer = nil }), "code", "code-1", "iss", tenant("t1"))
	wantReason(t, err, "iss_mismatch")
}

// AcceptIssuer is not asked about a token that nobody signed.
func TestAcceptIssuerSeesOnlySignedTokens(t *testing.T) {
	op := newOP()
	asked := false
	accept := func(d *provider.OIDC) {
		d.AcceptIssuer = func(string, json.RawMessage) bool { asked = true; return true }
	}
	p := op.provider(accept)
	op.rawToken = resign("RS256", otherRSA(), nil)
	_, _, err := op.login(t, p)
	wantReason(t, err, "id_token_sig")
	forged := resign("RS256", otherRSA(), map[string]any{"typ": "logout+jwt"})(op.logoutToken(nil, nil)).(string)
	_, err = provider.VerifyLogout(t.Context(), p, forged)
	wantReason(t, err, "logout_token_sig")
	if asked {
		t.Error("AcceptIssuer was asked about a forged token")
	}
}
