package catalog

import (
	"net/url"

	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// X logs people in with X, which was Twitter, by OAuth 2.0:
// https://docs.x.com/resources/fundamentals/authentication/oauth-2-0/user-access-token
//
// Email needs "Request email from users" in the app's settings. The only
// address that X gives is one that the person has confirmed:
// https://docs.x.com/x-api/users/get-my-user
//
// An app that logged people in with [Twitter] before finds their accounts with
// provider.WithFormerID("twitter"). To act for people who are away, add
// provider.WithScopes("offline.access").
func X(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "x", Name: "X",
			Setup: "https://developer.x.com",
			API:   "https://api.x.com/2",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://x.com/i/oauth2/authorize",
			TokenURL:  "https://api.x.com/2/oauth2/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		// A token without tweet.read may not read the profile.
		Scopes: []string{"users.read", "tweet.read", "users.email"},
		User: provider.Call{
			URL:   "https://api.x.com/2/users/me",
			Query: url.Values{"user.fields": {"id,name,username,profile_image_url,confirmed_email"}},
		},
		Fields: provider.Fields{
			Subject:       "data.id",
			Email:         "data.confirmed_email",
			EmailVerified: "nonempty:data.confirmed_email",
			Name:          "data.name",
			Username:      "data.username",
			AvatarURL:     "data.profile_image_url",
			ProfileURL:    "tmpl:https://x.com/{data.username}",
		},
		RevokeURL: "https://api.x.com/2/oauth2/revoke",
	}
	return d.New(id, secret, opts...)
}

// Twitter logs people in with X by OAuth 1.0a, for apps that have keys for that
// and a plan that includes version 1.1 of the API. A new app wants [X].
// https://docs.x.com/resources/fundamentals/authentication/oauth-1-0a/obtaining-user-access-tokens
//
// Email needs "Request email from users" in the app's settings. The only
// address that X gives is one that the person has confirmed. Tokens do not
// expire.
func Twitter(key, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth1{
		Info: provider.Info{
			ID: "twitter", Name: "Twitter",
			Setup: "https://developer.x.com",
			API:   "https://api.x.com/1.1",
		},
		// The same accounts as X, by the same IDs.
		Issuer: "https://x.com",
		Endpoint: oauth1.Endpoint{
			RequestTokenURL: "https://api.x.com/oauth/request_token",
			AuthorizeURL:    "https://api.x.com/oauth/authenticate",
			AccessTokenURL:  "https://api.x.com/oauth/access_token",
		},
		UserURL: "https://api.x.com/1.1/account/verify_credentials.json?include_email=true&skip_status=true",
		Fields: provider.Fields{
			Subject:       "id_str",
			Email:         "email",
			EmailVerified: "nonempty:email",
			Name:          "name",
			Username:      "screen_name",
			AvatarURL:     "profile_image_url_https",
			ProfileURL:    "tmpl:https://x.com/{screen_name}",
		},
	}
	return d.New(key, secret, opts...)
}
