package catalog

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// personalTenant is the tenant of accounts that belong to no company.
const personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// Microsoft logs people in with an account of any company or school, or with a
// personal one: https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
//
// For your own company alone, see [MicrosoftTenant].
//
// The administrator of any tenant can write any address into a profile. So an
// address is verified only if one of the optional claims xms_edov and
// verified_primary_email says so, which are added in the app's registration
// under "Token configuration":
// https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
//
// To act for people who are away, add provider.WithScopes("offline_access").
// For the person's calendar or mail, add the scope of Microsoft Graph.
func Microsoft(id, secret string, opts ...provider.Option) provider.Provider {
	return MicrosoftTenant("common", id, secret, opts...)
}

// MicrosoftTenant is [Microsoft] for the people of one tenant, by its ID such
// as "3f2504e0-4f89-41d3-9a0c-0305e82c3301". "organizations" stands for every
// company and school, "consumers" for personal accounts. The domain name of a
// tenant will not do, as no token says to which tenant it belongs.
func MicrosoftTenant(tenant, id, secret string, opts ...provider.Option) provider.Provider {
	tenant = strings.ToLower(tenant)
	login := "https://login.microsoftonline.com/" + tenant
	d := &provider.OIDC{
		Info: provider.Info{
			ID: "microsoft", Name: "Microsoft",
			Setup: "https://entra.microsoft.com",
			API:   "https://graph.microsoft.com/v1.0",
		},
		Issuer:       login + "/v2.0",
		AcceptIssuer: microsoftIssuer(tenant),
		Endpoint: oauth2.Endpoint{
			AuthURL:   login + "/oauth2/v2.0/authorize",
			TokenURL:  login + "/oauth2/v2.0/token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
		KeysURL: login + "/discovery/v2.0/keys",
		// No UserURL: what is there says less than the ID token.
		NoReauth: true, // it can, but does not tell auth_time unless the app is set to get it
		Scopes:   []string{"profile", "email"},
		Fields: provider.Fields{
			// Sub differs from app to app, oid is the same for all of a company's.
			Subject:       "tid&oid",
			EmailVerified: "any:claim_loose:xms_edov;in:verified_primary_email",
		},
	}
	p := d.New(id, secret, opts...)
	if !isTenant(tenant) {
		return mistaken{p, fmt.Errorf("catalog: tenant %q: want its ID, such as %s, or common, organizations or consumers", tenant, "3f2504e0-4f89-41d3-9a0c-0305e82c3301")}
	}
	return p
}

// microsoftIssuer judges issuers, of which each tenant has its own. All of them
// sign with the same keys, so that iss and tid must tell the same tenant.
func microsoftIssuer(tenant string) func(iss string, claims json.RawMessage) bool {
	return func(iss string, claims json.RawMessage) bool {
		var c struct {
			TID string `json:"tid"`
		}
		if json.Unmarshal(claims, &c) != nil || c.TID == "" || iss != "https://login.microsoftonline.com/"+c.TID+"/v2.0" {
			return false
		}
		switch tenant {
		case "common":
			return true
		case "organizations":
			return c.TID != personalTenant
		case "consumers":
			return c.TID == personalTenant
		}
		return c.TID == tenant
	}
}

// isTenant reports whether s is a word for many tenants, or a lower-case UUID.
func isTenant(s string) bool {
	switch s {
	case "common", "organizations", "consumers":
		return true
	}
	if len(s) != len(personalTenant) {
		return false
	}
	for i := range len(s) {
		if dash := personalTenant[i] == '-'; dash != (s[i] == '-') || !dash && !strings.Contains("0123456789abcdef", s[i:i+1]) {
			return false
		}
	}
	return true
}
