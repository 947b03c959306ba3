package provider_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

func TestOAuth2Login(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	req, to, q := begin(t, p, provider.Request{})
	verifier, _, _ := strings.Cut(to.Memo, " ")
	sum := sha256.Sum256([]byte(verifier))
	want := url.Values{
		"client_id": {svcID}, "redirect_uri": {svcBack}, "response_type": {"code"}, "scope": {"a"}, "state": {svcState},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("got %v, want %v", q, want)
	}
	if len(verifier) != 43 || strings.Contains(to.URL, verifier) {
		t.Errorf("the verifier has %d characters or stands in the URL", len(verifier))
	}
	id, tok, err := p.Complete(t.Context(), callback(t, req, to.Memo))
	if err != nil {
		t.Fatal(err)
	}
	raw := id.Raw
	id.Raw = nil
	if want := (provider.Identity{
		Provider: "svc", Issuer: s.URL, Subject: "9007199254740993", Email: "Ada@x.example", EmailVerified: true,
		Name: "Ada", Username: "ada", AvatarURL: "https://i.example/a",
	}); !reflect.DeepEqual(id, want) {
		t.Errorf("got %+v, want %+v", id, want)
	}
	var profile struct{ Verified bool }
	if err := json.Unmarshal(raw, &profile); err != nil || !profile.Verified {
		t.Errorf("got the profile %s, %v", raw, err)
	}
	if left := time.Until(tok.Expiry); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the token expires in %v, want an hour", left)
	}
	if tok.AccessToken != "at-canary" || tok.RefreshToken != "rt-canary" || !reflect.DeepEqual(tok.Scopes, []string{"a", "b"}) {
		t.Errorf("got %q %q %q", tok.AccessToken, tok.RefreshToken, tok.Scopes)
	}
	form := s.one(t, "/token").form
	wantForm := url.Values{
		"grant_type": {"authorization_code"}, "code": {svcCode}, "redirect_uri": {svcBack}, "code_verifier": {verifier},
		"client_id": {svcID}, "client_secret": {svcSecret},
	}
	if !reflect.DeepEqual(form, wantForm) {
		t.Errorf("got %v, want %v", form, wantForm)
	}
	h := s.one(t, "/token").header
	if h.Get("Accept") != "application/json" || !strings.HasPrefix(h.Get("User-Agent"), "gatepass") || h.Get("Authorization") != "" {
		t.Errorf("got headers %v", h)
	}
	if got := s.one(t, "/user").header.Get("Authorization"); got != "Bearer at-canary" {
		t.Errorf("got %q", got)
	}
}

func TestBeginExtras(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) {
		d.Params = url.Values{"owner": {"user"}, "lang": {"en"}}
		d.Info.Reauth, d.ReauthParams, d.LoginHintAs = true, url.Values{"prompt": {"login"}}, "login"
		d.ScopeSep, d.ClientIDAs, d.Fragment = ",", "client_key", "wechat_redirect"
		d.Endpoint.AuthURL += "?brand=1"
	}, provider.WithScopes("b", "a"), provider.WithParam("team", "T 1"), provider.WithParam("lang", "de"))
	_, to, q := begin(t, p, provider.Request{
		Scopes: []string{"c", "b"}, LoginHint: "ada", Reauth: true, Params: url.Values{"lang": {"fr"}, "prompt": {"none"}},
	})
	for name, want := range map[string]string{
		"owner": "user", "lang": "fr", "team": "T 1", "prompt": "login", "login": "ada", "scope": "a,b,c", "client_key": svcID, "brand": "1",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if q.Has("client_id") || !strings.HasSuffix(to.URL, "#wechat_redirect") || !strings.Contains(to.URL, "T%201") {
		t.Errorf("got %s", to.URL)
	}
	if len(to.Memo) > 1024 {
		t.Errorf("the memo has %d bytes", len(to.Memo))
	}
}

