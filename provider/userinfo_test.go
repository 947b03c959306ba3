package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

func TestOIDCUserinfo(t *testing.T) {
	jwtAnswer := func(token func(op *hostileOP) string) func(op *hostileOP) {
		return func(op *hostileOP) {
			op.rawUser = func(w http.ResponseWriter) bool {
				w.Header().Set("Content-Type", "application/jwt; charset=utf-8")
				w.Write([]byte(token(op)))
				return true
			}
		}
	}
	body := func(status int, s string) func(op *hostileOP) {
		return func(op *hostileOP) {
			op.rawUser = func(w http.ResponseWriter) bool {
				w.WriteHeader(status)
				w.Write([]byte(s))
				return true
			}
		}
	}
	claims := func(change func(map[string]any)) []byte {
		c := map[string]any{"iss": opIssuer, "aud": opClient, "sub": opSubject, "name": "Signed"}
		if change != nil {
			change(c)
		}
		return encode(c)
	}
	tests := []struct {
		name   string
		setup  func(op *hostileOP)
		reason string // "ok" if the login succeeds
	}{
		{"sub_of_another", func(op *hostileOP) { op.user = map[string]any{"sub": "other", "name": "Eve"} }, "userinfo_sub"},
		{"sub_missing", func(op *hostileOP) { op.user = map[string]any{"name": "Eve"} }, "userinfo_sub"},
		{"sub_number", func(op *hostileOP) { op.user = map[string]any{"sub": json.Number(opSubject)} }, "userinfo_sub"},
		{"sub_other_case", func(op *hostileOP) { op.user = map[string]any{"Sub": opSubject} }, "userinfo_sub"},
		{"duplicate_sub", body(200, `{"sub":"other","sub":"`+opSubject+`"}`), "profile_invalid"},
		{"error_with_200", body(200, `{"error":"x"}`), "userinfo_sub"},
		{"html", body(200, `<html>`), "profile_invalid"},
		{"empty", body(200, ``), "profile_invalid"},
		{"list", body(200, `[]`), "profile_invalid"},
		{"null", body(200, `null`), "profile_invalid"},
		{"status_401", body(401, `{}`), "profile_http"},
		{"status_403", body(403, `{}`), "profile_http"},
		{"status_404", body(404, `{}`), "profile_http"},
		{"status_429", body(429, `{}`), "profile_http"},
		{"status_500", body(500, `{}`), "profile_http"},
		{"status_204", body(204, ``), "profile_http"},
		{"redirect", func(op *hostileOP) {
			op.rawUser = func(w http.ResponseWriter) bool {
				w.Header().Set("Location", "https://evil.example/steal")
				w.WriteHeader(307)
				return true
			}
		}, "profile_invalid"},
		{"endless", body(200, `{"sub":"`+opSubject+`","x":"`+strings.Repeat("x", 2<<20)+`"}`), "profile_invalid"},
		{"signed", jwtAnswer(func(op *hostileOP) string { return op.sign(op.idHeader(), claims(nil)) }), "ok"},
		{"signed_with_none", jwtAnswer(func(op *hostileOP) string {
			return b64([]byte(`{"alg":"none"}`)) + "." + b64(claims(nil)) + "."
		}), "userinfo_sig"},
		{"signed_by_another", jwtAnswer(func(op *hostileOP) string {
			op.key = otherRSA()
			defer func() { op.key = rsaKey() }()
			return op.sign(op.idHeader(), claims(nil))
		}), "userinfo_sig"},
		{"signed_for_another", jwtAnswer(func(op *hostileOP) string { return op.sign(op.idHeader(), claims(set("aud", "other"))) }), "userinfo_sig"},
		{"signed_without_audience", jwtAnswer(func(op *hostileOP) string { return op.sign(op.idHeader(), claims(drop("aud"))) }), "userinfo_sig"},
		{"signed_by_other_issuer", jwtAnswer(func(op *hostileOP) string {
			return op.sign(op.idHeader(), claims(set("iss", "https://other.example")))
		}), "userinfo_sig"},
		{"signed_about_another", jwtAnswer(func(op *hostileOP) string { return op.sign(op.idHeader(), claims(set("sub", "other"))) }), "userinfo_sub"},
		{"signed_junk", jwtAnswer(func(*hostileOP) string { return "junk" }), "userinfo_sig"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			tt.setup(op)
			id, tok, err := op.login(t, op.provider())
			if tt.reason == "ok" {
				if err != nil || id.Name != "Signed" {
					t.Errorf("got %q, %v, want the signed name", id.Name, err)
				}
				return
			}
			wantReason(t, err, tt.reason)
			if id.Subject != "" || tok.AccessToken != "" {
				t.Errorf("got %+v, %v beside the error", id, tok)
			}
			if op.count("/userinfo") != 1 || op.count("/steal") != 0 {
				t.Errorf("got %d userinfo requests and %d elsewhere, want 1 and 0", op.count("/userinfo"), op.count("/steal"))
			}
		})
	}
}

