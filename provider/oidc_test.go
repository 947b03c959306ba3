package provider_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepass/gatepass/provider"
)

func acceptAll(string, json.RawMessage) bool { return true }

func TestOIDCLogin(t *testing.T) {
	op := newOP()
	op.user = map[string]any{
		"sub": opSubject, "name": "Jane Doe", "preferred_username": "jane", "email": "jane@example.com", "email_verified": true,
		"picture": "https://img.example/j.png", "profile": "https://op.example/jane", "locale": "de", "big": json.Number("9007199254740993"),
		"exp": 1, "aud": "x", "acr": "urn:strong",
	}
	p := op.provider()
	req, to := op.begin(t, p, provider.Request{})
	id, tok, err := op.complete(t, p, req, to.Memo)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]json.RawMessage
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if got := string(claims["big"]); got != "9007199254740993" {
		t.Errorf("got %s in Raw, want every digit", got)
	}
	if string(claims["aud"]) != `"`+opClient+`"` || claims["acr"] != nil {
		t.Errorf("got %s and %s, want what the ID token says, and nothing of userinfo's", claims["aud"], claims["acr"])
	}
	id.Raw = nil
	want := provider.Identity{
		Provider: "op", Issuer: opIssuer, Subject: opSubject, Email: "jane@example.com", EmailVerified: true,
		Name: "Jane Doe", Username: "jane", AvatarURL: "https://img.example/j.png", ProfileURL: "https://op.example/jane", Locale: "de",
		AuthTime: op.clock.Now().Add(-30 * time.Second), SID: "session-1",
	}
	if !id.AuthTime.Equal(want.AuthTime) {
		t.Errorf("got AuthTime %v, want %v", id.AuthTime, want.AuthTime)
	}
	id.AuthTime = want.AuthTime
	if !equalIdentity(id, want) {
		t.Errorf("got %+v, want %+v", id, want)
	}
	if tok.AccessToken != "at-1" || tok.RefreshToken != "rt-1" || tok.IDToken != op.lastToken || tok.Expiry.IsZero() {
		t.Errorf("got %#v, want the service's tokens", tok)
	}
	if got, want := tok.Scopes, []string{"openid", "profile", "email"}; !slices.Equal(got, want) {
		t.Errorf("got scopes %q, want those asked for: %q", got, want)
	}
	form := op.lastForm
	if form.Get("code") != "code-1" || form.Get("redirect_uri") != req.CallbackURL || form.Get("grant_type") != "authorization_code" {
		t.Errorf("got token request %v", form)
	}
}

func equalIdentity(a, b provider.Identity) bool {
	a.Raw, b.Raw = nil, nil
	return a.Provider == b.Provider && a.Issuer == b.Issuer && a.Subject == b.Subject && a.Email == b.Email &&
		a.EmailVerified == b.EmailVerified && a.Name == b.Name && a.Username == b.Username && a.AvatarURL == b.AvatarURL &&
		a.ProfileURL == b.ProfileURL && a.Locale == b.Locale && a.AuthTime.Equal(b.AuthTime) && a.SID == b.SID
}

