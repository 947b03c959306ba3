package providertest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gatepass/gatepass/provider"
)

// tokenRules are the promises of Refresher and Revoker.
func tokenRules() []rule {
	return []rule{{
		"RefreshRenews",
		"Refresh returns a Token that works, with a refresh token for the next time.",
		func(c *trial) {
			r, tok := c.refreshable()
			for range 2 { // the new refresh token works, too
				c.srv.ExpireTokens()
				renewed, err := r.Refresh(c.Context(), tok)
				if err != nil {
					c.Fatalf("Refresh: %v", err)
				}
				if c.srv.holder(renewed.AccessToken) == nil {
					c.Error("the new access token does not work")
				}
				if renewed.RefreshToken == "" {
					c.Fatal("the new Token has no refresh token")
				}
				tok = renewed
			}
		},
	}, {
		"RefreshKeepsTheOldRefreshToken",
		"If the service sends no new refresh token, the old one is carried over.",
		func(c *trial) {
			r, tok := c.refreshable()
			alter := c.srv.Alter
			c.srv.Alter = func(a *Answer) {
				if alter != nil {
					alter(a)
				}
				if a.Endpoint == "token" {
					drop(a.Body)
				}
			}
			renewed, err := r.Refresh(c.Context(), tok)
			if err != nil {
				c.Fatalf("Refresh: %v", err)
			}
			if renewed.RefreshToken != tok.RefreshToken {
				c.Error("the old refresh token is lost")
			}
		},
	}, {
		"RefreshOfARevokedGrant",
		"If the service has withdrawn the grant, or there is no refresh token, the error wraps ErrRevoked.",
		func(c *trial) {
			r, tok := c.refreshable()
			c.srv.RevokeTokens()
			if _, err := r.Refresh(c.Context(), tok); !errors.Is(err, provider.ErrRevoked) {
				c.Errorf("withdrawn: got %v, want an error that wraps ErrRevoked", err)
			}
			tok.RefreshToken = ""
			if _, err := r.Refresh(c.Context(), tok); !errors.Is(err, provider.ErrRevoked) {
				c.Errorf("no refresh token: got %v, want an error that wraps ErrRevoked", err)
			}
		},
	}, {
		"RefreshWhenTheServiceIsDown",
		"A service that is out of order has withdrawn nothing: the error does not wrap ErrRevoked.",
		func(c *trial) {
			r, tok := c.refreshable()
			for _, status := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable} {
				c.fault(broken(status, `{"error":"temporarily_unavailable"}`, "token"))
				_, err := r.Refresh(c.Context(), tok)
				if err == nil || errors.Is(err, provider.ErrRevoked) {
					c.Errorf("status %d: got %v, want an error that does not wrap ErrRevoked", status, err)
				}
			}
		},
	}, {
		"RefreshErrorsHoldNoSecrets",
		"An error of Refresh is an *Error and holds no token and no client secret.",
		func(c *trial) {
			r, tok := c.refreshable()
			for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusInternalServerError} {
				c.fault(func(r *request, w http.ResponseWriter) bool {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					w.Write([]byte(`{"error":"` + url.QueryEscape(r.everything()) + `"}`))
					return true
				})
				_, err := r.Refresh(c.Context(), tok)
				if err == nil {
					c.Errorf("status %d: no error", status)
					continue
				}
				var e *provider.Error
				if !errors.As(err, &e) || e.Provider != c.p.Info().ID || e.Op != "refresh" {
					c.Errorf("status %d: got %v, want an *Error of the provider with the Op refresh", status, err)
				}
				if secret, ok := c.leak(err); ok {
					c.Errorf("status %d: the error holds a secret, %.12s…", status, secret)
				}
			}
		},
	}, {
		"RefreshManyAtOnce",
		"Refresh is safe for concurrent use: each Token is renewed as itself.",
		func(c *trial) {
			c.refreshable()
			toks := make([]provider.Token, 8)
			for i := range toks {
				_, toks[i] = c.refreshableAs(person(i))
			}
			var wg sync.WaitGroup
			for i, tok := range toks {
				wg.Go(func() {
					renewed, err := provider.Refresh(c.Context(), c.p, tok)
					if err != nil {
						c.Errorf("person %d: %v", i, err)
						return
					}
					if owner := c.srv.owner(renewed.AccessToken); owner["sub"] != person(i)["sub"] {
						c.Errorf("person %d has a token of %v", i, owner["name"])
					}
				})
			}
			wg.Wait()
		},
	}, {
		"RevokeWithdraws",
		"Revoke withdraws the Token at the service. Doing so again is no error.",
		func(c *trial) {
			r, ok := find[provider.Revoker](c.p)
			if !ok {
				c.Skip("the provider is no Revoker")
			}
			_, tok := c.login(c.p, person(1))
			for _, when := range []string{"once", "again"} {
				err := r.Revoke(c.Context(), tok)
				c.unsupported(err)
				if err != nil {
					c.Fatalf("Revoke %s: %v", when, err)
				}
				if c.srv.holder(tok.AccessToken) != nil {
					c.Errorf("the access token still works after Revoke %s", when)
				}
			}
		},
	}, {
		"RevokeCanFail",
		"If the service did not withdraw the Token, Revoke returns an error without secrets.",
		func(c *trial) {
			r, ok := find[provider.Revoker](c.p)
			if !ok {
				c.Skip("the provider is no Revoker")
			}
			_, tok := c.login(c.p, person(1))
			c.srv.Fail("revoke", http.StatusInternalServerError)
			err := r.Revoke(c.Context(), tok)
			c.unsupported(err)
			if err == nil {
				c.Fatal("the service is out of order and Revoke returned no error")
			}
			if secret, ok := c.leak(err); ok {
				c.Errorf("the error holds a secret, %.12s…", secret)
			}
		},
	}}
}

// refreshable logs someone in and returns a Token that can be renewed, or skips
// the test if there is none to be had.
func (c *trial) refreshable() (provider.Refresher, provider.Token) {
	c.Helper()
	return c.refreshableAs(person(1))
}

func (c *trial) refreshableAs(who map[string]any) (provider.Refresher, provider.Token) {
	c.Helper()
	r, ok := find[provider.Refresher](c.p)
	if !ok {
		c.Skip("the provider is no Refresher")
	}
	_, tok := c.login(c.p, who)
	if tok.RefreshToken == "" {
		_, tok = c.login(c.p, who, "offline_access")
	}
	if tok.RefreshToken == "" {
		c.Skip("the service gives no refresh token")
	}
	return r, tok
}

// drop removes the refresh token from an answer, whatever it is called there.
func drop(body any) {
	switch b := body.(type) {
	case map[string]any:
		for name, value := range b {
			plain := strings.ToLower(strings.ReplaceAll(name, "_", ""))
			if strings.HasPrefix(plain, "refreshtoken") {
				delete(b, name)
				continue
			}
			drop(value)
		}
	case url.Values:
		b.Del("refresh_token")
	}
}
