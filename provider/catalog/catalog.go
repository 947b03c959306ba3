// Package catalog has a constructor for each service it knows.
//
// Most take the client ID and the secret that the service gave to the app.
// Services with a server for each customer take its host before them, and Apple
// a key in place of a secret. What a constructor returns has no mistakes of its
// own; those in its arguments show in [provider.Check], which middleware.New
// asks for.
//
// Each constructor says whether the service vouches for email addresses and
// where that is written, and what to add if the app wants to act for people
// who are away. The ID of each never changes, nor does what it takes as
// [provider.Identity.Subject]: both stand in every stored account.
package catalog

import (
	"iter"

	"github.com/gatepass/gatepass/provider"
)

// A definition in this package is a pointer to a literal. Of a literal that is a
// value the compiler would keep a copy in the program, a kilobyte for each
// service, most of it empty fields.

// All lists the services that need no more than a client ID and a secret,
// by their ID, for an app that reads its providers from configuration. The IDs
// come in alphabetical order. Nothing is made before a constructor is called.
func All() iter.Seq2[string, func(id, secret string, opts ...provider.Option) provider.Provider] {
	type entry struct {
		id  string
		new func(id, secret string, opts ...provider.Option) provider.Provider
	}
	return func(yield func(string, func(id, secret string, opts ...provider.Option) provider.Provider) bool) {
		for _, e := range [...]entry{
			{"bitbucket", Bitbucket},
			{"discord", Discord},
			{"facebook", Facebook},
			{"github", GitHub},
			{"gitlab", GitLab},
			{"google", Google},
			{"linkedin", LinkedIn},
			{"microsoft", Microsoft},
			{"notion", Notion},
			{"reddit", Reddit},
			{"slack", Slack},
			{"spotify", Spotify},
			{"telegram", Telegram},
			{"tiktok", TikTok},
			{"tumblr", Tumblr},
			{"twitch", Twitch},
			{"twitter", Twitter},
			{"vk", VK},
			{"wechat", WeChat},
			{"x", X},
		} {
			if !yield(e.id, e.new) {
				return
			}
		}
	}
}