func TestOIDCBegin(t *testing.T) {
	op := newOP()
	p := op.provider(func(d *provider.OIDC) {
		d.PostsBack = true
		d.Params = url.Values{"access_type": {"offline"}}
	})
	if i := p.Info(); !i.Reauth || !i.PostsBack {
		t.Errorf("got %+v, want Reauth and PostsBack", i)
	}
	seen := map[string]bool{}
	for range 100 {
		req, to := op.begin(t, p, provider.Request{
			Scopes: []string{"calendar", "openid"}, LoginHint: "jane@example.com", Reauth: true,
			Params: url.Values{
				"hd": {"example.com"}, "state": {"evil"}, "nonce": {"evil"}, "redirect_uri": {"https://evil.example"},
				"response_type": {"token"}, "client_id": {"evil"}, "scope": {"evil"}, "code_challenge": {"evil"},
				"code_challenge_method": {"plain"}, "response_mode": {"query"}, "request_uri": {"https://evil.example/r"},
			},
		})
		u, err := url.Parse(to.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		verifier, nonce := memoParts(t, to.Memo)
		sum := sha256.Sum256([]byte(verifier))
		want := url.Values{
			"response_type": {"code"}, "client_id": {opClient}, "redirect_uri": {req.CallbackURL}, "state": {req.State},
			"scope": {"openid profile email calendar"}, "nonce": {nonce}, "code_challenge": {b64(sum[:])},
			"code_challenge_method": {"S256"}, "response_mode": {"form_post"}, "login_hint": {"jane@example.com"},
			"prompt": {"login"}, "max_age": {"0"}, "access_type": {"offline"}, "hd": {"example.com"},
		}
		if q.Encode() != want.Encode() {
			t.Fatalf("got %v\nwant %v", q, want)
		}
		for _, secret := range []string{verifier, nonce} {
			if len(secret) < 43 || seen[secret] {
				t.Fatalf("%q is short or came before", secret)
			}
			seen[secret] = true
		}
		if strings.Contains(to.URL, verifier) {
			t.Fatal("the verifier is in the URL")
		}
		if len(to.Memo) > 1024 {
			t.Errorf("got a memo of %d bytes, want at most 1024", len(to.Memo))
		}
	}
	_, to := op.begin(t, op.provider(), provider.Request{})
	for _, name := range []string{"prompt", "max_age", "login_hint", "response_mode"} {
		if strings.Contains(to.URL, name+"=") {
			t.Errorf("got %s in %s unasked", name, to.URL)
		}
	}
	_, err := p.Begin(t.Context(), provider.Request{State: "s", CallbackURL: "https://app.example/cb", Scopes: []string{strings.Repeat("x", 1000)}})
	wantReason(t, err, "request_invalid")
}

// A service that cannot ask again is not asked to.
func TestOIDCNoReauth(t *testing.T) {
	op := newOP()
	p := op.provider(func(d *provider.OIDC) { d.NoReauth = true })
	if p.Info().Reauth {
		t.Error("got Info.Reauth, want none")
	}
	_, to := op.begin(t, p, provider.Request{Reauth: true})
	if strings.Contains(to.URL, "prompt=") || strings.Contains(to.URL, "max_age=") {
		t.Errorf("got %s, want neither prompt nor max_age", to.URL)
	}
}

func memoParts(t *testing.T, memo string) (verifier, nonce string) {
	t.Helper()
	memo, _, _ = strings.Cut(memo, " ")
	parts := strings.Split(memo, ".")
	if len(parts) != 3 {
		t.Fatalf("got memo %q, want three parts", memo)
	}
	return parts[1], parts[2]
}

// The scopes of one login are granted if the answer names none.
func TestOIDCScopesOfTheRequest(t *testing.T) {
	op := newOP()
	p := op.provider()
	req, to := op.begin(t, p, provider.Request{Scopes: []string{"https://api.example/auth/x.read"}})
	_, tok, err := op.complete(t, p, req, to.Memo)
	if want := []string{"openid", "profile", "email", "https://api.example/auth/x.read"}; err != nil || !slices.Equal(tok.Scopes, want) {
		t.Errorf("got %q, %v, want %q", tok.Scopes, err, want)
	}
	op.answer = set("scope", "openid email")
	req, to = op.begin(t, p, provider.Request{})
	_, tok, err = op.complete(t, p, req, to.Memo)
	if want := []string{"openid", "email"}; err != nil || !slices.Equal(tok.Scopes, want) {
		t.Errorf("got %q, %v, want %q", tok.Scopes, err, want)
	}
}

// A memo that lacks the nonce or the verifier is never a reason to skip a check.
func TestOIDCMemoLost(t *testing.T) {
	op := newOP()
	p := op.provider()
	req, to := op.begin(t, p, provider.Request{})
	verifier, nonce := memoParts(t, to.Memo)
	for _, memo := range []string{"", "1", "1..", "1." + verifier + ".", "1.." + nonce, verifier, "0." + verifier + "." + nonce, to.Memo + ".x"} {
		_, _, err := op.complete(t, p, req, memo)
		wantReason(t, err, "memo_invalid")
		if !errors.Is(err, provider.ErrState) {
			t.Errorf("got %v, want one that wraps ErrState", err)
		}
	}
	if op.count("/token") != 0 {
		t.Error("the code was sent without a verifier or a nonce to compare")
	}
	_, _, err := op.complete(t, p, req, "1."+verifier+"x."+nonce)
	wantReason(t, err, "exchange_failed")
	_, _, err = op.complete(t, p, req, "1."+verifier+"."+nonce+"x")
	wantReason(t, err, "nonce_mismatch")
}

// TestOIDCCallback checks callbacks from which no code must be sent.
func TestOIDCCallback(t *testing.T) {
	advertised := func(op *hostileOP) { op.metadata = set("authorization_response_iss_parameter_supported", true) }
	tests := []struct {
		name   string
		setup  func(op *hostileOP)
		params []string
		reason string
		is     error
	}{
		{"iss_of_another", nil, []string{"code", "code-1", "iss", "https://evil.example"}, "iss_mismatch", nil},
		{"iss_of_another_advertised", advertised, []string{"code", "code-1", "iss", "https://evil.example"}, "iss_mismatch", nil},
		{"iss_with_slash", nil, []string{"code", "code-1", "iss", opIssuer + "/"}, "iss_mismatch", nil},
		{"iss_empty", nil, []string{"code", "code-1", "iss", ""}, "iss_mismatch", nil},
		{"iss_removed", advertised, []string{"code", "code-1"}, "iss_missing", nil},
		{"error_with_iss_of_another", nil, []string{"error", "access_denied", "iss", "https://evil.example"}, "iss_mismatch", nil},
		{"error_without_iss", advertised, []string{"error", "access_denied"}, "iss_missing", nil},
		{"denied", nil, []string{"error", "access_denied", "error_description", "at-1"}, "denied", provider.ErrDenied},
		{"denied_with_code", nil, []string{"error", "access_denied", "code", "code-1"}, "denied", provider.ErrDenied},
		{"error", nil, []string{"error", "login_required"}, "provider_error", nil},
		{"no_code", nil, []string{"x", "y"}, "code_missing", nil},
		{"id_token_in_callback", nil, []string{"code", "code-1", "id_token", "a.b.c"}, "unexpected_response", nil},
		{"access_token_in_callback", nil, []string{"code", "code-1", "access_token", "x"}, "unexpected_response", nil},
		{"jarm", nil, []string{"response", "a.b.c"}, "unexpected_response", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			if tt.setup != nil {
				tt.setup(op)
			}
			_, _, err := op.login(t, op.provider(), tt.params...)
			wantReason(t, err, tt.reason)
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want one that wraps %v", err, tt.is)
			}
			if got := op.count("/token"); got != 0 {
				t.Errorf("got %d token requests, want none", got)
			}
		})
	}
	op := newOP()
	advertised(op)
	if _, _, err := op.login(t, op.provider(), "code", "code-1", "iss", opIssuer); err != nil {
		t.Errorf("the right iss: %v", err)
	}
}

