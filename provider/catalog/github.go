package catalog

import (
	"net/http"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// GitHub logs people in with github.com, through an OAuth app or a GitHub App:
// https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
//
// The address in a GitHub profile says nothing of who owns it, so that the list
// of addresses is read as well, which does:
// https://docs.github.com/en/rest/users/emails. Email is the primary address if
// it is verified, and empty otherwise, or if the app may not read the list.
//
// Tokens of an OAuth app do not expire, so that it can act for people who are
// away without more. A GitHub App has "User-to-server token expiration" for that.
func GitHub(id, secret string, opts ...provider.Option) provider.Provider {
	return github(provider.Info{ID: "github", Name: "GitHub"}, "https://github.com", "https://api.github.com").New(id, secret, opts...)
}

// GitHubEnterprise is [GitHub] on a server of your company's own, such as
// "github.example.com". For a company on github.com, or on a subdomain of
// ghe.com that has its API elsewhere, it is not the right one.
//
// Whoever runs the server says which addresses are verified. So an address
// counts as verified only with [provider.WithTrustedEmails].
func GitHubEnterprise(host, id, secret string, opts ...provider.Option) provider.Provider {
	d := github(provider.Info{ID: "github-enterprise", Name: "GitHub Enterprise"}, at(host), at(host)+"/api/v3")
	d.EmailByPolicy = true
	return d.New(id, secret, opts...)
}

func github(info provider.Info, web, api string) *provider.OAuth2 {
	info.Setup, info.API = web+"/settings/developers", api
	return &provider.OAuth2{
		Info: info,
		Endpoint: oauth2.Endpoint{
			AuthURL:  web + "/login/oauth/authorize",
			TokenURL: web + "/login/oauth/access_token",
		},
		Scopes:  []string{"read:user", "user:email"},
		UserURL: api + "/user",
		Header:  http.Header{"Accept": {"application/vnd.github+json"}},
		Calls:   []provider.Call{{Name: "emails", URL: api + "/user/emails?per_page=100", Optional: true}},
		Fields: provider.Fields{
			Subject:       "id",
			Email:         "emails:[primary&verified].email",
			EmailVerified: "emails:[primary&verified].verified",
			Name:          "name|login",
			Username:      "login",
			AvatarURL:     "avatar_url",
			ProfileURL:    "html_url",
		},
		// https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-token
		Revoke: provider.Call{
			Method: http.MethodDelete,
			URL:    api + "/applications/{client_id}/token",
			Header: http.Header{"Authorization": {"Basic {client_basic}"}},
			Body:   `{"access_token":"{access_token}"}`,
		},
	}
}
