package gologin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	login1 "github.com/dghubble/gologin/v2/oauth1"
	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/gologin"
	"github.com/gatepass/gatepass/provider/providertest"
)

func TestLoginOAuth1(t *testing.T) {
	srv := providertest.NewServer(t)
	p := barn(srv).New()
	if err := provider.Check(p); err != nil {
		t.Fatal(err)
	}
	id, tok, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	if err != nil {
		t.Fatal(err)
	}
	if id.Provider != "barn" || id.Issuer != srv.URL || id.Subject != "100200300" {
		t.Errorf("got identity %+v", id)
	}
	if tok.AccessToken == "" || tok.Secret == "" {
		t.Errorf("got %v", tok)
	}
	if _, err := provider.Refresh(t.Context(), p, tok); err == nil {
		t.Error("OAuth 1.0a has nothing to refresh")
	}

	c := provider.Client(t.Context(), p, tok)
	resp, err := c.Get("/oauth1/user")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v", resp, err)
	}
	resp.Body.Close()
	if _, err := c.Get("https://evil.example/"); err == nil || srv.Requests("") != 0 {
		t.Errorf("a signed request went to another host: %v", err)
	}
}

// Someone begins a login of their own, says yes at the service, and makes
// another person's browser bring the result back. gologin alone would log that
// person in to the stranger's account.
func TestCallbackFromAnotherBrowser(t *testing.T) {
	srv := providertest.NewServer(t)
	p := barn(srv).New()
	mine, theirs := begin(t, srv, p, "state-mine"), begin(t, srv, p, "state-theirs")
	asked := srv.Requests("access_token") + srv.Requests("userinfo")

	for name, change := range map[string]func(back url.Values){
		"both": func(back url.Values) {
			back.Set("oauth_token", theirs.back.Get("oauth_token"))
			back.Set("oauth_verifier", theirs.back.Get("oauth_verifier"))
		},
		"token":       func(back url.Values) { back.Set("oauth_token", theirs.back.Get("oauth_token")) },
		"no token":    func(back url.Values) { back.Del("oauth_token") },
		"longer":      func(back url.Values) { back.Set("oauth_token", back.Get("oauth_token")+"x") },
		"no verifier": func(back url.Values) { back.Del("oauth_verifier") },
	} {
		forged := begun{mine.req, mine.memo, url.Values{}}
		for k, v := range mine.back {
			forged.back[k] = append([]string(nil), v...)
		}
		change(forged.back)
		_, _, err := p.Complete(t.Context(), forged.callback(t))
		if name == "no verifier" {
			wantError(t, err, "exchange", "code_missing")
			continue
		}
		if wantError(t, err, "exchange", "oauth1_token"); !errors.Is(err, provider.ErrState) {
			t.Errorf("%s: got %v, want ErrState", name, err)
		}
	}
	for memo, reason := range map[string]string{"": "memo_invalid", "%zz": "memo_invalid", "t=&s=": "memo_invalid", theirs.memo: "oauth1_token"} {
		_, _, err := p.Complete(t.Context(), begun{mine.req, memo, mine.back}.callback(t))
		wantError(t, err, "exchange", reason)
	}
	if n := srv.Requests("access_token") + srv.Requests("userinfo"); n != asked {
		t.Errorf("got %d outbound calls, want 0", n-asked)
	}
	// What was forged has not spoilt what is real.
	if _, _, err := p.Complete(t.Context(), mine.callback(t)); err != nil {
		t.Error(err)
	}
}

func TestStateOfAnotherLoginOAuth1(t *testing.T) {
	srv := providertest.NewServer(t)
	p := barn(srv).New()
	mine, theirs := begin(t, srv, p, "state-mine"), begin(t, srv, p, "state-theirs")
	if _, err := provider.NewCallback(mine.req, mine.memo, theirs.back); !errors.Is(err, provider.ErrState) {
		t.Errorf("got %v, want ErrState: the callback's URL must carry the state", err)
	}
}