// What the callback says cannot change what is sent for its code.
func TestOIDCCallbackCannotChangeTheExchange(t *testing.T) {
	op := newOP()
	_, _, err := op.login(t, op.provider(), "code", "code-1", "code_verifier", "evil", "redirect_uri", "https://evil.example", "client_id", "evil")
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range op.lastForm {
		if len(values) != 1 || strings.Contains(values[0], "evil") {
			t.Errorf("got %s=%q in the token request", name, values)
		}
	}
}

// A code of another login, put into one's own callback, fails at the service
// since the verifier does not fit.
func TestOIDCStolenCode(t *testing.T) {
	op := newOP()
	p := op.provider()
	req, mine := op.begin(t, p, provider.Request{})
	op.begin(t, p, provider.Request{}) // the victim's, which the service now expects
	_, _, err := op.complete(t, p, req, mine.Memo)
	wantReason(t, err, "exchange_failed")
	if op.count("/token") != 1 || op.count("/userinfo") != 0 {
		t.Errorf("got %d token and %d userinfo requests", op.count("/token"), op.count("/userinfo"))
	}
}

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

func TestOIDCNoUserInfo(t *testing.T) {
	op := newOP()
	op.mustLogin(t, op.provider(func(d *provider.OIDC) { d.NoUserInfo = true }))
	if op.count("/userinfo") != 0 {
		t.Error("userinfo was asked")
	}
	op.metadata = drop("userinfo_endpoint")
	op.mustLogin(t, op.provider())
}

