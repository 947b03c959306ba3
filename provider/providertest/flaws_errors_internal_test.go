package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gatepass/gatepass/provider"
)

func failureFlaws() []flaw {
	return []flaw{{
		name: "anonymous without a profile", breaks: []string{"ProfileMustBeThere"},
		bend: func(_ *Server, b *bent) {
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				id, tok, err := b.Provider.Complete(ctx, cb)
				var e *provider.Error
				if errors.As(err, &e) && e.Op == "profile" && ctx.Err() == nil {
					return provider.Identity{Provider: "test-oauth2", Issuer: "x", Subject: "anonymous"}, provider.Token{AccessToken: "x"}, nil
				}
				return id, tok, err
			}
		},
	}, {
		name: "someone without a token", breaks: []string{"TokenMustBeThere"},
		bend: func(_ *Server, b *bent) {
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				id, tok, err := b.Provider.Complete(ctx, cb)
				var e *provider.Error
				if errors.As(err, &e) && e.Reason == "token_invalid" {
					return provider.Identity{Provider: "test-oauth2", Issuer: "x", Subject: "anonymous"}, provider.Token{}, nil
				}
				return id, tok, err
			}
		},
	}, {
		name: "errors without a type", breaks: []string{"ErrorsAreTyped"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(_ provider.Callback, err error) error {
				if errors.Is(err, provider.ErrDenied) {
					return fmt.Errorf("log in: %w", provider.ErrDenied)
				}
				return errors.New("log in: it did not work")
			})
		},
	}, {
		name: "errors of another", breaks: []string{"ErrorsAreTyped"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(_ provider.Callback, err error) error {
				return &provider.Error{Provider: "google", Op: "exchange", Err: err}
			})
		},
	}, {
		name: "errors of an unknown step", breaks: []string{"ErrorsAreTyped"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(_ provider.Callback, err error) error {
				return &provider.Error{Provider: "test-oauth2", Op: "login", Err: err}
			})
		},
	}, {
		name: "code in the error", breaks: []string{"ErrorsHoldNoSecrets"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(cb provider.Callback, err error) error {
				return &provider.Error{Provider: "test-oauth2", Op: "exchange", Err: fmt.Errorf("code %s: %w", cb.Param("code"), err)}
			})
		},
	}, {
		name: "state in the error", breaks: []string{"ErrorsHoldNoSecrets"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(cb provider.Callback, err error) error {
				return &provider.Error{Provider: "test-oauth2", Op: "exchange", Err: fmt.Errorf("login %s: %w", cb.Param("state"), err)}
			})
		},
	}, {
		name: "verifier in the error", breaks: []string{"ErrorsHoldNoSecrets"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(cb provider.Callback, err error) error {
				return &provider.Error{Provider: "test-oauth2", Op: "exchange", Err: fmt.Errorf("memo %s: %w", cb.Memo(), err)}
			})
		},
	}, {
		name: "context ignored", breaks: []string{"CompleteGivesUp"}, patience: 300 * time.Millisecond,
		bend: func(_ *Server, b *bent) {
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				return b.Provider.Complete(context.WithoutCancel(ctx), cb)
			}
		},
	}}
}

func tokenFlaws() []flaw {
	refreshing := func(b *bent, f func(old provider.Token, tok *provider.Token, err error) error) {
		b.refresh = func(ctx context.Context, old provider.Token) (provider.Token, error) {
			tok, err := provider.Refresh(ctx, b.Provider, old)
			err = f(old, &tok, err)
			return tok, err
		}
	}
	return []flaw{{
		name: "old access token", breaks: []string{"RefreshRenews"},
		bend: func(_ *Server, b *bent) {
			refreshing(b, func(old provider.Token, tok *provider.Token, err error) error {
				tok.AccessToken = old.AccessToken
				return err
			})
		},
	}, {
		name: "rotated refresh token lost", breaks: []string{"RefreshRenews"},
		bend: func(_ *Server, b *bent) {
			refreshing(b, func(old provider.Token, tok *provider.Token, err error) error {
				tok.RefreshToken = old.RefreshToken
				return err
			})
		},
	}, {
		name: "old refresh token lost", breaks: []string{"RefreshKeepsTheOldRefreshToken"},
		bend: func(_ *Server, b *bent) {
			refreshing(b, func(old provider.Token, tok *provider.Token, err error) error {
				if tok.RefreshToken == old.RefreshToken {
					tok.RefreshToken = ""
				}
				return err
			})
		},
	}, {
		name: "revocation not told", breaks: []string{"RefreshOfARevokedGrant"},
		bend: func(_ *Server, b *bent) {
			refreshing(b, func(_ provider.Token, _ *provider.Token, err error) error {
				if err != nil {
					err = &provider.Error{Provider: "test-oauth2", Op: "refresh", Err: errors.New("it did not work")}
				}
				return err
			})
		},
	}, {
		name: "everything is revocation", breaks: []string{"RefreshWhenTheServiceIsDown"},
		bend: func(_ *Server, b *bent) {
			refreshing(b, func(_ provider.Token, _ *provider.Token, err error) error {
				if err != nil {
					err = &provider.Error{Provider: "test-oauth2", Op: "refresh", Err: provider.ErrRevoked}
				}
				return err
			})
		},
	}, {
		name: "refresh token in the error", breaks: []string{"RefreshErrorsHoldNoSecrets"},
		bend: func(_ *Server, b *bent) {
			refreshing(b, func(old provider.Token, _ *provider.Token, err error) error {
				if err != nil {
					err = &provider.Error{Provider: "test-oauth2", Op: "refresh", Err: fmt.Errorf("%s: %w", old.RefreshToken, err)}
				}
				return err
			})
		},
	}, {
		name: "one renewal for all", breaks: []string{"RefreshManyAtOnce"},
		bend: func(_ *Server, b *bent) {
			var mu sync.Mutex
			var last provider.Token
			mine := map[string]bool{}
			b.refresh = func(ctx context.Context, old provider.Token) (provider.Token, error) {
				mu.Lock()
				defer mu.Unlock()
				if last.AccessToken != "" && !mine[old.RefreshToken] {
					return last, nil
				}
				tok, err := provider.Refresh(ctx, b.Provider, old)
				if err == nil {
					last, mine[tok.RefreshToken] = tok, true
				}
				return tok, err
			}
		},
	}, {
		name: "something else revoked", breaks: []string{"RevokeWithdraws"},
		bend: func(_ *Server, b *bent) {
			b.revoke = func(ctx context.Context, tok provider.Token) error {
				return provider.Revoke(ctx, b.Provider, provider.Token{AccessToken: "another"})
			}
		},
	}, {
		name: "revoking twice fails", breaks: []string{"RevokeWithdraws"},
		bend: func(_ *Server, b *bent) {
			var gone sync.Map
			b.revoke = func(ctx context.Context, tok provider.Token) error {
				if _, twice := gone.LoadOrStore(tok.AccessToken, true); twice {
					return errors.New("unknown token")
				}
				return provider.Revoke(ctx, b.Provider, tok)
			}
		},
	}, {
		name: "revoking never fails", breaks: []string{"RevokeCanFail"},
		bend: func(_ *Server, b *bent) {
			b.revoke = func(ctx context.Context, tok provider.Token) error {
				provider.Revoke(ctx, b.Provider, tok)
				return nil
			}
		},
	}, {
		name: "token in the error of Revoke", breaks: []string{"RevokeCanFail"},
		bend: func(_ *Server, b *bent) {
			b.revoke = func(ctx context.Context, tok provider.Token) error {
				if err := provider.Revoke(ctx, b.Provider, tok); err != nil {
					return fmt.Errorf("%s: %w", tok.AccessToken, err)
				}
				return nil
			}
		},
	}}
}

