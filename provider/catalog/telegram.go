package catalog

import (
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Telegram logs people in with Telegram by OpenID Connect. The ID and the
// secret are those of a bot, from @BotFather under "Login Widget":
// https://core.telegram.org/bots/telegram-login
//
// Subject is the number by which bots know the person. Telegram gives no email
// address; the scope phone asks for the telephone number, which stands in the
// profile. Callbacks must be https. There is no refresh token.
func Telegram(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OIDC{
		Info: provider.Info{
			ID: "telegram", Name: "Telegram",
			Setup: "https://t.me/BotFather",
			API:   "https://oauth.telegram.org", // lest a client send the token elsewhere
		},
		Issuer: "https://oauth.telegram.org",
		Endpoint: oauth2.Endpoint{
			AuthURL:   "https://oauth.telegram.org/auth",
			TokenURL:  "https://oauth.telegram.org/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
		KeysURL:  "https://oauth.telegram.org/.well-known/jwks.json",
		NoReauth: true,
		Algs:     []string{"RS256", "ES256", "EdDSA"}, // as the bot's owner chose
		// Telegram does not return the nonce, but insists on PKCE.
		InsecureNoNonce: true,
		Scopes:          []string{"profile"},
		Fields:          provider.Fields{Subject: "id"},
	}
	return d.New(id, secret, opts...)
}
