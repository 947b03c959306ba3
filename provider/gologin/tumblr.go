package gologin

import (
	"context"
	"errors"
	"net/http"

	login "github.com/dghubble/gologin/v2"
	"github.com/dghubble/gologin/v2/tumblr"
	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
)

const tumblrAPI = "https://api.tumblr.com/v2"

// Tumblr logs people in with Tumblr, by gologin's tumblr package.
//
// gologin reads the name alone, which people may change. So the profile is read
// once more, and the Subject is the uuid of the person's primary blog. Tumblr
// gives no email address.
func Tumblr(key, secret string, opts ...provider.Option) provider.Provider {
	return OAuth1{
		Info: provider.Info{
			ID:    "tumblr",
			Name:  "Tumblr",
			Setup: "https://www.tumblr.com/oauth/apps",
			API:   tumblrAPI,
		},
		Config: &oauth1.Config{
			ConsumerKey:    key,
			ConsumerSecret: secret,
			Endpoint: oauth1.Endpoint{
				RequestTokenURL: "https://www.tumblr.com/oauth/request_token",
				AuthorizeURL:    "https://www.tumblr.com/oauth/authorize",
				AccessTokenURL:  "https://www.tumblr.com/oauth/access_token",
			},
		},
		Callback: func(config *oauth1.Config, success, failure http.Handler) http.Handler {
			// The secret is in the context: the cookie that this would set or
			// read goes nowhere.
			return tumblr.CallbackHandler(config, login.CookieConfig{Name: "unused"}, success, failure)
		},
		Identity: tumblrIdentity,
	}.New(opts...)
}

func tumblrIdentity(ctx context.Context, c *http.Client) (provider.Identity, error) {
	known, err := tumblr.UserFromContext(ctx)
	if err != nil {
		return provider.Identity{}, err
	}
	var answer struct {
		Response struct {
			User struct {
				Name  string `json:"name"`
				Blogs []struct {
					UUID    string `json:"uuid"`
					Name    string `json:"name"`
					URL     string `json:"url"`
					Primary bool   `json:"primary"`
				} `json:"blogs"`
			} `json:"user"`
		} `json:"response"`
	}
	raw, err := read(ctx, c, tumblrAPI+"/user/info", &answer)
	if err != nil {
		return provider.Identity{}, err
	}
	user := answer.Response.User
	if user.Name != known.Name {
		return provider.Identity{}, errors.New("two answers about different people")
	}
	for _, blog := range user.Blogs {
		if blog.Primary {
			return provider.Identity{
				Subject:    blog.UUID,
				Name:       user.Name,
				Username:   user.Name,
				AvatarURL:  tumblrAPI + "/blog/" + blog.Name + ".tumblr.com/avatar/128",
				ProfileURL: blog.URL,
				Raw:        raw,
			}, nil
		}
	}
	return provider.Identity{}, errors.New("profile has no primary blog")
}