// TestOIDCEmail checks when an address counts as verified.
func TestOIDCEmail(t *testing.T) {
	const jane, eve = "jane@example.com", "eve@example.com"
	type m = map[string]any
	trusted := []provider.Option{provider.WithTrustedEmails()}
	tests := []struct {
		name        string
		token, user m
		change      func(*provider.OIDC)
		opts        []provider.Option
		email       string
		verified    bool
	}{
		{name: "nobody_says", token: m{"email": jane}, email: jane},
		{name: "id_token_says", token: m{"email": jane, "email_verified": true}, email: jane, verified: true},
		{name: "userinfo_says", user: m{"email": jane, "email_verified": true}, email: jane, verified: true},
		{name: "both_say", token: m{"email": jane, "email_verified": true}, user: m{"email": jane, "email_verified": true}, email: jane, verified: true},
		{name: "text_is_not_true", token: m{"email": jane, "email_verified": "true"}, email: jane},
		{name: "number_is_not_true", token: m{"email": jane, "email_verified": 1}, email: jane},
		{name: "id_token_denies", token: m{"email": jane, "email_verified": false}, user: m{"email": jane, "email_verified": true}, email: jane},
		{name: "userinfo_denies", token: m{"email": jane, "email_verified": true}, user: m{"email": jane, "email_verified": false}, email: jane},
		{name: "addresses_differ", token: m{"email": jane, "email_verified": true}, user: m{"email": eve, "email_verified": true}, email: jane},
		{name: "userinfo_says_of_another", token: m{"email": jane}, user: m{"email": eve, "email_verified": true}, email: jane},
		{name: "userinfo_says_of_none", token: m{"email": jane}, user: m{"email_verified": true}, email: jane},
		{name: "id_token_says_of_none", token: m{"email_verified": true}, user: m{"email": eve}, email: eve},
		{name: "id_token_denies_of_none", token: m{"email_verified": false}, user: m{"email": eve, "email_verified": true}, email: eve},
		{name: "userinfo_completes", token: m{"email": jane}, user: m{"email": jane, "email_verified": true}, email: jane, verified: true},
		{name: "text_agrees", token: m{"email": jane, "email_verified": "true"}, user: m{"email": jane, "email_verified": true},
			change: func(d *provider.OIDC) { d.Fields.EmailVerified = "claim_loose:email_verified" }, email: jane, verified: true},
		{name: "number_agrees", token: m{"email": jane, "email_verified": true}, user: m{"email": jane, "email_verified": 1}, email: jane, verified: true},
		{name: "number_denies", token: m{"email": jane, "email_verified": true}, user: m{"email": jane, "email_verified": 0}, email: jane},
		{name: "text_denies", token: m{"email": jane, "email_verified": true}, user: m{"email": jane, "email_verified": "false"}, email: jane},
		{name: "object_denies", token: m{"email": jane, "email_verified": true}, user: m{"email": jane, "email_verified": m{}}, email: jane},
		{name: "no_address", token: m{"email_verified": true}},
		{name: "object_address", token: m{"email": m{"a": 1}, "email_verified": true}, user: m{"email": m{"a": 1}}},
		{name: "malformed_address", token: m{"email": "jane", "email_verified": true}},
		{name: "other_field_without_rule", token: m{"mail": jane, "email": eve, "email_verified": true},
			change: func(d *provider.OIDC) { d.Fields.Email = "mail" }, email: jane},
		{name: "by_policy", token: m{"email": jane, "email_verified": true},
			change: func(d *provider.OIDC) { d.EmailByPolicy = true }, email: jane},
		{name: "by_policy_trusted", token: m{"email": jane, "email_verified": true},
			change: func(d *provider.OIDC) { d.EmailByPolicy = true }, opts: trusted, email: jane, verified: true},
		{name: "many_issuers", token: m{"email": jane, "email_verified": true},
			change: func(d *provider.OIDC) { d.AcceptIssuer = acceptAll }, opts: trusted, email: jane},
		{name: "many_issuers_with_rule", token: m{"email": jane, "edov": "1"},
			change: func(d *provider.OIDC) {
				d.AcceptIssuer, d.Fields.EmailVerified = acceptAll, "claim_loose:id_token:edov"
			}, email: jane, verified: true},
		{name: "many_issuers_and_hook", token: m{},
			change: func(d *provider.OIDC) {
				d.AcceptIssuer = acceptAll
				d.Profile = func(_ context.Context, _ *http.Client, _ provider.Token, id *provider.Identity) error {
					id.Email, id.EmailVerified = jane, true
					return nil
				}
			}, email: jane},
		{name: "hook_gives_address", token: m{},
			change: func(d *provider.OIDC) {
				d.EmailByPolicy = true
				d.Profile = func(_ context.Context, _ *http.Client, _ provider.Token, id *provider.Identity) error {
					id.Email, id.EmailVerified = jane, true
					return nil
				}
			}, email: jane},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			op.claims = func(c map[string]any) { maps.Copy(c, tt.token) }
			maps.Copy(op.user, tt.user)
			d := op.definition()
			if tt.change != nil {
				tt.change(&d)
			}
			p := d.New(opClient, opSecret, append(tt.opts, provider.WithHTTPClient(&http.Client{Transport: op}))...)
			id, _, err := op.login(t, p)
			if err != nil {
				t.Fatal(err)
			}
			if id.Email != tt.email || id.EmailVerified != tt.verified {
				t.Errorf("got %q, verified %v; want %q, %v", id.Email, id.EmailVerified, tt.email, tt.verified)
			}
		})
	}
}

