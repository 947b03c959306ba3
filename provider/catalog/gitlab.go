package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// GitLab logs people in with gitlab.com:
// https://docs.gitlab.com/api/oauth2/
//
// An address is verified if the account has a date of confirmation, which
// gitlab.com asks of everyone: https://docs.gitlab.com/api/users/. A person
// whose account is blocked there is refused.
//
// Tokens live for two hours and come with a refresh token, so that the app can
// act for people who are away without more.
func GitLab(id, secret string, opts ...provider.Option) provider.Provider {
	return gitlab(provider.Info{ID: "gitlab", Name: "GitLab"}, "https://gitlab.com").New(id, secret, opts...)
}

// GitLabAt is [GitLab] on a server of your own, such as "git.example.com". An
// address may have a path, for a GitLab below one.
//
// Whoever runs the server can let people in without confirmation, and does
// unless told otherwise:
// https://docs.gitlab.com/security/user_email_confirmation/. So an address
// counts as verified only with [provider.WithTrustedEmails].
func GitLabAt(host, id, secret string, opts ...provider.Option) provider.Provider {
	d := gitlab(provider.Info{ID: "gitlab-self-managed", Name: "GitLab"}, at(host))
	d.EmailByPolicy = true
	return d.New(id, secret, opts...)
}

func gitlab(info provider.Info, web string) *provider.OAuth2 {
	info.Setup, info.API = web+"/-/user_settings/applications", web+"/api/v4"
	return &provider.OAuth2{
		Info: info,
		Endpoint: oauth2.Endpoint{
			AuthURL:  web + "/oauth/authorize",
			TokenURL: web + "/oauth/token",
		},
		Scopes:  []string{"read_user"},
		UserURL: web + "/api/v4/user",
		Fields: provider.Fields{
			Subject:       "id",
			Email:         "email",
			EmailVerified: "nonnull:confirmed_at",
			Name:          "name",
			Username:      "username",
			AvatarURL:     "avatar_url",
			ProfileURL:    "web_url",
		},
		Active:    "state==active",
		RevokeURL: web + "/oauth/revoke",
	}
}
