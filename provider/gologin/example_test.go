package gologin_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/dghubble/gologin/v2/facebook"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/gologin"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"
)

// An app has been logging people in with gologin's facebook package. The Config
// and the CallbackHandler stay, and the success handler becomes Identity.
func ExampleOAuth2() {
	p := gologin.OAuth2{
		Info: provider.Info{ID: "facebook", Name: "Facebook"},
		Config: &oauth2.Config{
			ClientID:     "client-id",
			ClientSecret: "client-secret",
			Endpoint:     endpoints.Facebook,
			Scopes:       []string{"email"},
		},
		Callback: facebook.CallbackHandler,
		Identity: func(ctx context.Context, _ *http.Client) (provider.Identity, error) {
			user, err := facebook.UserFromContext(ctx)
			if err != nil {
				return provider.Identity{}, err
			}
			return provider.Identity{Subject: user.ID, Name: user.Name, Email: user.Email}, nil
		},
	}.New()

	fmt.Println(p.Info().Name, provider.Check(p))
	// Output: Facebook <nil>
}

// Bitbucket is ready for use, with a name of the app's own on its button.
func ExampleBitbucket() {
	p := gologin.Bitbucket("key", "secret", provider.WithName("Our Bitbucket"))

	fmt.Println(p.Info().ID, p.Info().Name, provider.Check(p))
	// Output: bitbucket Our Bitbucket <nil>
}
