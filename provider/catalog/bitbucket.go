package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Bitbucket logs people in with bitbucket.org:
// https://support.atlassian.com/bitbucket-cloud/docs/use-oauth-on-bitbucket-cloud/
//
// The consumer needs the permissions Account: Email and Account: Read.
//
// Email is the primary address if it is confirmed, out of a list of its own:
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/#api-user-emails-get
// A person whose account is not active is refused.
//
// Tokens live for two hours and come with a refresh token, so that the app can
// act for people who are away without more.
func Bitbucket(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "bitbucket", Name: "Bitbucket",
			Setup: "https://bitbucket.org/account/workspaces/",
			API:   "https://api.bitbucket.org/2.0",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://bitbucket.org/site/oauth2/authorize",
			TokenURL:  "https://bitbucket.org/site/oauth2/access_token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		Scopes:  []string{"account", "email"},
		Dialect: provider.Dialect{Reply: map[string]string{"scope": "scopes"}},
		UserURL: "https://api.bitbucket.org/2.0/user",
		Calls:   []provider.Call{{Name: "emails", URL: "https://api.bitbucket.org/2.0/user/emails?pagelen=100", Optional: true}},
		Fields: provider.Fields{
			Subject:       "uuid",
			Email:         "emails:values[is_primary&is_confirmed].email",
			EmailVerified: "emails:values[is_primary&is_confirmed].is_confirmed",
			Name:          "display_name",
			Username:      "username|nickname",
			AvatarURL:     "links.avatar.href",
			ProfileURL:    "links.html.href",
		},
		Active: "account_status==active",
	}
	return d.New(id, secret, opts...)
}
