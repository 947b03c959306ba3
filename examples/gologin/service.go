package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	login "github.com/dghubble/gologin/v2/oauth2"
	"github.com/gatepass/gatepass/provider"
	adapter "github.com/gatepass/gatepass/provider/gologin"
	"github.com/gatepass/gatepass/provider/providertest"
	"golang.org/x/oauth2"
)

// testChain logs people in at srv. gologin has no package for it, so that its
// chain is the general one for OAuth 2.0, which reads no profile: Identity does.
func testChain(srv *providertest.Server) adapter.OAuth2 {
	return adapter.OAuth2{
		Info:   provider.Info{ID: "house", Name: "House", API: srv.URL},
		Issuer: srv.URL,
		Config: &oauth2.Config{
			ClientID:     providertest.ClientID,
			ClientSecret: providertest.ClientSecret,
			Endpoint: oauth2.Endpoint{
				AuthURL:   srv.URL + "/oauth2/authorize",
				TokenURL:  srv.URL + "/oauth2/token",
				AuthStyle: oauth2.AuthStyleInParams,
			},
			Scopes: []string{"profile", "email"},
		},
		Callback: login.CallbackHandler,
		Identity: func(_ context.Context, c *http.Client) (provider.Identity, error) {
			resp, err := c.Get(srv.URL + "/oauth2/user")
			if err != nil {
				return provider.Identity{}, err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return provider.Identity{}, fmt.Errorf("house answered with status %d", resp.StatusCode)
			}
			var user struct {
				ID       any    `json:"id"`
				Name     string `json:"name"`
				Email    string `json:"email"`
				Verified bool   `json:"email_verified"`
			}
			d := json.NewDecoder(resp.Body)
			d.UseNumber() // IDs may be longer than a float64 can tell apart
			if err := d.Decode(&user); err != nil || user.ID == nil {
				return provider.Identity{}, fmt.Errorf("house answered with no profile")
			}
			return provider.Identity{
				Subject: fmt.Sprint(user.ID), Name: user.Name, Email: user.Email, EmailVerified: user.Verified,
			}, nil
		},
	}
}