const tenants = "https://login.example/{tenantid}/v2.0"

func tenant(id string) string { return strings.Replace(tenants, "{tenantid}", id, 1) }

// A tenantOP is a server with an issuer for each tenant, as Microsoft's is.
func tenantOP(iss string) (*hostileOP, func(d *provider.OIDC)) {
	op := newOP()
	op.issuer = "https://login.example/common/v2.0"
	op.metadata = set("issuer", tenants)
	op.claims = func(c map[string]any) { c["iss"], c["tid"], c["oid"] = iss, "t1", "o1" }
	return op, func(d *provider.OIDC) {
		d.MetadataIssuer = tenants
		d.AcceptIssuer = func(iss string, claims json.RawMessage) bool {
			var c struct {
				TID string `json:"tid"`
			}
			return json.Unmarshal(claims, &c) == nil && c.TID != "" && iss == tenant(c.TID)
		}
	}
}

func TestOIDCIssuerPerTenant(t *testing.T) {
	op, many := tenantOP(tenant("t1"))
	id, _, err := op.login(t, op.provider(many))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(tenant("t1")))
	if want := b64(sum[:12]) + "." + opSubject; id.Subject != want || id.Issuer != tenant("t1") {
		t.Errorf("got %q of %q, want %q of %q", id.Subject, id.Issuer, want, tenant("t1"))
	}

	// The same sub in another tenant is another person.
	op.claims = func(c map[string]any) { c["iss"], c["tid"] = tenant("t2"), "t2" }
	other, _, err := op.login(t, op.provider(many))
	if err != nil || other.Subject == id.Subject {
		t.Errorf("got %q for both tenants (%v)", other.Subject, err)
	}

	// A subject made of other claims is used as it is.
	op, many = tenantOP(tenant("t1"))
	id, _, err = op.login(t, op.provider(many, func(d *provider.OIDC) { d.Fields.Subject = "id_token:tid&id_token:oid" }))
	if err != nil || id.Subject != "t1/o1" {
		t.Errorf("got %q, %v, want t1/o1", id.Subject, err)
	}

	// The issuer of another tenant than the token's own.
	op, many = tenantOP(tenant("t2"))
	_, _, err = op.login(t, op.provider(many))
	wantReason(t, err, "id_token_iss")
	if op.count("/userinfo") != 0 {
		t.Error("userinfo was asked although the issuer was not accepted")
	}
}

// The iss of a callback may be any tenant's, but must be the ID token's.
func TestOIDCIssuerPerTenantInCallback(t *testing.T) {
	for iss, reason := range map[string]string{
		tenant("t1"):                           "",
		tenants:                                "",
		"https://login.example/common/v2.0":    "",
		tenant("t2"):                           "iss_mismatch",
		tenant("t1/x"):                         "iss_mismatch",
		tenant(""):                             "iss_mismatch",
		tenant("t1") + "/":                     "iss_mismatch",
		"https://evil.example/t1/v2.0":         "iss_mismatch",
		"https://login.example.evil/t1/v2.0":   "iss_mismatch",
		"https://login.example/t1?x=/v2.0":     "iss_mismatch",
		"https://login.example/@evil.com/v2.0": "iss_mismatch",
	} {
		op, many := tenantOP(tenant("t1"))
		_, _, err := op.login(t, op.provider(many), "code", "code-1", "iss", iss)
		if reason == "" && err != nil {
			t.Errorf("%s: %v", iss, err)
		}
		if reason == "" {
			continue
		}
		wantReason(t, err, reason)
		exchanged := 0
		if iss == tenant("t2") {
			exchanged = 1 // that it is not the ID token's shows only then
		}
		if got := op.count("/token"); got != exchanged || op.count("/userinfo") != 0 {
			t.Errorf("%s: got %d token requests, want %d", iss, got, exchanged)
		}
	}
}