func TestAbsentScopesAreThoseAskedFor(t *testing.T) {
	s := newService(t)
	s.token = answer(200, `{"access_token":"at-canary","token_type":"bearer"}`)
	p := s.make(t, nil, provider.WithScopes("b"))
	req, to, _ := begin(t, p, provider.Request{Scopes: []string{"c"}})
	_, tok, err := p.Complete(t.Context(), callback(t, req, to.Memo))
	if err != nil || !reflect.DeepEqual(tok.Scopes, []string{"a", "b", "c"}) || !tok.Expiry.IsZero() || !tok.Valid() {
		t.Errorf("got %v, %v", tok, err)
	}
}

func TestBeginRefusesWhatCannotBeSent(t *testing.T) {
	p := newService(t).make(t, nil)
	for name, req := range map[string]provider.Request{
		"no state":         {CallbackURL: svcBack},
		"no callback":      {State: svcState},
		"too many scopes":  {State: svcState, CallbackURL: svcBack, Scopes: strings.Fields(strings.Repeat("x ", 5) + strings.Repeat("y", 1000))},
		"one scope is two": {State: svcState, CallbackURL: svcBack, Scopes: []string{"x admin"}},
	} {
		if _, err := p.Begin(t.Context(), req); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			rejected(t, err, "begin", "request_invalid")
		}
	}
}

func TestAppCannotSetParametersOfTheProtocol(t *testing.T) {
	s := newService(t)
	evil := url.Values{
		"state": {"evil"}, "redirect_uri": {"https://evil.example"}, "client_id": {"evil"}, "response_type": {"token"}, "nonce": {"evil"},
		"code_challenge": {"evil"}, "code_challenge_method": {"plain"}, "scope": {"admin"}, "response_mode": {"fragment"}, "request_uri": {"evil"},
	}
	_, _, q := begin(t, s.make(t, nil), provider.Request{Params: evil})
	for name, values := range evil {
		if q.Get(name) == values[0] {
			t.Errorf("%s of the request was sent", name)
		}
		if err := provider.Check(s.definition().New(svcID, svcSecret, provider.WithParam(name, "x"))); err == nil {
			t.Errorf("WithParam(%q) is no mistake", name)
		}
		d := s.definition()
		d.Params = url.Values{name: {"x"}}
		if err := provider.Check(d.New(svcID, svcSecret)); err == nil {
			t.Errorf("Params with %q is no mistake", name)
		}
	}
}

func TestVerifiersDiffer(t *testing.T) {
	p := newService(t).make(t, nil)
	seen := map[string]bool{}
	for range 1000 {
		_, to, q := begin(t, p, provider.Request{})
		if seen[to.Memo] || len(to.Memo) != 43 || q.Get("code_challenge_method") != "S256" {
			t.Fatalf("verifier %q is there twice or malformed", to.Memo)
		}
		seen[to.Memo] = true
	}
}

func TestServiceWithoutPKCE(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) { d.NoPKCE = true })
	req, to, q := begin(t, p, provider.Request{})
	if q.Has("code_challenge") || to.Memo != "" {
		t.Errorf("got %v, %q", q, to.Memo)
	}
	if _, _, err := p.Complete(t.Context(), callback(t, req, to.Memo)); err != nil {
		t.Error(err)
	}
	if s.one(t, "/token").form.Has("code_verifier") {
		t.Error("a verifier was sent")
	}
}

func TestBasicHeaderEncodesBothParts(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) { d.Endpoint.AuthStyle = oauth2.AuthStyleInHeader })
	if _, _, err := login(t, p); err != nil {
		t.Fatal(err)
	}
	got := s.one(t, "/token")
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(svcID)+":"+url.QueryEscape(svcSecret)))
	if got.header.Get("Authorization") != want || got.form.Has("client_secret") || got.form.Has("client_id") {
		t.Errorf("got %q and %v", got.header.Get("Authorization"), got.form)
	}
}

func TestPublicClientSendsNoSecret(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) { d.PublicClient, d.Endpoint.AuthStyle = true, oauth2.AuthStyleInHeader })
	if _, _, err := login(t, p); err != nil {
		t.Fatal(err)
	}
	got := s.one(t, "/token")
	if got.form.Has("client_secret") || got.header.Get("Authorization") != "" || got.form.Get("client_id") != svcID {
		t.Errorf("got %v", got)
	}
}

