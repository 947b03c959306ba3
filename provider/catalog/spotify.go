package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Spotify logs people in with Spotify:
// https://developer.spotify.com/documentation/web-api/tutorials/code-flow
//
// Subject is account_id, the one member that Spotify says is fit for it:
// https://developer.spotify.com/documentation/web-api/references/changes/may-2026
// An answer without it is an error, never a login by the older id, which would
// make another account of the same person on the day that account_id comes.
//
// Spotify says that addresses are not verified:
// https://developer.spotify.com/documentation/web-api/reference/get-current-users-profile
//
// Tokens live for an hour and come with a refresh token, so that the app can
// act for people who are away without more.
func Spotify(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "spotify", Name: "Spotify",
			Setup: "https://developer.spotify.com/dashboard",
			API:   "https://api.spotify.com/v1",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://accounts.spotify.com/authorize",
			TokenURL:  "https://accounts.spotify.com/api/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		Scopes:  []string{"user-read-email"},
		UserURL: "https://api.spotify.com/v1/me",
		Fields: provider.Fields{
			Subject:    "account_id",
			Email:      "email",
			Name:       "display_name|id",
			Username:   "id",
			AvatarURL:  "images.0.url",
			ProfileURL: "external_urls.spotify",
		},
	}
	return d.New(id, secret, opts...)
}