// A template in MetadataIssuer opens nothing without AcceptIssuer.
func TestOIDCTemplateWithoutAcceptIssuer(t *testing.T) {
	op, many := tenantOP(tenant("t1"))
	_, _, err := op.login(t, op.provider(many, func(d *provider.OIDC) { d.AcceptIssuer = nil }), "code", "code-1", "iss", tenant("t1"))
	wantReason(t, err, "iss_mismatch")
}

// AcceptIssuer is not asked about a token that nobody signed.
func TestAcceptIssuerSeesOnlySignedTokens(t *testing.T) {
	op := newOP()
	asked := false
	accept := func(d *provider.OIDC) {
		d.AcceptIssuer = func(string, json.RawMessage) bool { asked = true; return true }
	}
	p := op.provider(accept)
	op.rawToken = resign("RS256", otherRSA(), nil)
	_, _, err := op.login(t, p)
	wantReason(t, err, "id_token_sig")
	forged := resign("RS256", otherRSA(), map[string]any{"typ": "logout+jwt"})(op.logoutToken(nil, nil)).(string)
	_, err = provider.VerifyLogout(t.Context(), p, forged)
	wantReason(t, err, "logout_token_sig")
	if asked {
		t.Error("AcceptIssuer was asked about a forged token")
	}
}

