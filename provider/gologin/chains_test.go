package gologin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	login "github.com/dghubble/gologin/v2"
	login1 "github.com/dghubble/gologin/v2/oauth1"
	login2 "github.com/dghubble/gologin/v2/oauth2"
	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/gologin"
	"github.com/gatepass/gatepass/provider/providertest"
	"golang.org/x/oauth2"
)

const callbackURL = "https://app.example.test/auth/callback/house"

// A person is the profile of the test service's plain endpoints.
type person struct {
	ID       json.Number `json:"id"`
	Login    string      `json:"login"`
	Name     string      `json:"name"`
	Email    string      `json:"email"`
	Verified bool        `json:"email_verified"`
}

type personKey struct{}

// readPerson is the last handler of a chain, written as gologin's own packages
// write theirs.
func readPerson(clientOf func(ctx context.Context) (*http.Client, error), from string, success, failure http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		who, err := func() (*person, error) {
			client, err := clientOf(ctx)
			if err != nil {
				return nil, err
			}
			resp, err := client.Get(from)
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return nil, fmt.Errorf("house: status %s", resp.Status)
			}
			var p person
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
				return nil, fmt.Errorf("house: %v", err)
			}
			return &p, nil
		}()
		if err != nil {
			failure.ServeHTTP(w, r.WithContext(login.WithError(ctx, err)))
			return
		}
		success.ServeHTTP(w, r.WithContext(context.WithValue(ctx, personKey{}, who)))
	})
}

// houseCallback makes an OAuth 2.0 chain for the test service.
func houseCallback(srv *providertest.Server) func(*oauth2.Config, http.Handler, http.Handler) http.Handler {
	return func(config *oauth2.Config, success, failure http.Handler) http.Handler {
		success = readPerson(func(ctx context.Context) (*http.Client, error) {
			token, err := login2.TokenFromContext(ctx)
			return config.Client(ctx, token), err
		}, srv.URL+"/oauth2/user", success, failure)
		return login2.CallbackHandler(config, success, failure)
	}
}

// barnCallback makes an OAuth 1.0a chain for the test service.
func barnCallback(srv *providertest.Server) func(*oauth1.Config, http.Handler, http.Handler) http.Handler {
	return func(config *oauth1.Config, success, failure http.Handler) http.Handler {
		success = readPerson(func(ctx context.Context) (*http.Client, error) {
			token, secret, err := login1.AccessTokenFromContext(ctx)
			return config.Client(ctx, oauth1.NewToken(token, secret)), err
		}, srv.URL+"/oauth1/user", success, failure)
		return login1.CallbackHandler(config, success, failure)
	}
}

func whoIs(ctx context.Context, _ *http.Client) (provider.Identity, error) {
	p, ok := ctx.Value(personKey{}).(*person)
	if !ok {
		return provider.Identity{}, errors.New("context has nobody")
	}
	raw, err := json.Marshal(p)
	return provider.Identity{
		Subject:       p.ID.String(),
		Username:      p.Login,
		Name:          p.Name,
		Email:         p.Email,
		EmailVerified: p.Verified,
		Raw:           raw,
	}, err
}

// house is an OAuth 2.0 chain at srv.
func house(srv *providertest.Server) gologin.OAuth2 {
	return gologin.OAuth2{
		Info: provider.Info{ID: "house", Name: "House", API: srv.URL},
		Config: &oauth2.Config{
			ClientID:     providertest.ClientID,
			ClientSecret: providertest.ClientSecret,
			RedirectURL:  "https://app.example.test/old/callback",
			Scopes:       []string{"profile", "email"},
			Endpoint:     oauth2.Endpoint{AuthURL: srv.URL + "/oauth2/authorize", TokenURL: srv.URL + "/oauth2/token"},
		},
		Callback: houseCallback(srv),
		Identity: whoIs,
	}
}

// barn is an OAuth 1.0a chain at srv.
func barn(srv *providertest.Server) gologin.OAuth1 {
	return gologin.OAuth1{
		Info: provider.Info{ID: "barn", Name: "Barn", API: srv.URL},
		Config: &oauth1.Config{
			ConsumerKey:    providertest.ClientID,
			ConsumerSecret: providertest.ClientSecret,
			CallbackURL:    "https://app.example.test/old/callback",
			Endpoint: oauth1.Endpoint{
				RequestTokenURL: srv.URL + "/oauth1/request_token",
				AuthorizeURL:    srv.URL + "/oauth1/authorize",
				AccessTokenURL:  srv.URL + "/oauth1/access_token",
			},
		},
		Callback: barnCallback(srv),
		Identity: whoIs,
	}
}

// A login is one that waits for its callback.
type begun struct {
	req  provider.Request
	memo string
	back url.Values // what the service sends the browser back with
}

// begin goes to the service and back, with the person saying yes.
func begin(t *testing.T, srv *providertest.Server, p provider.Provider, state string) begun {
	t.Helper()
	req := provider.Request{State: state, CallbackURL: callbackURL}
	to, err := p.Begin(t.Context(), req)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	back, err := srv.Authorize(to.URL)
	if err != nil {
		t.Fatalf("service refused the authorization request: %v", err)
	}
	return begun{req, to.Memo, back}
}

func (b begun) callback(t *testing.T) provider.Callback {
	t.Helper()
	cb, err := provider.NewCallback(b.req, b.memo, b.back)
	if err != nil {
		t.Fatalf("NewCallback: %v", err)
	}
	return cb
}

// wantError returns err as what a Complete must fail with.
func wantError(t *testing.T, err error, op, reason string) *provider.Error {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want a *provider.Error", err)
	}
	if e.Op != op || e.Reason != reason {
		t.Errorf("got op %q, reason %q (%v), want %q, %q", e.Op, e.Reason, err, op, reason)
	}
	if e.Provider == "" {
		t.Error("error does not name the provider")
	}
	return e
}
