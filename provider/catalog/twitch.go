package catalog

import (
	"net/http"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Twitch logs people in with Twitch:
// https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/
//
// The answer has no member that says whether the address is verified, so that
// none is: https://dev.twitch.tv/docs/api/reference/#get-users
//
// Calls of your own want a header Client-Id beside the token. Tokens come with
// a refresh token, so that the app can act for people who are away without more.
func Twitch(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "twitch", Name: "Twitch",
			Setup: "https://dev.twitch.tv/console/apps",
			API:   "https://api.twitch.tv/helix",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://id.twitch.tv/oauth2/authorize",
			TokenURL: "https://id.twitch.tv/oauth2/token",
		},
		Scopes:  []string{"user:read:email"},
		UserURL: "https://api.twitch.tv/helix/users",
		Header:  http.Header{"Client-Id": {"{client_id}"}},
		Fields: provider.Fields{
			Subject:    "data.0.id",
			Email:      "data.0.email",
			Name:       "data.0.display_name",
			Username:   "data.0.login",
			AvatarURL:  "data.0.profile_image_url",
			ProfileURL: "tmpl:https://www.twitch.tv/{data.0.login}",
		},
		RevokeURL: "https://id.twitch.tv/oauth2/revoke",
	}
	return d.New(id, secret, opts...)
}
