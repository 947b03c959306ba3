package provider_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepass/gatepass/provider"
)

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
