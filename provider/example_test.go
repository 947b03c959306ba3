package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// A service that the catalogue does not have is a value of a few lines.
func ExampleOAuth2() {
	p := provider.OAuth2{
		Info:     provider.Info{ID: "tracker", Name: "Tracker", API: "https://api.tracker.example"},
		Endpoint: oauth2.Endpoint{AuthURL: "https://tracker.example/authorize", TokenURL: "https://tracker.example/token"},
		Scopes:   []string{"profile"},
		UserURL:  "https://api.tracker.example/me",
		Fields:   provider.Fields{Subject: "data.id", Name: "data.name", Email: "data.email", EmailVerified: "data.email_confirmed"},
	}.New("my-client-id", "my-client-secret")
	if err := provider.Check(p); err != nil {
		fmt.Println(err)
		return
	}
	to, err := p.Begin(context.Background(), provider.Request{State: "unguessable", CallbackURL: "https://app.example/auth/callback/tracker"})
	base, _, _ := strings.Cut(to.URL, "?")
	fmt.Println(p.Info().Name, base, err)
	// Output: Tracker https://tracker.example/authorize <nil>
}

// An environment variable that is not set is found before anyone logs in.
func ExampleCheck() {
	p := provider.OAuth2{
		Info:     provider.Info{ID: "tracker", Name: "Tracker"},
		Endpoint: oauth2.Endpoint{AuthURL: "https://tracker.example/authorize", TokenURL: "http://tracker.example/token"},
		UserURL:  "https://api.tracker.example/me",
		Fields:   provider.Fields{Subject: "id"},
	}.New("my-client-id", "")
	fmt.Println(provider.Check(p))
	// Output:
	// client secret is empty: set it, for instance from an environment variable
	// Endpoint.TokenURL: http://tracker.example: want https; http is for loopback addresses only
}

// A service that speaks none of the protocols is two functions. This one signs
// what it returns; see the service's documents for how.
func ExampleCustom() {
	p := provider.Custom{
		Info:   provider.Info{ID: "badge", Name: "Badge"},
		Issuer: "https://badge.example",
		Begin: func(ctx context.Context, c *http.Client, req provider.Request) (provider.Redirect, error) {
			back := req.CallbackURL + "?state=" + url.QueryEscape(req.State)
			return provider.Redirect{URL: "https://badge.example/in?back=" + url.QueryEscape(back)}, nil
		},
		Complete: func(ctx context.Context, c *http.Client, cb provider.Callback) (provider.Identity, provider.Token, error) {
			if !goodSignature(cb.Params()) {
				return provider.Identity{}, provider.Token{}, fmt.Errorf("the signature is wrong: %w", provider.ErrDenied)
			}
			return provider.Identity{Subject: cb.Param("number")}, provider.Token{}, nil
		},
	}.New()
	req := provider.Request{State: "s", CallbackURL: "https://app.example/auth/callback/badge"}
	cb, err := provider.NewCallback(req, "", url.Values{"state": {"s"}, "number": {"7"}, "sig": {"forged"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _, err = p.Complete(context.Background(), cb)
	fmt.Println(err)
	// Output: provider badge: verify: denied: the signature is wrong: access denied
}

// goodSignature stands for the service's own check.
func goodSignature(params url.Values) bool { return params.Get("sig") == "good" }
