package catalog

import (
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// WeChat logs people in with WeChat, by a code that they scan from the page:
// https://developers.weixin.qq.com/doc/oplatform/en/Website_App/WeChat_Login/Wechat_Login
//
// The ID is what WeChat calls AppID, of a website app on the Open Platform.
//
// Subject is the person's openid, which every answer has and which is another
// one in another app. The profile also holds unionid if the app is bound to an
// Open Platform account: the same in all apps of that account. An app that has
// several of them finds it with [provider.Identity.Claims].
//
// WeChat gives no email address. Tokens live for two hours and come with a
// refresh token of thirty days. They travel in the query, so that calls of your
// own must put them there.
func WeChat(id, secret string, opts ...provider.Option) provider.Provider {
	const api = "https://api.weixin.qq.com/sns"
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "wechat", Name: "WeChat",
			Setup: "https://open.weixin.qq.com",
			API:   api,
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://open.weixin.qq.com/connect/qrconnect",
			TokenURL: api + "/oauth2/access_token",
		},
		Fragment:   "wechat_redirect",
		ClientIDAs: "appid",
		Scopes:     []string{"snsapi_login"},
		ScopeSep:   ",",
		NoPKCE:     true,
		Dialect: provider.Dialect{
			Method:     http.MethodGet,
			Names:      map[string]string{"client_secret": "secret"},
			RefreshURL: api + "/oauth2/refresh_token",
			Fail:       "errcode!=0",
			FailCode:   "errcode",
			// https://developers.weixin.qq.com/doc/oplatform/Return_codes/Return_code_descriptions_new.html
			Revoked:     []string{"40030", "42002", "42007"},
			NoTokenType: true,
		},
		User: provider.Call{
			URL:   api + "/userinfo",
			Query: url.Values{"access_token": {"{access_token}"}, "openid": {"{token.openid}"}, "lang": {"en"}},
			Fail:  "errcode!=0",
		},
		Fields: provider.Fields{
			Subject:   "openid",
			Name:      "nickname",
			AvatarURL: "headimgurl",
		},
	}
	return d.New(id, secret, opts...)
}
