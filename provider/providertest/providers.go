package providertest

import "github.com/gatepass/gatepass/provider"

// Provider returns a Provider called "test" that logs people in at s by OpenID
// Connect. A client for it finds the profile at "/userinfo".
//
// It has no refresh token unless it is made with
// provider.WithScopes("offline_access").
func (s *Server) Provider(opts ...provider.Option) provider.Provider {
	return provider.OIDC{
		Info:   provider.Info{ID: "test", Name: "Test service", Setup: s.URL, API: s.URL, Reauth: true},
		Issuer: s.URL,
		Scopes: []string{"email", "profile"},
	}.New(ClientID, ClientSecret, opts...)
}

// OAuth2 returns a Provider called "test-oauth2" that logs people in at s by
// plain OAuth 2.0. A client for it finds the profile at "/user": JSON with a
// numeric "id", "login", "name" and "email".
func (s *Server) OAuth2(opts ...provider.Option) provider.Provider {
	d := provider.OAuth2{
		Info:      provider.Info{ID: "test-oauth2", Name: "Test service (OAuth 2.0)", Setup: s.URL, API: s.URL + "/oauth2"},
		Issuer:    s.URL,
		Scopes:    []string{"email", "profile"},
		UserURL:   s.URL + "/oauth2/user",
		RevokeURL: s.URL + "/oauth2/revoke",
		Fields:    fields(),
	}
	d.Endpoint.AuthURL = s.URL + "/oauth2/authorize"
	d.Endpoint.TokenURL = s.URL + "/oauth2/token"
	return d.New(ClientID, ClientSecret, opts...)
}

// OAuth1 returns a Provider called "test-oauth1" that logs people in at s by
// OAuth 1.0a. A client for it finds the same profile as that of
// [Server.OAuth2] at "/user".
func (s *Server) OAuth1(opts ...provider.Option) provider.Provider {
	d := provider.OAuth1{
		Info:    provider.Info{ID: "test-oauth1", Name: "Test service (OAuth 1.0a)", Setup: s.URL, API: s.URL + "/oauth1"},
		UserURL: s.URL + "/oauth1/user",
		Fields:  fields(),
	}
	d.Endpoint.RequestTokenURL = s.URL + "/oauth1/request_token"
	d.Endpoint.AuthorizeURL = s.URL + "/oauth1/authorize"
	d.Endpoint.AccessTokenURL = s.URL + "/oauth1/access_token"
	return d.New(ClientID, ClientSecret, opts...)
}

func fields() provider.Fields {
	return provider.Fields{
		Subject:       "id",
		Email:         "email",
		EmailVerified: "email_verified",
		Name:          "name",
		Username:      "login",
		AvatarURL:     "avatar_url",
		ProfileURL:    "html_url",
		Locale:        "locale",
	}
}
