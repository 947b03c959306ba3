package gologin_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	login2 "github.com/dghubble/gologin/v2/oauth2"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/gologin"
	"github.com/gatepass/gatepass/provider/providertest"
	"golang.org/x/oauth2"
)

func TestLoginOAuth2(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New()
	if err := provider.Check(p); err != nil {
		t.Fatal(err)
	}
	id, tok, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	if err != nil {
		t.Fatal(err)
	}
	if id.Provider != "house" || id.Issuer != srv.URL || id.Subject != "100200300" || id.Email != "tove@example.test" || !id.EmailVerified {
		t.Errorf("got identity %+v", id)
	}
	if tok.AccessToken == "" || tok.RefreshToken == "" || tok.Expiry.IsZero() || strings.Join(tok.Scopes, " ") != "profile email" {
		t.Errorf("got %v", tok)
	}
}

// Nothing of what gologin keeps in the browser is asked for, or sent there.
func TestChainRunsWithoutTheBrowser(t *testing.T) {
	srv := providertest.NewServer(t)
	d := house(srv)
	chain := d.Callback
	var cookies int
	var query url.Values
	d.Callback = func(config *oauth2.Config, success, failure http.Handler) http.Handler {
		next := chain(config, success, failure)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cookies, query = len(r.Cookies()), r.URL.Query()
			http.SetCookie(w, &http.Cookie{Name: "unwanted", Value: "1"})
			next.ServeHTTP(w, r)
			http.Error(w, "unwanted", http.StatusTeapot)
		})
	}
	p := d.New()
	b := begin(t, srv, p, "state-1")
	if _, _, err := p.Complete(t.Context(), b.callback(t)); err != nil {
		t.Fatal(err)
	}
	if cookies != 0 || query.Get("code") != b.back.Get("code") {
		t.Errorf("chain saw %d cookies and the query %v", cookies, query)
	}
}

// tokenForm returns the form of each token request from now on.
func tokenForms(srv *providertest.Server) *[]url.Values {
	forms := new([]url.Values)
	srv.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/oauth2/token" {
			var body bytes.Buffer
			body.ReadFrom(r.Body)
			r.Body = http.NoBody
			form, _ := url.ParseQuery(body.String())
			*forms = append(*forms, form)
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return true
		}
		return false
	}
	return forms
}

func TestVerifierIsSent(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New()
	b := begin(t, srv, p, "state-1")
	forms := tokenForms(srv)
	_, _, err := p.Complete(t.Context(), b.callback(t))
	wantError(t, err, "exchange", "exchange_failed")
	if len(*forms) != 1 {
		t.Fatalf("got %d token requests, want 1", len(*forms))
	}
	form := (*forms)[0]
	verifier, _, _ := strings.Cut(b.memo, " ")
	if len(verifier) < 43 || form.Get("code_verifier") != verifier {
		t.Errorf("got code_verifier %q, want the one of Begin", form.Get("code_verifier"))
	}
	if form.Get("redirect_uri") != callbackURL || form.Get("client_secret") != providertest.ClientSecret {
		t.Errorf("got form %v", form)
	}
}

// The person's browser brings back the code of a login that someone else began:
// its verifier does not fit.
func TestCodeOfAnotherLogin(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New()
	mine, theirs := begin(t, srv, p, "state-mine"), begin(t, srv, p, "state-theirs")
	mine.back.Set("code", theirs.back.Get("code"))
	_, _, err := p.Complete(t.Context(), mine.callback(t))
	if e := wantError(t, err, "exchange", "exchange_failed"); e.Code != "invalid_grant" {
		t.Errorf("got code %q, want invalid_grant", e.Code)
	}
	if n := srv.Requests("userinfo"); n != 0 {
		t.Errorf("got %d requests for a profile, want 0", n)
	}
}

// A chain that exchanges the code by itself has no verifier, so that the
// service refuses; and where it would not, we do.
func TestChainThatGoesItsOwnWay(t *testing.T) {
	for _, noPKCE := range []bool{false, true} {
		srv := providertest.NewServer(t)
		d := house(srv)
		d.NoPKCE = noPKCE
		chain := d.Callback
		d.Callback = func(config *oauth2.Config, success, failure http.Handler) http.Handler {
			next := chain(config, success, failure)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), oauth2.HTTPClient, srv.Client())))
			})
		}
		p := d.New()
		id, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
		if err == nil {
			t.Fatalf("NoPKCE %v: got %+v, want an error", noPKCE, id)
		}
		if noPKCE {
			wantError(t, err, "exchange", "config")
		}
	}
}

