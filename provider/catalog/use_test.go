package catalog_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
)

// TestAPI calls each service in a person's name by a path alone, and shows that
// the token goes to no other host.
func TestAPI(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			t.Parallel()
			s := readFixture(t, e.dir).script(t, variant{})
			srv, p, _, tok, err := logIn(t, e, s)
			if err != nil {
				t.Fatal(err)
			}
			api := p.Info().API
			if api == "" {
				t.Skip("the app knows for which server the token is")
			}
			var c call
			c.Name = "API"
			c.Request.Method, c.Request.URL, c.Request.Query = "GET", api+"/things/1", map[string]string{"page": "2"}
			c.Request.Headers = map[string]string{"Authorization": "Bearer " + s.Token.AccessToken}
			if s.Token.Secret != "" {
				c.Request.Headers, c.Request.OAuth1 = nil, map[string]string{"oauth_token": s.Token.AccessToken}
			}
			c.Answer = answer{Status: 200, Body: map[string]any{}}
			srv.script.Calls, srv.next = []call{c}, 0
			client := provider.Client(context.Background(), p, tok)
			resp, err := client.Get("/things/1?page=2")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp, err := client.Get("https://elsewhere.example/things/1"); err == nil {
				resp.Body.Close()
				t.Error("the token went to another host")
			}
		})
	}
}

// TestAdvice takes the advice that the comments of constructors give.
func TestAdvice(t *testing.T) {
	const id, secret = clientID, clientSecret
	for name, c := range map[string]struct {
		p    provider.Provider
		want map[string]string
	}{
		"google offline": {
			catalog.Google(id, secret, provider.WithParam("access_type", "offline"), provider.WithParam("prompt", "consent")),
			map[string]string{"access_type": "offline", "prompt": "consent"},
		},
		"google company": {
			catalog.Google(id, secret, provider.WithParam("hd", "corp.example")),
			map[string]string{"hd": "corp.example"},
		},
		"microsoft offline": {
			catalog.Microsoft(id, secret, provider.WithScopes("offline_access")),
			map[string]string{"scope": "openid profile email offline_access"},
		},
		"reddit offline": {
			catalog.Reddit(id, secret, provider.WithParam("duration", "permanent")),
			map[string]string{"duration": "permanent"},
		},
		"slack workspace": {
			catalog.Slack(id, secret, provider.WithParam("team", "T0CORP777")),
			map[string]string{"team": "T0CORP777"},
		},
		"telegram phone": {
			catalog.Telegram(id, secret, provider.WithScopes("phone")),
			map[string]string{"scope": "openid profile phone"},
		},
		"tiktok handle": {
			catalog.TikTok(id, secret, provider.WithScopes("user.info.profile")),
			map[string]string{"scope": "user.info.basic,user.info.profile"},
		},
		"wechat scopes": {
			catalog.WeChat(id, secret, provider.WithScopes("snsapi_userinfo")),
			map[string]string{"scope": "snsapi_login,snsapi_userinfo"},
		},
		"x offline": {
			catalog.X(id, secret, provider.WithScopes("offline.access"), provider.WithFormerID("twitter")),
			map[string]string{"scope": "users.read tweet.read users.email offline.access"},
		},
	} {
		if err := provider.Check(c.p); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		to, err := c.p.Begin(context.Background(), provider.Request{State: stateValue, CallbackURL: redirectURI})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		u, err := url.Parse(to.URL)
		if err != nil {
			t.Fatal(err)
		}
		for param, want := range c.want {
			if got := u.Query().Get(param); got != want {
				t.Errorf("%s: %s: got %q, want %q", name, param, got, want)
			}
		}
	}
	if got := catalog.OIDC("https://idp.corp.example", id, secret, provider.WithID("corp"), provider.WithName("Corp")).Info(); got.ID != "corp" || got.Name != "Corp" {
		t.Errorf("OIDC with an ID and a name: got %+v", got)
	}
}

// TestFromTwitterToX shows that X takes over the accounts of Twitter: the same
// person is the same Subject of the same issuer.
func TestFromTwitterToX(t *testing.T) {
	var ids []provider.Identity
	for _, dir := range []string{"twitter", "x"} {
		_, _, id, _, err := logIn(t, entryOf(t, dir), readFixture(t, dir).script(t, variant{}))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if ids[0].Subject != ids[1].Subject || ids[0].Issuer != ids[1].Issuer || ids[0].Provider == ids[1].Provider {
		t.Errorf("got %+v and %+v", ids[0], ids[1])
	}
}

// TestMicrosoftTenants has people of one tenant and of others at the door of
// each kind of tenant.
func TestMicrosoftTenants(t *testing.T) {
	const own, other, personal = "4c1f6d0e-1234-4222-8333-0a0b0c0d0e0f", "7d7d7d7d-1234-4222-8333-0a0b0c0d0e0f", "9188040d-6c67-4c5b-b112-36a304b66dad"
	for _, c := range []struct {
		tenant string
		in     []string
	}{
		{"common", []string{own, other, personal}},
		{"organizations", []string{own, other}},
		{"consumers", []string{personal}},
		{own, []string{own}},
	} {
		for _, tid := range []string{own, other, personal} {
			t.Run(c.tenant+"/"+tid, func(t *testing.T) {
				s := readFixture(t, "microsoft").script(t, variant{Set: map[string]any{
					"claims:tid": tid, "claims:iss": "https://login.microsoftonline.com/" + tid + "/v2.0",
				}})
				at := "https://login.microsoftonline.com/" + c.tenant
				s.Authorize.URL, s.Calls[0].Request.URL, s.Keys = at+"/oauth2/v2.0/authorize", at+"/oauth2/v2.0/token", at+"/discovery/v2.0/keys"
				_, _, id, _, err := logIn(t, entry{"microsoft", with(catalog.MicrosoftTenant, c.tenant)}, s)
				if want := strings.Contains(strings.Join(c.in, " "), tid); want != (err == nil) {
					t.Errorf("let in: got %v (%v), want %v", err == nil, err, want)
				}
				if err == nil && !strings.HasPrefix(id.Subject, tid+"/") {
					t.Errorf("Subject: got %s, want it to begin with the tenant", id.Subject)
				}
			})
		}
	}
}
