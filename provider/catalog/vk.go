package catalog

import (
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// VK logs people in with VK ID:
// https://id.vk.com/about/business/go/docs/ru/vkid/latest/vk-id/connection/api-integration/api-description
//
// VK ID has no use for the secret, which is not sent: PKCE stands in for it.
// VK does not say whether an address is verified, so that none is; the member
// "verified" is about the person's badge.
//
// Tokens live for an hour and come with a refresh token, so that the app can
// act for people who are away without more.
func VK(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "vk", Name: "VK",
			Setup: "https://id.vk.com/about/business/go",
			API:   "https://api.vk.com",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://id.vk.ru/authorize",
			TokenURL: "https://id.vk.ru/oauth2/auth",
		},
		PublicClient: true,
		Scopes:       []string{"email"},
		Dialect: provider.Dialect{
			// The callback names the device, and the tokens belong to it. VK wants
			// some state with every request, even one that no browser sees.
			Params: url.Values{"device_id": {"{callback.device_id}"}, "state": {"{state}"}},
			Keep:   []string{"callback.device_id", "callback.state"},
		},
		User: provider.Call{
			Method: http.MethodPost,
			URL:    "https://id.vk.ru/oauth2/user_info",
			Body:   "access_token={access_token}&client_id={client_id}",
		},
		Fields: provider.Fields{
			Subject:   "user.user_id",
			Email:     "user.email",
			Name:      "user.first_name user.last_name",
			AvatarURL: "user.avatar",
		},
		Revoke: provider.Call{
			Method: http.MethodPost,
			URL:    "https://id.vk.ru/oauth2/revoke",
			Body:   "access_token={access_token}&client_id={client_id}",
		},
	}
	return d.New(id, secret, opts...)
}
