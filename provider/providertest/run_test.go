package providertest_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
)

func TestRunOIDC(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider { return srv.Provider() })
}

func TestRunOAuth2(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider { return srv.OAuth2() })
}

func TestRunOAuth1(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider { return srv.OAuth1() })
}

// TestRunFormPost is about an app without a secret, too.
func TestRunFormPost(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
		return provider.OIDC{
			Info:         provider.Info{ID: "posts", Name: "Posts back"},
			Issuer:       srv.URL,
			Scopes:       []string{"email"},
			PostsBack:    true,
			PublicClient: true,
		}.New(providertest.PublicClientID, "", provider.WithID("posts-too"))
	})
}

// TestRunFixedURLs is about a service whose URLs are its own and whose answers
// have another shape.
func TestRunFixedURLs(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
		srv.Alter = func(a *providertest.Answer) {
			switch {
			case a.Endpoint == "userinfo" && a.Status == http.StatusOK:
				n, err := strconv.Atoi(a.Person["sub"].(string))
				if err != nil {
					t.Errorf("sub: %v", err)
				}
				a.Body = map[string]any{"data": map[string]any{"user": map[string]any{"uid": n, "label": a.Person["name"], "mail": a.Person["email"]}}}
				a.Header.Set("Content-Type", "text/plain")
			case a.Endpoint == "token" && a.Status != http.StatusOK:
				a.Status = http.StatusOK // as GitHub does
			}
		}
		d := provider.OAuth2{
			Info:    provider.Info{ID: "vendor", Name: "Vendor", API: "https://api.vendor.test/v2"},
			Scopes:  []string{"user.info"},
			UserURL: "https://api.vendor.test/v2/me",
			Fields:  provider.Fields{Subject: "data.user.uid", Name: "data.user.label", Email: "data.user.mail"},
		}
		d.Endpoint.AuthURL = "https://www.vendor.test/login/authorize"
		d.Endpoint.TokenURL = "https://www.vendor.test/login/token"
		return d.New(providertest.ClientID, providertest.ClientSecret, provider.WithHTTPClient(&http.Client{Transport: srv.Transport()}))
	})
}

// TestRunByHand runs the suite over a Provider written with the standard library
// alone.
func TestRunByHand(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
		return byHand{srv.URL}
	})
}

func TestRunWrapped(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
		return wrapper{srv.OAuth2()}
	})
}

// wrapper has no ability of its own.
type wrapper struct{ provider.Provider }

func (w wrapper) Unwrap() provider.Provider { return w.Provider }

// byHand is a Provider for the plain flavour of the test service.
type byHand struct{ service string }

func (p byHand) Info() provider.Info {
	return provider.Info{ID: "by-hand", Name: "By hand"}
}

func (p byHand) Begin(_ context.Context, req provider.Request) (provider.Redirect, error) {
	verifier := rand.Text() + rand.Text()
	q := url.Values{}
	for name, values := range req.Params {
		q[name] = values
	}
	scope := "email profile"
	for _, s := range req.Scopes {
		scope += " " + s
	}
	for name, value := range map[string]string{
		"response_type": "code", "client_id": providertest.ClientID, "redirect_uri": req.CallbackURL, "state": req.State,
		"scope": scope, "code_challenge": s256(verifier), "code_challenge_method": "S256",
	} {
		q.Set(name, value)
	}
	return provider.Redirect{URL: p.service + "/oauth2/authorize?" + q.Encode(), Memo: verifier}, nil
}

func (p byHand) Complete(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
	id, tok, err := p.complete(ctx, cb)
	if err != nil {
		return provider.Identity{}, provider.Token{}, err
	}
	return id, tok, nil
}

func (p byHand) complete(ctx context.Context, cb provider.Callback) (id provider.Identity, tok provider.Token, err error) {
	if cb.Param("error") == "access_denied" {
		return id, tok, p.failed("exchange", provider.ErrDenied)
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {cb.Param("code")}, "redirect_uri": {cb.URL()}, "code_verifier": {cb.Memo()},
		"client_id": {providertest.ClientID}, "client_secret": {providertest.ClientSecret},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.service+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return id, tok, p.failed("exchange", errors.New("no request"))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := send(req)
	if err != nil {
		return id, tok, p.failed("exchange", err)
	}
	tok.AccessToken, _ = answer["access_token"].(string)
	if tok.AccessToken == "" {
		return id, tok, p.failed("exchange", errors.New("no access token"))
	}
	seconds, _ := answer["expires_in"].(json.Number)
	if n, err := seconds.Int64(); err == nil {
		tok.Expiry = time.Now().Add(time.Duration(n) * time.Second)
	}
	req, err = http.NewRequestWithContext(ctx, http.MethodGet, p.service+"/oauth2/user", nil)
	if err != nil {
		return id, tok, p.failed("profile", errors.New("no request"))
	}
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	profile, err := send(req)
	if err != nil {
		return id, tok, p.failed("profile", err)
	}
	number, _ := profile["id"].(json.Number)
	if number == "" {
		return id, tok, p.failed("profile", errors.New("no id"))
	}
	id = provider.Identity{Provider: "by-hand", Issuer: p.service, Subject: number.String()}
	id.Name, _ = profile["name"].(string)
	id.Email, _ = profile["email"].(string)
	return id, tok, nil
}

func (p byHand) failed(op string, err error) error {
	return &provider.Error{Provider: "by-hand", Op: op, Err: err}
}

// send returns the JSON object that a service answers, and errors that say
// nothing of what was sent.
func send(req *http.Request) (map[string]any, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, errors.New("no answer")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, errors.New("no JSON object")
	}
	return m, nil
}