func TestIssuerIsNotTheID(t *testing.T) {
	s := newService(t)
	id, _, err := login(t, s.make(t, nil, provider.WithID("other"), provider.WithName("Other")))
	if err != nil || id.Issuer != s.URL || id.Provider != "other" {
		t.Errorf("got %q %q, %v", id.Issuer, id.Provider, err)
	}
	id, _, err = login(t, s.make(t, func(d *provider.OAuth2) { d.Issuer = "https://issuer.example" }))
	if err != nil || id.Issuer != "https://issuer.example" {
		t.Errorf("got %q, %v", id.Issuer, err)
	}
}

func TestProfileAndExchangeFunctions(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) {
		d.Exchange = func(_ context.Context, _ *http.Client, form url.Values) (provider.Token, error) {
			if form.Get("grant_type") == "authorization_code" && form.Get("code") != svcCode || form.Get("client_secret") != svcSecret {
				return provider.Token{}, errors.New("bad form")
			}
			return provider.Token{AccessToken: "at-canary"}, nil
		}
		d.Profile = func(ctx context.Context, c *http.Client, tok provider.Token) (provider.Identity, error) {
			res, err := c.Get(s.URL + "/user")
			if err != nil {
				return provider.Identity{}, err
			}
			defer res.Body.Close()
			return provider.Identity{
				Provider: "google", Issuer: "https://evil.example", Subject: "7", Email: "not an address", EmailVerified: true, AvatarURL: "javascript:x",
			}, nil
		}
	})
	id, tok, err := login(t, p)
	if want := (provider.Identity{Provider: "svc", Issuer: s.URL, Subject: "7"}); err != nil || !reflect.DeepEqual(id, want) {
		t.Errorf("got %+v, %v", id, err)
	}
	if tok.AccessToken != "at-canary" || len(s.asked("/token")) != 0 || s.one(t, "/user").header.Get("Authorization") != "Bearer at-canary" {
		t.Errorf("got %v", s.seen)
	}
	if next, err := provider.Refresh(t.Context(), p, provider.Token{RefreshToken: "rt"}); err != nil || next.RefreshToken != "rt" {
		t.Errorf("got %v, %v", next, err)
	}
}

func TestErrorsOfFunctionsAreCleaned(t *testing.T) {
	s := newService(t)
	for _, broken := range []error{
		&url.Error{Op: "Get", URL: "https://x.example/?token=at-canary", Err: errors.New("body at-canary")},
		&oauth2.RetrieveError{Response: &http.Response{}, Body: []byte("at-canary"), ErrorCode: "oops"},
	} {
		_, _, err := login(t, s.make(t, func(d *provider.OAuth2) {
			d.Profile = func(context.Context, *http.Client, provider.Token) (provider.Identity, error) {
				return provider.Identity{}, broken
			}
		}))
		rejectedAny(t, err)
		_, _, err = login(t, s.make(t, func(d *provider.OAuth2) {
			d.Exchange = func(context.Context, *http.Client, url.Values) (provider.Token, error) {
				return provider.Token{}, broken
			}
		}))
		rejectedAny(t, err)
	}
}

func TestInfoCannotBeChanged(t *testing.T) {
	p := newService(t).make(t, nil, provider.WithFormerID("old"))
	a := p.Info()
	a.FormerIDs[0], a.Hosts[0] = "evil", "evil"
	if b := p.Info(); b.FormerIDs[0] != "old" || b.Hosts[0] == "evil" {
		t.Errorf("got %+v", b)
	}
}

func TestRawKeepsTheProfileAsSent(t *testing.T) {
	s := newService(t)
	body := `{ "id": 12345678901234567890123, "odd":  1.50 }`
	s.user = answer(200, body)
	id, _, err := login(t, s.make(t, nil))
	if err != nil || !bytes.Equal(id.Raw, []byte(body)) || id.Subject != "12345678901234567890123" {
		t.Errorf("got %q %s, %v", id.Subject, id.Raw, err)
	}
}
