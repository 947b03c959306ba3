package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Google logs people in with Google:
// https://developers.google.com/identity/openid-connect/openid-connect
//
// An address is verified if the claim email_verified says so. For one that ends
// in @gmail.com, or of an account with the claim hd, Google runs the mailbox;
// for any other it was proved once, at sign-up:
// https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
//
// To let in one company alone, look at the claim hd in the app's Admit. The
// parameter hd preselects accounts, and anyone can take it off.
//
// To act for people who are away, add
// provider.WithParam("access_type", "offline") and
// provider.WithParam("prompt", "consent").
func Google(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OIDC{
		Info: provider.Info{
			ID: "google", Name: "Google",
			Setup: "https://console.cloud.google.com/apis/credentials",
			API:   "https://www.googleapis.com",
			Hosts: []string{"openidconnect.googleapis.com", "people.googleapis.com", "gmail.googleapis.com"},
		},
		Issuer:  "https://accounts.google.com",
		Issuers: []string{"accounts.google.com"},
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://accounts.google.com/o/oauth2/v2/auth",
			TokenURL:  "https://oauth2.googleapis.com/token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
		KeysURL:   "https://www.googleapis.com/oauth2/v3/certs",
		UserURL:   "https://openidconnect.googleapis.com/v1/userinfo",
		RevokeURL: "https://oauth2.googleapis.com/revoke",
		NoReauth:  true, // prompt=login is an error there
		Scopes:    []string{"profile", "email"},
	}
	return d.New(id, secret, opts...)
}