// The ID token wins where userinfo says otherwise.
func TestOIDCIDTokenWins(t *testing.T) {
	op := newOP()
	op.claims = set("name", "From the ID token")
	op.user = map[string]any{"sub": opSubject, "name": "From userinfo", "locale": "fr", "auth_time": 1, "sid": "evil", "iss": "https://evil.example"}
	op.claims = func(c map[string]any) {
		c["name"] = "From the ID token"
		delete(c, "auth_time")
		delete(c, "sid")
	}
	id, _, err := op.login(t, op.provider())
	if err != nil {
		t.Fatal(err)
	}
	if id.Name != "From the ID token" || id.Locale != "fr" || !id.AuthTime.IsZero() || id.SID != "" || id.Issuer != opIssuer {
		t.Errorf("got %+v", id)
	}
}

// That an address is verified says nothing where there is none.
func TestOIDCVerifiedWithoutAnAddress(t *testing.T) {
	for _, address := range []any{nil, "jane@example.com"} {
		op := newOP()
		op.claims = func(c map[string]any) { c["email"], c["email_verified"] = address, true }
		id, _, err := op.login(t, op.provider(func(d *provider.OIDC) { d.NoUserInfo = true }))
		if err != nil {
			t.Fatal(err)
		}
		if kept := strings.Contains(string(id.Raw), "email_verified"); kept != (address != nil) {
			t.Errorf("%v: got %s", address, id.Raw)
		}
	}
}

func TestOIDCNoUserInfo(t *testing.T) {
	op := newOP()
	op.mustLogin(t, op.provider(func(d *provider.OIDC) { d.NoUserInfo = true }))
	if op.count("/userinfo") != 0 {
		t.Error("userinfo was asked")
	}
	op.metadata = drop("userinfo_endpoint")
	op.mustLogin(t, op.provider())
}

func TestOIDCSubjectFromAnotherClaim(t *testing.T) {
	for claim, want := range map[any]string{"abc": "abc", json.Number("9007199254740993"): "9007199254740993", "": "", nil: "", "a\nb": ""} {
		op := newOP()
		op.claims = set("uid", claim)
		id, _, err := op.login(t, op.provider(func(d *provider.OIDC) { d.Fields.Subject = "id_token:uid" }))
		if want == "" {
			wantReason(t, err, "profile_id")
		} else if err != nil || id.Subject != want {
			t.Errorf("got %q, %v, want %q", id.Subject, err, want)
		}
	}
}

func TestOIDCInactive(t *testing.T) {
	op := newOP()
	active := func(d *provider.OIDC) { d.Active = "state==active" }
	op.user["state"] = "blocked"
	_, _, err := op.login(t, op.provider(active))
	wantReason(t, err, "inactive")
	if !errors.Is(err, provider.ErrDenied) {
		t.Errorf("got %v, want one that wraps ErrDenied", err)
	}
	op.user["state"] = "active"
	op.mustLogin(t, op.provider(active))
}
