package catalog

import (
	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
)

// Tumblr logs people in with Tumblr by OAuth 1.0a:
// https://www.tumblr.com/docs/en/api/v2#auth
//
// Tumblr names no account but by the name of its primary blog, which people may
// change. So Subject is that blog's uuid, which stays. There is no email address.
// Tokens do not expire.
func Tumblr(key, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth1{
		Info: provider.Info{
			ID: "tumblr", Name: "Tumblr",
			Setup: "https://www.tumblr.com/oauth/apps",
			API:   "https://api.tumblr.com/v2",
		},
		Endpoint: oauth1.Endpoint{
			RequestTokenURL: "https://www.tumblr.com/oauth/request_token",
			AuthorizeURL:    "https://www.tumblr.com/oauth/authorize",
			AccessTokenURL:  "https://www.tumblr.com/oauth/access_token",
		},
		UserURL: "https://api.tumblr.com/v2/user/info",
		Fields: provider.Fields{
			Subject:    "response.user.blogs[primary].uuid",
			Name:       "response.user.name",
			Username:   "response.user.name",
			AvatarURL:  "tmpl:https://api.tumblr.com/v2/blog/{response.user.name}.tumblr.com/avatar/128",
			ProfileURL: "response.user.blogs[primary].url",
		},
	}
	return d.New(key, secret, opts...)
}
