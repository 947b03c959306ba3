package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Slack logs people in with their account in a Slack workspace:
// https://docs.slack.dev/authentication/sign-in-with-slack/
//
// One person has an account, and a Subject, in each of their workspaces. To let
// in one workspace alone, look at the claim https://slack.com/team_id in the
// app's Admit; provider.WithParam("team", "T…") only preselects it.
//
// An address is verified if the claim email_verified says so; see the same
// document. Tokens do not expire unless the app turns token rotation on.
//
// No PKCE is sent. Slack wants it turned on for the app first, which makes the
// app a public client for good: https://docs.slack.dev/authentication/using-pkce/
func Slack(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OIDC{
		Info: provider.Info{
			ID: "slack", Name: "Slack",
			Setup: "https://api.slack.com/apps",
			API:   "https://slack.com/api",
		},
		Issuer: "https://slack.com",
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://slack.com/openid/connect/authorize",
			TokenURL:  "https://slack.com/api/openid.connect.token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
		KeysURL:   "https://slack.com/openid/connect/keys",
		UserURL:   "https://slack.com/api/openid.connect.userInfo",
		RevokeURL: "https://slack.com/api/auth.revoke",
		NoPKCE:    true,
		NoReauth:  true,
		Scopes:    []string{"profile", "email"},
		Fields: provider.Fields{
			Subject:   `["https://slack.com/user_id"]`,
			AvatarURL: `picture|["https://slack.com/user_image_512"]`,
		},
	}
	return d.New(id, secret, opts...)
}
