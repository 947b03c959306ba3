package catalog

import (
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Notion logs people in with Notion, through a public integration:
// https://developers.notion.com/docs/authorization
//
// The token belongs to the integration in the workspace that the person chose;
// the person is its owner. A token that the workspace owns is nobody's login,
// and is refused. Notion does not say whether an address is verified, so that
// none is: https://developers.notion.com/reference/user
//
// Calls of your own want a header Notion-Version beside the token. What the
// integration may do is set in its settings, not by scopes. Tokens come with a
// refresh token, so that the app can act for people who are away without more.
func Notion(id, secret string, opts ...provider.Option) provider.Provider {
	version := http.Header{"Notion-Version": {"2022-06-28"}}
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "notion", Name: "Notion",
			Setup: "https://www.notion.so/profile/integrations",
			API:   "https://api.notion.com/v1",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://api.notion.com/v1/oauth/authorize",
			TokenURL:  "https://api.notion.com/v1/oauth/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		Params:  url.Values{"owner": {"user"}},
		Dialect: provider.Dialect{JSON: true, Header: version},
		UserURL: "https://api.notion.com/v1/users/me",
		Header:  version,
		Fields: provider.Fields{
			Subject:   "bot.owner.user.id",
			Email:     "bot.owner.user.person.email",
			Name:      "bot.owner.user.name",
			AvatarURL: "bot.owner.user.avatar_url",
		},
		// https://developers.notion.com/reference/revoke-token
		Revoke: provider.Call{
			Method: http.MethodPost,
			URL:    "https://api.notion.com/v1/oauth/revoke",
			Header: http.Header{"Authorization": {"Basic {client_basic}"}, "Notion-Version": version["Notion-Version"]},
			Body:   `{"token":"{access_token}"}`,
		},
	}
	return d.New(id, secret, opts...)
}
