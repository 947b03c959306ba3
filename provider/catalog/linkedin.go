package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// LinkedIn logs people in with LinkedIn. The app needs the product "Sign In
// with LinkedIn using OpenID Connect":
// https://learn.microsoft.com/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
//
// LinkedIn has OpenID Connect, but its ID tokens do not return the nonce, and
// it refuses PKCE for web apps. So an ID token would prove nothing that the
// profile does not, which comes straight from LinkedIn; the profile is read.
//
// An address is verified if the member email_verified says so; see the same
// document. Only partners of LinkedIn get a refresh token.
func LinkedIn(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "linkedin", Name: "LinkedIn",
			Setup: "https://www.linkedin.com/developers/apps",
			API:   "https://api.linkedin.com/v2",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://www.linkedin.com/oauth/v2/authorization",
			TokenURL: "https://www.linkedin.com/oauth/v2/accessToken",
		},
		NoPKCE:  true,
		Scopes:  []string{"openid", "profile", "email"},
		UserURL: "https://api.linkedin.com/v2/userinfo",
		Fields: provider.Fields{
			Subject:       "sub",
			Email:         "email",
			EmailVerified: "claim_loose:email_verified", // a string in some answers
			Name:          "name",
			AvatarURL:     "picture",
			Locale:        "tmpl:{locale.language}-{locale.country}",
		},
	}
	return d.New(id, secret, opts...)
}
