package catalog

import (
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// TikTok logs people in with TikTok. The key is what TikTok calls client key:
// https://developers.tiktok.com/doc/login-kit-web/
//
// Subject is the person's open_id, which is another one in another app; the
// profile also holds union_id, the same in all apps of one developer. TikTok
// gives no email address. A handle needs the scope user.info.profile and a
// request of your own: https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info/
//
// Tokens live for a day and come with a refresh token, so that the app can act
// for people who are away without more.
func TikTok(key, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "tiktok", Name: "TikTok",
			Setup: "https://developers.tiktok.com/apps",
			API:   "https://open.tiktokapis.com/v2",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://www.tiktok.com/v2/auth/authorize/",
			TokenURL: "https://open.tiktokapis.com/v2/oauth/token/",
		},
		ClientIDAs: "client_key",
		Scopes:     []string{"user.info.basic"},
		ScopeSep:   ",",
		User: provider.Call{
			URL:   "https://open.tiktokapis.com/v2/user/info/",
			Query: url.Values{"fields": {"open_id,union_id,avatar_url,display_name"}},
			Fail:  "error.code!=ok",
		},
		Fields: provider.Fields{
			Subject:   "data.user.open_id",
			Name:      "data.user.display_name",
			AvatarURL: "data.user.avatar_url",
		},
		// https://developers.tiktok.com/doc/oauth-user-access-token-management
		Revoke: provider.Call{
			Method: http.MethodPost,
			URL:    "https://open.tiktokapis.com/v2/oauth/revoke/",
			Body:   "client_key={client_id}&client_secret={client_secret}&token={access_token}",
		},
	}
	return d.New(key, secret, opts...)
}
