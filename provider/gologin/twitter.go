package gologin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/dghubble/gologin/v2/twitter"
	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
)

// Twitter logs people in with X by OAuth 1.0a, by gologin's twitter package.
//
// gologin does not ask for the email address; package catalog does, and has OAuth
// 2.0 for a new app. The account is the same as with its Twitter.
func Twitter(key, secret string, opts ...provider.Option) provider.Provider {
	return OAuth1{
		Info: provider.Info{
			ID:    "twitter",
			Name:  "Twitter",
			Setup: "https://console.x.com",
			API:   "https://api.x.com/1.1",
			Hosts: []string{"api.twitter.com"}, // where gologin reads the profile
		},
		Issuer: "https://x.com",
		Config: &oauth1.Config{
			ConsumerKey:    key,
			ConsumerSecret: secret,
			Endpoint: oauth1.Endpoint{
				RequestTokenURL: "https://api.x.com/oauth/request_token",
				AuthorizeURL:    "https://api.x.com/oauth/authenticate",
				AccessTokenURL:  "https://api.x.com/oauth/access_token",
			},
		},
		Callback: twitter.CallbackHandler,
		Identity: twitterIdentity,
	}.New(opts...)
}

func twitterIdentity(ctx context.Context, _ *http.Client) (provider.Identity, error) {
	user, err := twitter.UserFromContext(ctx)
	if err != nil {
		return provider.Identity{}, err
	}
	raw, err := json.Marshal(user)
	if err != nil {
		return provider.Identity{}, err
	}
	return provider.Identity{
		Subject:    user.IDStr,
		Name:       user.Name,
		Username:   user.ScreenName,
		AvatarURL:  user.ProfileImageURLHttps,
		ProfileURL: "https://x.com/" + user.ScreenName,
		Locale:     user.Lang,
		Raw:        raw,
	}, nil
}
