package provider_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// A secret that is made anew is made for each request.
func TestOIDCSecretFunc(t *testing.T) {
	op := newOP()
	op.metadata = set("token_endpoint_auth_methods_supported", []string{"client_secret_post"})
	n := 0
	p := op.provider(func(d *provider.OIDC) {
		d.Secret = func() (string, error) {
			n++
			if n > 2 {
				return "", errors.New("no key")
			}
			return strings.Repeat("x", n), nil
		}
	})
	for _, want := range []string{"x", "xx"} {
		op.mustLogin(t, p)
		if got := op.lastForm.Get("client_secret"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	_, _, err := op.login(t, p)
	wantReason(t, err, "config")
	if got := op.count("/token"); got != 2 {
		t.Errorf("got %d token requests, want none without a secret", got)
	}
}

func TestOIDCRefresh(t *testing.T) {
	op := newOP()
	p := op.provider()
	_, tok, err := op.login(t, p)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		setup  func(op *hostileOP, tok *provider.Token)
		reason string
		keeps  bool // the old ID token
	}{
		{"no_id_token", func(*hostileOP, *provider.Token) {}, "", true},
		{"same_person", func(op *hostileOP, _ *provider.Token) { op.refreshed = func(map[string]any) {} }, "", false},
		{"audience_as_list", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("aud", []string{opClient}) }, "", false},
		{"made_an_hour_ago", func(op *hostileOP, _ *provider.Token) {
			op.refreshed = set("iat", op.clock.Now().Add(-time.Hour).Unix())
		}, "", false},
		{"nonce_of_the_first_login", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("nonce", "n-1") }, "", false},
		{"iat_missing", func(op *hostileOP, _ *provider.Token) { op.refreshed = drop("iat") }, "id_token_iat", false},
		{"old_one_unknown", func(op *hostileOP, tok *provider.Token) { tok.IDToken, op.refreshed = "", func(map[string]any) {} }, "", false},
		{"issuer_other", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("iss", "https://evil.example") }, "refresh_identity", false},
		{"subject_other", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("sub", "other") }, "refresh_identity", false},
		{"subject_missing", func(op *hostileOP, _ *provider.Token) { op.refreshed = drop("sub") }, "refresh_identity", false},
		{"audience_other", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("aud", "other") }, "refresh_identity", false},
		{"audience_more", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("aud", []string{opClient, "other"}) }, "refresh_identity", false},
		{"issuer_other_old_one_unknown", func(op *hostileOP, tok *provider.Token) {
			tok.IDToken, op.refreshed = "", set("iss", "https://evil.example")
		}, "refresh_identity", false},
		{"expired", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("exp", 1) }, "id_token_exp", false},
		{"at_hash_other", func(op *hostileOP, _ *provider.Token) { op.refreshed = set("at_hash", atHash("RS256", "at-1")) }, "at_hash", false},
		{"forged", func(op *hostileOP, _ *provider.Token) {
			op.refreshed = func(map[string]any) {}
			op.answer = func(a map[string]any) { a["id_token"] = resign("RS256", otherRSA(), nil)(a["id_token"].(string)) }
		}, "id_token_sig", false},
		{"none", func(op *hostileOP, _ *provider.Token) {
			op.refreshed = func(map[string]any) {}
			op.answer = func(a map[string]any) { a["id_token"] = resign("none", nil, nil)(a["id_token"].(string)) }
		}, "id_token_alg", false},
		{"number", func(op *hostileOP, _ *provider.Token) { op.answer = set("id_token", 1) }, "id_token_malformed", false},
		{"withdrawn", func(op *hostileOP, _ *provider.Token) {
			op.intercept["/token"] = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				writeJSON(w, map[string]any{"error": "invalid_grant"})
			}
		}, "exchange_failed", false},
		{"no_refresh_token", func(_ *hostileOP, tok *provider.Token) { tok.RefreshToken = "" }, "exchange_failed", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op, tok := newOP(), tok
			tt.setup(op, &tok)
			next, err := provider.Refresh(t.Context(), op.provider(), tok)
			if op.count("/userinfo") != 0 {
				t.Error("userinfo was asked")
			}
			if tt.reason != "" {
				wantReason(t, err, tt.reason)
				if next.AccessToken != "" || next.IDToken != "" || next.RefreshToken != "" {
					t.Errorf("got %v beside the error, want nothing", next)
				}
				if revoked := tt.name == "withdrawn" || tt.name == "no_refresh_token"; errors.Is(err, provider.ErrRevoked) != revoked {
					t.Errorf("got %v: wraps ErrRevoked: want %v", err, revoked)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if next.AccessToken != "at-2" || next.RefreshToken != "rt-2" || next.IDToken == "" || (next.IDToken == tok.IDToken) != tt.keeps {
				t.Errorf("got %q, %q, old ID token %v", next.AccessToken, next.RefreshToken, next.IDToken == tok.IDToken)
			}
		})
	}
}

// A trusted audience more is still another audience than at the login.
func TestOIDCRefreshWithMoreTrustedAudiences(t *testing.T) {
	op := newOP()
	p := op.provider(func(d *provider.OIDC) { d.Audiences = []string{"project-1"} })
	_, tok, err := op.login(t, p)
	if err != nil {
		t.Fatal(err)
	}
	op.refreshed = func(c map[string]any) { c["aud"], c["azp"] = []string{opClient, "project-1"}, opClient }
	_, err = provider.Refresh(t.Context(), p, tok)
	wantReason(t, err, "refresh_identity")
}

// A renewed token is not thrown away because the keys cannot be had: the old
// refresh token may be used up. The ID token that was verified stays.
func TestOIDCRefreshWithoutKeys(t *testing.T) {
	op := newOP()
	_, tok, err := op.login(t, op.provider())
	if err != nil {
		t.Fatal(err)
	}
	op.refreshed = func(map[string]any) {}
	op.intercept["/jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	next, err := provider.Refresh(t.Context(), op.provider(), tok)
	if err != nil || next.AccessToken != "at-2" || next.IDToken != tok.IDToken {
		t.Errorf("got %q, %v, want the new access token and the old ID token", next.AccessToken, err)
	}
	op.refreshed = set("sub", "other")
	_, err = provider.Refresh(t.Context(), op.provider(), tok)
	wantReason(t, err, "refresh_identity")
}

func TestOIDCRevoke(t *testing.T) {
	op := newOP()
	var hints []string
	op.intercept["/revoke"] = func(_ http.ResponseWriter, r *http.Request) { hints = append(hints, r.FormValue("token_type_hint")) }
	if err := provider.Revoke(t.Context(), op.provider(), provider.Token{AccessToken: "at-1", RefreshToken: "rt-1"}); err != nil {
		t.Fatal(err)
	}
	if len(hints) == 0 || hints[0] != "refresh_token" {
		t.Errorf("got %q, want the refresh token first", hints)
	}
	op.metadata = drop("revocation_endpoint")
	if err := provider.Revoke(t.Context(), op.provider(), provider.Token{AccessToken: "at-1"}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want one that wraps ErrUnsupported", err)
	}
}