func TestDeniedOAuth1(t *testing.T) {
	srv := providertest.NewServer(t)
	p := barn(srv).New()
	srv.Deny = true
	_, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	if wantError(t, err, "exchange", "denied"); !errors.Is(err, provider.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
}

// The request token's secret must not reach the browser.
func TestRequestSecretStaysInTheMemo(t *testing.T) {
	srv := providertest.NewServer(t)
	p := barn(srv).New()
	to, err := p.Begin(t.Context(), provider.Request{State: "state-1", CallbackURL: callbackURL, Params: url.Values{"oauth_token": {"forged"}, "force_login": {"true"}}})
	if err != nil {
		t.Fatal(err)
	}
	memo, _ := url.ParseQuery(to.Memo)
	u, _ := url.Parse(to.URL)
	if q := u.Query(); len(q["oauth_token"]) != 1 || q.Get("oauth_token") != memo.Get("t") || q.Get("force_login") != "true" {
		t.Errorf("got %s", to.URL)
	}
	if memo.Get("s") == "" || strings.Contains(to.URL, memo.Get("s")) {
		t.Error("the secret must be in the memo and nowhere else")
	}
}

func TestServiceThatFailsOAuth1(t *testing.T) {
	const canary = "canary-7f3a"
	for _, test := range []struct {
		name, path string
		answer     func(w http.ResponseWriter)
		op, reason string
	}{
		{"request token 401", "/oauth1/request_token", func(w http.ResponseWriter) { http.Error(w, canary, http.StatusUnauthorized) }, "begin", "exchange_failed"},
		{"request token unconfirmed", "/oauth1/request_token", func(w http.ResponseWriter) {
			w.Write([]byte("oauth_token=" + canary + "&oauth_token_secret=s"))
		}, "begin", "token_invalid"},
		{"access token 401", "/oauth1/access_token", func(w http.ResponseWriter) { http.Error(w, canary, http.StatusUnauthorized) }, "exchange", "exchange_failed"},
		{"access token 500", "/oauth1/access_token", func(w http.ResponseWriter) { http.Error(w, canary, http.StatusInternalServerError) }, "exchange", "provider_unavailable"},
		{"access token is no form", "/oauth1/access_token", func(w http.ResponseWriter) { w.Write([]byte(canary)) }, "exchange", "token_invalid"},
		{"profile 401", "/oauth1/user", func(w http.ResponseWriter) { http.Error(w, canary, http.StatusUnauthorized) }, "profile", "profile_http"},
		{"profile is no JSON", "/oauth1/user", func(w http.ResponseWriter) { w.Write([]byte("<" + canary)) }, "profile", "profile_invalid"},
		{"profile without ID", "/oauth1/user", func(w http.ResponseWriter) { w.Write([]byte("{}")) }, "profile", "profile_id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := providertest.NewServer(t)
			p := barn(srv).New()
			fail := func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == test.path {
					test.answer(w)
				}
				return r.URL.Path == test.path
			}
			var err error
			if test.op == "begin" {
				srv.Intercept = fail
				_, err = p.Begin(t.Context(), provider.Request{State: "s", CallbackURL: callbackURL})
			} else {
				b := begin(t, srv, p, "state-1")
				srv.Intercept = fail
				_, _, err = p.Complete(t.Context(), b.callback(t))
			}
			wantError(t, err, test.op, test.reason)
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), srv.URL+"/") {
				t.Errorf("error quotes what the service sent, or its URL: %v", err)
			}
		})
	}
}

// dghubble/oauth1 would sign anew for whatever host a redirect names.
func TestSignedRequestIsNotRedirected(t *testing.T) {
	var leaked atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(evil.Close)
	srv := providertest.NewServer(t)
	p := barn(srv).New()
	b := begin(t, srv, p, "state-1")
	srv.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/oauth1/user" {
			return false
		}
		w.Header().Set("Location", evil.URL)
		w.WriteHeader(http.StatusFound)
		return true
	}
	if _, _, err := p.Complete(t.Context(), b.callback(t)); err == nil {
		t.Error("a redirect was taken for a profile")
	}
	if leaked.Load() != 0 {
		t.Error("a signed request went to another host")
	}
}

func TestCancelOAuth1(t *testing.T) {
	for _, endpoint := range []string{"request_token", "access_token", "userinfo"} {
		srv := providertest.NewServer(t)
		p := barn(srv).New()
		cb := begin(t, srv, p, "state-1").callback(t)
		arrived, release := srv.Hold(endpoint)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		var err error
		if endpoint == "request_token" {
			_, err = p.Begin(ctx, provider.Request{State: "s", CallbackURL: callbackURL})
		} else {
			_, _, err = p.Complete(ctx, cb)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", endpoint, err)
		}
		release()
	}
}

func TestChainThatGoesItsOwnWayOAuth1(t *testing.T) {
	srv := providertest.NewServer(t)
	d := barn(srv)
	d.Callback = func(_ *oauth1.Config, success, _ http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := login1.WithAccessToken(r.Context(), "someone's", "token")
			success.ServeHTTP(w, r.WithContext(context.WithValue(ctx, personKey{}, &person{ID: "1"})))
		})
	}
	p := d.New()
	_, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	wantError(t, err, "exchange", "config")
}

func TestSlowAPIOAuth1(t *testing.T) {
	srv := providertest.NewServer(t)
	p := barn(srv).New(provider.WithHTTPClient(&http.Client{Timeout: 100 * time.Millisecond}))
	_, tok, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
	if err != nil {
		t.Fatal(err)
	}
	_, release := srv.Hold("userinfo")
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/oauth1/user", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Client(t.Context(), p, tok).Do(req); err == nil || ctx.Err() != nil {
		t.Errorf("got %v: the client has no time limit of its own", err)
	}
}

func TestMistakesOAuth1(t *testing.T) {
	err := provider.Check(gologin.OAuth1{}.New())
	for _, want := range []string{"Config", "Callback", "Identity", "ID"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a word on %s", err, want)
		}
	}
	srv := providertest.NewServer(t)
	for name, change := range map[string]func(*gologin.OAuth1){
		"ConsumerKey":     func(d *gologin.OAuth1) { d.Config.ConsumerKey = "" },
		"ConsumerSecret":  func(d *gologin.OAuth1) { d.Config.ConsumerSecret = "" },
		"RequestTokenURL": func(d *gologin.OAuth1) { d.Config.Endpoint.RequestTokenURL = "" },
		"AuthorizeURL":    func(d *gologin.OAuth1) { d.Config.Endpoint.AuthorizeURL = "http://example.test" },
		"AccessTokenURL":  func(d *gologin.OAuth1) { d.Config.Endpoint.AccessTokenURL = "https://u:p@example.test" },
	} {
		d := barn(srv)
		change(&d)
		if err := provider.Check(d.New()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