func TestOIDCProfileHook(t *testing.T) {
	op := newOP()
	op.intercept["/me"] = func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string]string{"auth": r.Header.Get("Authorization")})
	}
	hook := func(err error) func(d *provider.OIDC) {
		return func(d *provider.OIDC) {
			d.Profile = func(ctx context.Context, c *http.Client, tok provider.Token, id *provider.Identity) error {
				req, rerr := http.NewRequestWithContext(ctx, "GET", opIssuer+"/me", nil)
				if rerr != nil {
					return rerr
				}
				res, rerr := c.Do(req)
				if rerr != nil {
					return rerr
				}
				defer res.Body.Close()
				var me struct{ Auth string }
				if rerr := json.NewDecoder(res.Body).Decode(&me); rerr != nil {
					return rerr
				}
				id.Name = me.Auth
				id.Subject, id.Issuer, id.Provider, id.SID, id.AuthTime = "evil", "evil", "evil", "evil", time.Now()
				return err
			}
		}
	}
	id, _, err := op.login(t, op.provider(hook(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if id.Name != "Bearer at-1" || id.Subject != opSubject || id.Issuer != opIssuer || id.Provider != "op" || id.SID != "session-1" {
		t.Errorf("got %+v, want the name from the hook and nothing else", id)
	}
	_, _, err = op.login(t, op.provider(hook(errors.New("no team"))))
	wantReason(t, err, "profile_invalid")
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

func TestOIDCCheck(t *testing.T) {
	op := newOP()
	if err := provider.Check(op.provider()); err != nil {
		t.Errorf("a good definition: %v", err)
	}
	tests := map[string]struct {
		change func(d *provider.OIDC)
		opts   []provider.Option
		want   string
	}{
		"no_issuer":            {func(d *provider.OIDC) { d.Issuer = "" }, nil, "Issuer"},
		"http_issuer":          {func(d *provider.OIDC) { d.Issuer = "http://op.example" }, nil, "Issuer"},
		"issuer_with_query":    {func(d *provider.OIDC) { d.Issuer += "?x=1" }, nil, "Issuer"},
		"issuer_with_mark":     {func(d *provider.OIDC) { d.Issuer += "?" }, nil, "Issuer"},
		"issuer_with_fragment": {func(d *provider.OIDC) { d.Issuer += "#x" }, nil, "Issuer"},
		"issuer_with_user":     {func(d *provider.OIDC) { d.Issuer = "https://u:p@op.example" }, nil, "Issuer"},
		"issuer_template":      {func(d *provider.OIDC) { d.Issuer = "https://op.example/{tenant}" }, nil, "Issuer"},
		"http_keys":            {func(d *provider.OIDC) { d.KeysURL = "http://op.example/keys" }, nil, "KeysURL"},
		"http_discovery":       {func(d *provider.OIDC) { d.Discovery = "http://op.example/" }, nil, "Discovery"},
		"alg_none":             {func(d *provider.OIDC) { d.Algs = []string{"none"} }, nil, "Algs"},
		"alg_hs256":            {func(d *provider.OIDC) { d.Algs = []string{"RS256", "HS256"} }, nil, "Algs"},
		"no_pkce_and_no_nonce": {func(d *provider.OIDC) { d.NoPKCE, d.InsecureNoNonce = true, true }, nil, "InsecureNoNonce"},
		"empty_audience":       {func(d *provider.OIDC) { d.Audiences = []string{""} }, nil, "Audiences"},
		"empty_alternative":    {func(d *provider.OIDC) { d.Issuers = []string{""} }, nil, "Issuers"},
		"no_userinfo_and_url":  {func(d *provider.OIDC) { d.NoUserInfo, d.UserURL = true, opIssuer+"/u" }, nil, "NoUserInfo"},
		"bad_path":             {func(d *provider.OIDC) { d.Fields.Name = "a..b" }, nil, "Fields.Name"},
		"subject_alternatives": {func(d *provider.OIDC) { d.Fields.Subject = "oid|sub" }, nil, "Fields.Subject"},
		"bad_active":           {func(d *provider.OIDC) { d.Active = "a..b" }, nil, "condition"},
		"reserved_param":       {func(d *provider.OIDC) { d.Params = url.Values{"nonce": {"x"}} }, nil, "nonce"},
		"reserved_option":      {nil, []provider.Option{provider.WithParam("state", "x")}, "state"},
		"no_id":                {func(d *provider.OIDC) { d.Info.ID = "" }, nil, "Info.ID"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := op.definition()
			if tt.change != nil {
				tt.change(&d)
			}
			err := provider.Check(d.New(opClient, opSecret, tt.opts...))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a mistake that names %s", err, tt.want)
			}
		})
	}
	d := op.definition()
	err := provider.Check(d.New("", ""))
	if err == nil || !strings.Contains(err.Error(), "client ID") || !strings.Contains(err.Error(), "client secret") {
		t.Errorf("got %v, want both named", err)
	}
	d.PublicClient = true
	if err := provider.Check(d.New(opClient, "")); err != nil {
		t.Errorf("a public client without a secret: %v", err)
	}
	if op.count(wellKnown) != 0 {
		t.Error("Check made a request")
	}
}

// An audience of "" must not fit a client ID that someone forgot.
func TestOIDCEmptyClientID(t *testing.T) {
	op := newOP()
	op.claims = set("aud", "")
	_, _, err := op.login(t, op.definition().New("", opSecret, provider.WithHTTPClient(&http.Client{Transport: op})))
	wantReason(t, err, "id_token_aud")
}

// A service that accepts a connection and never answers ends each step after
// ten seconds at most, leaves no goroutine behind, and is said to be down.
func TestOIDCHungService(t *testing.T) {
	for path, reason := range map[string]string{
		wellKnown: "discovery_unavailable", "/token": "provider_timeout", "/jwks": "jwks_unavailable", "/userinfo": "provider_timeout",
	} {
		t.Run(strings.Trim(path, "/"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := newOP()
				p := op.provider()
				req, to := provider.Request{}, provider.Redirect{}
				if path != wellKnown {
					req, to = op.begin(t, p, req)
				}
				op.intercept[path] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
				start := time.Now()
				var err error
				if path == wellKnown {
					err = op.beginErr(t, p)
				} else {
					_, _, err = op.complete(t, p, req, to.Memo)
				}
				wantReason(t, err, reason)
				if !isUnavailable(err) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want one that wraps ErrUnavailable and DeadlineExceeded", err)
				}
				if d := time.Since(start); d > 10*time.Second {
					t.Errorf("it took %v", d)
				}
				synctest.Wait()
			})
		})
	}
}

// What one caller does to the answer of Info does not reach another.
func TestOIDCInfoIsACopy(t *testing.T) {
	p := newOP().provider(func(d *provider.OIDC) { d.Info.Hosts = []string{"a.example"} })
	p.Info().Hosts[0] = "evil.example"
	if got := p.Info().Hosts[0]; got != "a.example" {
		t.Errorf("got %q, want a.example", got)
	}
}
