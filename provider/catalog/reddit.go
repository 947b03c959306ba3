package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Reddit logs people in with Reddit:
// https://github.com/reddit-archive/reddit/wiki/OAuth2
//
// Register a "web app". Reddit gives no email address.
//
// Tokens live for a day. To act for people who are away, add
// provider.WithParam("duration", "permanent").
func Reddit(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "reddit", Name: "Reddit",
			Setup: "https://www.reddit.com/prefs/apps",
			API:   "https://oauth.reddit.com",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://www.reddit.com/api/v1/authorize",
			TokenURL:  "https://www.reddit.com/api/v1/access_token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		Scopes:  []string{"identity"},
		UserURL: "https://oauth.reddit.com/api/v1/me",
		Fields: provider.Fields{
			Subject:    "id",
			Name:       "name",
			Username:   "name",
			AvatarURL:  "icon_img>nohtml>noquery",
			ProfileURL: "tmpl:https://www.reddit.com/user/{name}",
		},
		RevokeURL: "https://www.reddit.com/api/v1/revoke_token",
	}
	return d.New(id, secret, opts...)
}