// bearing is a client that sends a token wherever it is told to.
type bearing struct{ token string }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

func furtherFlaws() []flaw {
	return []flaw{{
		name: "Check finds something", breaks: []string{"CheckFindsNothing"},
		bend: func(_ *Server, b *bent) { b.check = func() error { return errors.New("Name is in English") } },
	}, {
		name: "Check asks the service", breaks: []string{"CheckFindsNothing"},
		bend: func(srv *Server, b *bent) {
			b.check = func() error {
				resp, err := srv.Client().Get(srv.URL + "/jwks")
				if err == nil {
					resp.Body.Close()
				}
				return err
			}
		},
	}, {
		name: "client without the token", breaks: []string{"ClientSendsTheToken"},
		bend: func(_ *Server, b *bent) {
			b.client = func(context.Context, provider.Token) *http.Client { return new(http.Client) }
		},
	}, {
		name: "client tells everyone", breaks: []string{"ClientKeepsTheToken"},
		bend: func(_ *Server, b *bent) {
			b.client = func(_ context.Context, tok provider.Token) *http.Client {
				return &http.Client{Transport: bearing{tok.AccessToken}}
			}
		},
	}, {
		name: "client follows with the token", breaks: []string{"ClientKeepsTheToken"},
		bend: func(srv *Server, b *bent) {
			b.client = func(ctx context.Context, tok provider.Token) *http.Client {
				return &http.Client{Transport: homeFirst{srv.Listener.Addr().String(), &http.Client{Transport: bearing{tok.AccessToken}}}}
			}
		},
	}, {
		name: "logout without state", breaks: []string{"LogoutReturns"}, base: oidcBase,
		bend: func(_ *Server, b *bent) {
			b.logoutURL = func(ctx context.Context, tok provider.Token, returnTo, _ string) (string, error) {
				return provider.LogoutURL(ctx, b.Provider, tok, returnTo, "")
			}
		},
	}, {
		name: "access token in the logout URL", breaks: []string{"LogoutReturns"}, base: oidcBase,
		bend: func(_ *Server, b *bent) {
			b.logoutURL = func(ctx context.Context, tok provider.Token, returnTo, state string) (string, error) {
				u, err := provider.LogoutURL(ctx, b.Provider, tok, returnTo, state)
				return u + "&token=" + tok.AccessToken, err
			}
		},
	}, {
		name: "any logout token", breaks: []string{"LogoutTokensAreVerified"}, base: oidcBase,
		bend: func(_ *Server, b *bent) {
			b.verify = func(ctx context.Context, token string) (provider.Logout, error) {
				out, err := provider.VerifyLogout(ctx, b.Provider, token)
				if err != nil {
					out = provider.Logout{Subject: "someone"}
				}
				return out, nil
			}
		},
	}, {
		name: "logout of another", breaks: []string{"LogoutTokensAreVerified"}, base: oidcBase,
		bend: func(_ *Server, b *bent) {
			b.verify = func(ctx context.Context, token string) (provider.Logout, error) {
				out, err := provider.VerifyLogout(ctx, b.Provider, token)
				out.Subject = ""
				return out, err
			}
		},
	}}
}

// homeFirst lets a request through to one host only, but not what it leads to.
type homeFirst struct {
	host string
	c    *http.Client
}

func (h homeFirst) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != h.host {
		return nil, errors.New("not there")
	}
	r = r.Clone(r.Context())
	r.RequestURI = ""
	return h.c.Do(r)
}