func TestCodeIsExchangedOnce(t *testing.T) {
	srv := providertest.NewServer(t)
	d := house(srv)
	chain := d.Callback
	d.Callback = func(config *oauth2.Config, success, failure http.Handler) http.Handler {
		// The service refuses the first request, and the chain tries again.
		return chain(config, success, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			chain(config, success, failure).ServeHTTP(w, r)
		}))
	}
	p := d.New()
	b := begin(t, srv, p, "state-1")
	srv.Fail("token", http.StatusInternalServerError)
	_, _, err := p.Complete(t.Context(), b.callback(t))
	if err == nil || srv.Requests("token") != 1 {
		t.Errorf("got %d token requests and error %v, want 1 and an error", srv.Requests("token"), err)
	}
}

func TestStateIsUsedOnce(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New()
	cb := begin(t, srv, p, "state-1").callback(t)
	if _, _, err := p.Complete(t.Context(), cb); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Complete(t.Context(), cb); err == nil {
		t.Error("the same callback logged in twice")
	}
	if _, _, err := p.Complete(t.Context(), provider.Callback{}); err == nil {
		t.Error("a Callback that NewCallback did not make logged in")
	}
}

func TestCallbacksThatAreRefusedUnasked(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(b *begun)
		reason string
		is     error
	}{
		{"denied", func(b *begun) { b.back.Set("error", "access_denied") }, "denied", provider.ErrDenied},
		{"another error", func(b *begun) { b.back.Set("error", "invalid_scope") }, "provider_error", nil},
		{"down", func(b *begun) { b.back.Set("error", "temporarily_unavailable") }, "provider_unavailable", provider.ErrUnavailable},
		{"no code", func(b *begun) { b.back.Del("code") }, "code_missing", nil},
		{"another service", func(b *begun) { b.back.Set("iss", "https://evil.example") }, "iss_mismatch", nil},
		{"a token", func(b *begun) { b.back.Set("access_token", "at") }, "unexpected_response", nil},
		{"no memo", func(b *begun) { b.memo = "" }, "memo_invalid", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := providertest.NewServer(t)
			p := house(srv).New()
			b := begin(t, srv, p, "state-1")
			test.change(&b)
			_, _, err := p.Complete(t.Context(), b.callback(t))
			wantError(t, err, "exchange", test.reason)
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if n := srv.Requests("token"); n != 0 {
				t.Errorf("got %d token requests, want 0", n)
			}
		})
	}
}

func TestRefreshOAuth2(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New()
	_, tok, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := provider.Refresh(t.Context(), p, tok)
	if err != nil {
		t.Fatal(err)
	}
	if renewed.AccessToken == "" || renewed.AccessToken == tok.AccessToken || renewed.RefreshToken == tok.RefreshToken || len(renewed.Scopes) != 2 {
		t.Errorf("got %v", renewed)
	}
	srv.RevokeTokens()
	_, err = provider.Refresh(t.Context(), p, renewed)
	if wantError(t, err, "refresh", "exchange_failed"); !errors.Is(err, provider.ErrRevoked) {
		t.Errorf("got %v, want ErrRevoked", err)
	}
	asked := srv.Requests("token")
	_, err = provider.Refresh(t.Context(), p, provider.Token{AccessToken: "at"})
	if !errors.Is(err, provider.ErrRevoked) || srv.Requests("token") != asked {
		t.Errorf("without a refresh token: got %v and %d requests", err, srv.Requests("token")-asked)
	}
	srv.Fail("token", http.StatusBadGateway)
	_, err = provider.Refresh(t.Context(), p, renewed)
	if wantError(t, err, "refresh", "provider_unavailable"); errors.Is(err, provider.ErrRevoked) {
		t.Error("a service that is down has withdrawn nothing")
	}
}

// Identity's client goes on where the chain stopped, in the person's name.
func TestIdentityAsksOn(t *testing.T) {
	srv := providertest.NewServer(t)
	d := house(srv)
	d.Callback = login2.CallbackHandler // reads no profile
	d.Identity = func(ctx context.Context, c *http.Client) (provider.Identity, error) {
		resp, err := c.Get("/oauth2/user")
		if err != nil {
			return provider.Identity{}, err
		}
		resp.Body.Close()
		if _, err := c.Get("https://evil.example/"); err == nil {
			t.Error("the token was sent to another host")
		}
		return provider.Identity{Subject: resp.Status}, nil
	}
	p := d.New(provider.WithHTTPClient(&http.Client{Transport: srv.Transport()}))
	id, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	if err != nil || id.Subject != "200 OK" {
		t.Errorf("got %+v, %v", id, err)
	}
}

