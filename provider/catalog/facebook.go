package catalog

import (
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Facebook logs people in with Facebook:
// https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
//
// Facebook has no word on whether an address is verified, so that none is, and
// people who signed up by telephone have none:
// https://developers.facebook.com/docs/graph-api/reference/user
//
// A person's Subject is another one in another app. Every request for the
// profile carries an appsecret_proof, so that the app can be set to want one;
// calls of your own must then bring theirs:
// https://developers.facebook.com/docs/graph-api/guides/secure-requests
//
// Tokens live for some sixty days and cannot be renewed without the person.
func Facebook(id, secret string, opts ...provider.Option) provider.Provider {
	const graph = "https://graph.facebook.com/v24.0"
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "facebook", Name: "Facebook",
			Setup:  "https://developers.facebook.com/apps",
			API:    graph,
			Reauth: true,
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://www.facebook.com/v24.0/dialog/oauth",
			TokenURL: graph + "/oauth/access_token",
		},
		Scopes:   []string{"public_profile", "email"},
		ScopeSep: ",",
		Dialect:  provider.Dialect{FailCode: "error.code"},
		User: provider.Call{
			URL: graph + "/me",
			Query: url.Values{
				"fields":          {"id,name,email,first_name,last_name,picture.type(large)"},
				"appsecret_proof": {"{proof}"},
			},
		},
		Fields: provider.Fields{
			Subject:   "id",
			Email:     "email",
			Name:      "name",
			AvatarURL: "picture.data.url",
		},
		Revoke: provider.Call{
			Method: http.MethodDelete,
			URL:    graph + "/me/permissions",
			Query:  url.Values{"appsecret_proof": {"{proof}"}},
		},
		// https://developers.facebook.com/docs/facebook-login/guides/advanced/re-authentication
		ReauthParams: url.Values{"auth_type": {"reauthenticate"}},
	}
	return d.New(id, secret, opts...)
}
