package providertest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/gatepass/gatepass/provider"
)

// furtherRules are the promises of the other optional interfaces.
func furtherRules() []rule {
	return []rule{{
		"CheckFindsNothing",
		"Check does no I/O and finds no mistake in a Provider that is set up well.",
		func(c *trial) {
			if _, ok := find[provider.Checker](c.p); !ok {
				c.Skip("the provider is no Checker")
			}
			before := c.requests()
			if err := provider.Check(c.p); err != nil {
				c.Errorf("Check: %v", err)
			}
			if n := c.requests() - before; n != 0 {
				c.Errorf("Check made %d requests, want none", n)
			}
		},
	}, {
		"ClientSendsTheToken",
		"A client made from a Token sends it to the host of Info.API.",
		func(c *trial) {
			api := c.api()
			_, tok := c.login(c.p, person(1))
			before := c.seen(api.Host, tok.AccessToken) // Complete has asked for a profile
			resp, err := provider.Client(c.Context(), c.p, tok).Get(api.String() + "/anything")
			if err != nil {
				c.Fatalf("Get: %v", err)
			}
			resp.Body.Close()
			if c.seen(api.Host, tok.AccessToken) == before {
				c.Errorf("%s saw no request with the access token", api.Host)
			}
		},
	}, {
		"ClientKeepsTheToken",
		"A client made from a Token sends it to no host but those of Info.API and Info.Hosts, nor to where such a host redirects.",
		func(c *trial) {
			api := c.api()
			_, tok := c.login(c.p, person(1))
			var mu sync.Mutex
			var stolen bool
			thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var b strings.Builder
				r.Header.Write(&b)
				mu.Lock()
				defer mu.Unlock()
				stolen = stolen || strings.Contains(r.URL.String()+b.String(), tok.AccessToken)
			}))
			defer thief.Close()
			elsewhere, err := url.Parse(thief.URL)
			if err != nil {
				c.Fatal(err)
			}
			c.fault(func(r *request, w http.ResponseWriter) bool {
				if r.URL.Path != api.Path+"/moved" {
					return false
				}
				http.Redirect(w, r.Request, thief.URL+"/moved", http.StatusFound)
				return true
			})
			for _, to := range []string{thief.URL + "/direct", api.String() + "/moved"} {
				resp, err := provider.Client(c.Context(), c.p, tok).Get(to)
				if err == nil {
					resp.Body.Close()
				}
				mu.Lock()
				// Through Transport the request comes here, with the thief's name.
				if stolen || c.seen(elsewhere.Host, tok.AccessToken) > 0 {
					c.Errorf("the access token was sent to another host, by way of %s", strings.Replace(to, thief.URL, "there", 1))
				}
				stolen = false
				mu.Unlock()
			}
		},
	}, {
		"LogoutReturns",
		"LogoutURL leads to the service over https, holds neither access token, refresh token nor client secret, and comes back to returnTo with state.",
		func(c *trial) {
			l, ok := find[provider.LogoutURLer](c.p)
			if !ok {
				c.Skip("the provider is no LogoutURLer")
			}
			_, tok := c.login(c.p, person(1))
			raw, err := l.LogoutURL(c.Context(), tok, "https://app.example.test/bye?kept=1", "a state & more")
			c.unsupported(err)
			if err != nil {
				c.Fatalf("LogoutURL: %v", err)
			}
			u, err := url.Parse(raw)
			if err != nil || !homely(u) {
				c.Fatalf("got %q, want an https URL", raw)
			}
			for _, s := range []string{tok.AccessToken, tok.RefreshToken, url.QueryEscape(ClientSecret)} {
				if s != "" && strings.Contains(raw, s) {
					c.Errorf("the URL holds a secret, %.12s…", s)
				}
			}
			b, err := c.srv.browse(raw, visitor{})
			if err != nil {
				c.Fatalf("the service did not take the URL: %v", err)
			}
			if to := b.to; to.Host != "app.example.test" || to.Path != "/bye" || b.params.Get("kept") != "1" || b.params.Get("state") != "a state & more" {
				c.Errorf("the browser came back to %s", to)
			}
		},
	}, {
		"LogoutTokensAreVerified",
		"VerifyLogout takes a logout token of the service, and nothing else.",
		func(c *trial) {
			v, ok := find[provider.LogoutVerifier](c.p)
			if !ok {
				c.Skip("the provider is no LogoutVerifier")
			}
			id, tok := c.login(c.p, person(1))
			if id.Issuer != c.srv.URL {
				c.Skip("the service is another than the test's own")
			}
			good := c.srv.LogoutToken(id.Subject, id.SID)
			out, err := v.VerifyLogout(c.Context(), good)
			c.unsupported(err)
			if err != nil {
				c.Fatalf("VerifyLogout: %v", err)
			}
			if out.Issuer != id.Issuer || out.Subject != id.Subject || out.SID != id.SID || out.JTI == "" || out.IssuedAt.IsZero() {
				c.Errorf("got %+v, want issuer %q, subject %q and session %q", out, id.Issuer, id.Subject, id.SID)
			}
			for what, bad := range c.badLogouts(good, tok.IDToken) {
				if out, err := v.VerifyLogout(c.Context(), bad); err == nil {
					c.Errorf("%s: got %+v, want an error", what, out)
				}
			}
		},
	}}
}

// api returns where a client may send tokens, or skips the test if nobody says.
func (c *trial) api() *url.URL {
	c.Helper()
	u, err := url.Parse(strings.TrimSuffix(c.p.Info().API, "/"))
	if err != nil || u.Host == "" {
		c.Skip("Info.API does not say where tokens may be sent")
	}
	if _, ok := find[provider.Clienter](c.p); !ok && !loopback(u.Hostname()) {
		c.Skip("the client of this provider would leave the machine")
	}
	return u
}

// badLogouts are tokens that end nobody's session.
func (c *trial) badLogouts(good, idToken string) map[string]string {
	c.Helper()
	claims, err := c.srv.keys.claims(good)
	if err != nil {
		c.Fatalf("providertest: %v", err)
	}
	change := func(f func(m map[string]any)) string {
		m := map[string]any{}
		for name, value := range claims {
			m[name] = value
		}
		f(m)
		token, err := c.srv.keys.sign("logout+jwt", m)
		if err != nil {
			c.Fatalf("providertest: %v", err)
		}
		return token
	}
	stranger, err := new(keyring).sign("logout+jwt", claims)
	if err != nil {
		c.Fatalf("providertest: %v", err)
	}
	_, rest, _ := strings.Cut(good, ".")
	payload, _, _ := strings.Cut(rest, ".")
	bad := map[string]string{
		"nothing":           "",
		"no token":          "nonsense",
		"another key":       stranger,
		"no signature":      b64([]byte(`{"alg":"none","typ":"logout+jwt"}`)) + "." + payload + ".",
		"another app":       change(func(m map[string]any) { m["aud"] = "other" }),
		"another service":   change(func(m map[string]any) { m["iss"] = "https://evil.example.test" }),
		"a nonce":           change(func(m map[string]any) { m["nonce"] = "n" }),
		"no events":         change(func(m map[string]any) { delete(m, "events") }),
		"another event":     change(func(m map[string]any) { m["events"] = map[string]any{"x": map[string]any{}} }),
		"nobody's session":  change(func(m map[string]any) { delete(m, "sub"); delete(m, "sid") }),
		"no time":           change(func(m map[string]any) { delete(m, "iat") }),
		"no name of itself": change(func(m map[string]any) { delete(m, "jti") }),
	}
	if idToken != "" {
		bad["an ID token"] = idToken
	}
	return bad
}