func TestRequestReachesTheService(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New(provider.WithScopes("phone"), provider.WithParam("display", "page"))
	to, err := p.Begin(t.Context(), provider.Request{
		State: "state-1", CallbackURL: callbackURL, Scopes: []string{"address", "email"},
		Params: url.Values{"lang": {"sv"}, "state": {"forged"}, "redirect_uri": {"https://evil.example"}, "code_challenge": {"forged"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(to.URL)
	q := u.Query()
	for name, want := range map[string]string{
		"state": "state-1", "redirect_uri": callbackURL, "code_challenge_method": "S256",
		"display": "page", "lang": "sv", "scope": "profile email phone address",
	} {
		if got := q.Get(name); got != want || len(q[name]) != 1 {
			t.Errorf("%s: got %q, want %q", name, q[name], want)
		}
	}
	if len(q.Get("code_challenge")) != 43 {
		t.Errorf("got code_challenge %q", q.Get("code_challenge"))
	}
	verifier, _, _ := strings.Cut(to.Memo, " ")
	if verifier == "" || strings.Contains(to.URL, verifier) {
		t.Error("the verifier must be in the memo and nowhere else")
	}
}

func TestMistakesOAuth2(t *testing.T) {
	err := provider.Check(gologin.OAuth2{}.New())
	for _, want := range []string{"Config", "Callback", "Identity", "ID"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a word on %s", err, want)
		}
	}
	srv := providertest.NewServer(t)
	for name, change := range map[string]func(*gologin.OAuth2){
		"client ID":     func(d *gologin.OAuth2) { d.Config.ClientID = "" },
		"client secret": func(d *gologin.OAuth2) { d.Config.ClientSecret = "" },
		"AuthURL":       func(d *gologin.OAuth2) { d.Config.Endpoint.AuthURL = "/authorize" },
		"TokenURL":      func(d *gologin.OAuth2) { d.Config.Endpoint.TokenURL = "http://example.test/token" },
		"Reauth":        func(d *gologin.OAuth2) { d.Info.Reauth = true },
	} {
		d := house(srv)
		change(&d)
		if err := provider.Check(d.New()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What New was given may change afterwards without effect.
func TestConfigIsCopied(t *testing.T) {
	srv := providertest.NewServer(t)
	d := house(srv)
	chain := d.Callback
	var scopes []string
	d.Callback = func(config *oauth2.Config, success, failure http.Handler) http.Handler {
		scopes = append(scopes, config.Scopes...)
		config.Scopes[0] = "anything" // a chain's copy is its own
		return chain(config, success, failure)
	}
	p := d.New()
	d.Config.Endpoint.AuthURL = "https://evil.example"
	d.Config.Scopes[0] = "everything"
	for range 2 {
		if _, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(scopes, " "); got != "profile email profile email" {
		t.Errorf("chain was made with the scopes %q", got)
	}
}

// A token that is not a bearer token would be sent as one.
func TestTokenOfAnotherType(t *testing.T) {
	srv := providertest.NewServer(t)
	srv.Alter = func(a *providertest.Answer) {
		if body, ok := a.Body.(map[string]any); ok && a.Endpoint == "token" {
			body["token_type"] = "mac"
		}
	}
	d := house(srv)
	d.Callback = login2.CallbackHandler
	d.Identity = func(context.Context, *http.Client) (provider.Identity, error) {
		return provider.Identity{Subject: "1"}, nil
	}
	p := d.New()
	_, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	wantError(t, err, "exchange", "token_invalid")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport that loses its connection sends a request again, if it can.
func TestTokenRequestCannotBeSentAgain(t *testing.T) {
	srv := providertest.NewServer(t)
	again := false
	p := house(srv).New(provider.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		again = again || r.Method == http.MethodPost && r.GetBody != nil
		return http.DefaultTransport.RoundTrip(r)
	})}))
	if _, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t)); err != nil {
		t.Fatal(err)
	}
	if again {
		t.Error("the token request has a second copy of its body, and that one has no verifier")
	}
}
