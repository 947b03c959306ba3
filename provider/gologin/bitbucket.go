package gologin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/dghubble/gologin/v2/bitbucket"
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

const bitbucketAPI = "https://api.bitbucket.org/2.0"

// Bitbucket logs people in with Bitbucket Cloud, by gologin's bitbucket package.
//
// gologin reads the name alone, which people may change. So the profile is read
// once more, for the uuid, and the list of addresses, of which Email is the
// primary one, if it is confirmed.
func Bitbucket(key, secret string, opts ...provider.Option) provider.Provider {
	return OAuth2{
		Info: provider.Info{
			ID:    "bitbucket",
			Name:  "Bitbucket",
			Setup: "https://bitbucket.org/account/workspaces/",
			API:   bitbucketAPI,
		},
		Config: &oauth2.Config{
			ClientID:     key,
			ClientSecret: secret,
			Scopes:       []string{"account", "email"},
			Endpoint: oauth2.Endpoint{
				AuthURL:   "https://bitbucket.org/site/oauth2/authorize",
				TokenURL:  "https://bitbucket.org/site/oauth2/access_token",
				AuthStyle: oauth2.AuthStyleInHeader,
			},
		},
		Callback: bitbucket.CallbackHandler,
		Identity: bitbucketIdentity,
	}.New(opts...)
}

func bitbucketIdentity(ctx context.Context, c *http.Client) (provider.Identity, error) {
	known, err := bitbucket.UserFromContext(ctx)
	if err != nil {
		return provider.Identity{}, err
	}
	var user struct {
		UUID     string `json:"uuid"`
		Username string `json:"username"`
		Status   string `json:"account_status"`
		Links    struct {
			Avatar, HTML struct{ Href string }
		} `json:"links"`
	}
	raw, err := read(ctx, c, bitbucketAPI+"/user", &user)
	if err != nil {
		return provider.Identity{}, err
	}
	if user.Username != known.Username {
		return provider.Identity{}, errors.New("two answers about different people")
	}
	if user.Status != "active" {
		return provider.Identity{}, &provider.Error{Op: "profile", Reason: "inactive", Err: fmt.Errorf("account is not active: %w", provider.ErrDenied)}
	}
	id := provider.Identity{
		Subject:    user.UUID,
		Name:       known.DisplayName,
		Username:   known.Username,
		AvatarURL:  user.Links.Avatar.Href,
		ProfileURL: user.Links.HTML.Href,
		Raw:        raw,
	}
	var emails struct {
		Values []struct {
			Email     string `json:"email"`
			Primary   bool   `json:"is_primary"`
			Confirmed bool   `json:"is_confirmed"`
		} `json:"values"`
	}
	_, err = read(ctx, c, bitbucketAPI+"/user/emails?pagelen=100", &emails)
	var status *statusError
	if errors.As(err, &status) && (status.status == http.StatusForbidden || status.status == http.StatusNotFound) {
		err = nil // the consumer may not read addresses
	}
	if err != nil {
		return provider.Identity{}, err
	}
	for _, e := range emails.Values {
		if e.Primary && e.Confirmed {
			id.Email, id.EmailVerified = e.Email, true
		}
	}
	return id, nil
}

// read decodes the answer to a GET of url into v.
func read(ctx context.Context, c *http.Client, url string, v any) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &statusError{req.URL.Hostname(), resp.StatusCode}
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(raw, v) != nil {
		return nil, errUnclear
	}
	return raw, nil
}
