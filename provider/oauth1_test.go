package provider_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dghubble/oauth1"
	"github.com/gatepass/gatepass/provider"
)

const (
	requestAnswer = "oauth_token=reqtok&oauth_token_secret=reqsecret-canary&oauth_callback_confirmed=true"
	accessAnswer  = "oauth_token=acctok-canary&oauth_token_secret=accsecret-canary&user_id=77&screen_name=ada"
)

func newService1(t testing.TB) (*service, provider.OAuth1) {
	s := newService(t)
	s.more["/request"] = typed(200, "application/x-www-form-urlencoded", requestAnswer)
	s.more["/access"] = typed(200, "application/x-www-form-urlencoded", accessAnswer)
	return s, provider.OAuth1{
		Info:     provider.Info{ID: "svc", Name: "Service", API: s.URL + "/api"},
		Endpoint: oauth1.Endpoint{RequestTokenURL: s.URL + "/request", AuthorizeURL: s.URL + "/authorize?force=1", AccessTokenURL: s.URL + "/access"},
		UserURL:  s.URL + "/user?include_email=true",
		Fields:   provider.Fields{Subject: "id", Name: "name", Username: "token:screen_name", Email: "email"},
	}
}

func make1(t testing.TB, d provider.OAuth1, opts ...provider.Option) provider.Provider {
	t.Helper()
	p := d.New(svcID, svcSecret, opts...)
	if err := provider.Check(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// signed checks the signature of a request (RFC 5849 section 3.4) and returns
// its oauth parameters.
func signed(t *testing.T, s *service, got seen, tokenSecret string) map[string]string {
	t.Helper()
	params := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(got.header.Get("Authorization"), -1) {
		v, err := url.PathUnescape(m[2])
		if err != nil {
			t.Fatal(err)
		}
		params[m[1]] = v
	}
	var pairs []string
	add := func(k, v string) {
		if k != "oauth_signature" {
			pairs = append(pairs, oauth1.PercentEncode(k)+"="+oauth1.PercentEncode(v))
		}
	}
	for k, v := range params {
		add(k, v)
	}
	for k := range got.query {
		add(k, got.query.Get(k))
	}
	slices.Sort(pairs)
	base := got.method + "&" + oauth1.PercentEncode(s.URL+got.path) + "&" + oauth1.PercentEncode(strings.Join(pairs, "&"))
	mac := hmac.New(sha1.New, []byte(oauth1.PercentEncode(svcSecret)+"&"+oauth1.PercentEncode(tokenSecret)))
	mac.Write([]byte(base))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); params["oauth_signature"] != want {
		t.Errorf("%s: the signature is %q, want %q", got.path, params["oauth_signature"], want)
	}
	return params
}

var verified = []string{"oauth_token", "reqtok", "oauth_verifier", "verifier-canary"}

func TestOAuth1Login(t *testing.T) {
	s, d := newService1(t)
	p := make1(t, d, provider.WithParam("lang", "de"))
	if i := p.Info(); i.ID != "svc" || !slices.Contains(i.Hosts, strings.TrimPrefix(s.URL, "http://")) {
		t.Errorf("got %+v", i)
	}
	req, to, q := begin(t, p, provider.Request{CallbackURL: svcBack + "?x=1", Params: url.Values{"oauth_token": {"evil"}, "screen_name": {"ada"}}})
	if q.Get("oauth_token") != "reqtok" || q.Get("force") != "1" || q.Get("lang") != "de" || q.Get("screen_name") != "ada" || strings.Contains(to.URL, "canary") {
		t.Errorf("got %s", to.URL)
	}
	params := signed(t, s, s.one(t, "/request"), "")
	if params["oauth_callback"] != svcBack+"?state="+svcState+"&x=1" || params["oauth_consumer_key"] != svcID {
		t.Errorf("got %v", params)
	}
	if !strings.Contains(to.Memo, "reqsecret") || len(to.Memo) > 1024 {
		t.Errorf("got the memo %q", to.Memo)
	}
	id, tok, err := p.Complete(t.Context(), callback(t, req, to.Memo, verified...))
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != "9007199254740993" || id.Name != "Ada" || id.Username != "ada" || id.Issuer != s.URL || id.Provider != "svc" || id.EmailVerified || len(id.Raw) == 0 {
		t.Errorf("got %+v", id)
	}
	if tok.AccessToken != "acctok-canary" || tok.Secret != "accsecret-canary" || tok.Type != "OAuth1" {
		t.Errorf("got %#v", tok)
	}
	if params = signed(t, s, s.one(t, "/access"), "reqsecret-canary"); params["oauth_verifier"] != "verifier-canary" || params["oauth_token"] != "reqtok" {
		t.Errorf("got %v", params)
	}
	if params = signed(t, s, s.one(t, "/user"), "accsecret-canary"); params["oauth_token"] != "acctok-canary" {
		t.Errorf("got %v", params)
	}
}

func TestOAuth1Client(t *testing.T) {
	s, d := newService1(t)
	evil := newService(t)
	s.more["/api/me"] = answer(200, "me")
	p := make1(t, d)
	c := provider.Client(t.Context(), wrapped{p}, provider.Token{AccessToken: "acctok", Secret: "accsecret"})
	if got, err := get(t, c, "/me?a=b%20c"); err != nil || got != "me" {
		t.Fatalf("got %q, %v", got, err)
	}
	signed(t, s, s.one(t, "/api/me"), "accsecret")
	if _, err := get(t, c, evil.URL+"/me"); err == nil || len(evil.seen) != 0 {
		t.Errorf("another host saw %v, %v", evil.seen, err)
	}
}

func TestOAuth1CallbackAttacks(t *testing.T) {
	s, d := newService1(t)
	p := make1(t, d)
	for name, x := range map[string]struct {
		reason string
		params []string
	}{
		"another request token": {"oauth1_token", []string{"oauth_token", "other", "oauth_verifier", "v"}},
		"no request token":      {"oauth1_token", []string{"oauth_verifier", "v"}},
		"empty request token":   {"oauth1_token", []string{"oauth_token", "", "oauth_verifier", "v"}},
		"no verifier":           {"code_missing", []string{"oauth_token", "reqtok"}},
		"empty verifier":        {"code_missing", []string{"oauth_token", "reqtok", "oauth_verifier", ""}},
		"denied":                {"denied", []string{"denied", "reqtok"}},
		"error":                 {"provider_error", []string{"error", "x"}},
	} {
		_, _, err := login(t, p, x.params...)
		e := rejected(t, err, "exchange", x.reason)
		if errors.Is(e, provider.ErrDenied) != (name == "denied") {
			t.Errorf("%s: got %v", name, e)
		}
	}
	req, _, _ := begin(t, p, provider.Request{})
	for _, memo := range []string{"", "x", "%zz", "t=&s=x", "s=x"} {
		_, _, err := p.Complete(t.Context(), callback(t, req, memo, verified...))
		rejected(t, err, "exchange", "memo_invalid")
	}
	if n := len(s.asked("/access")); n != 0 {
		t.Errorf("an access token was asked for %d times", n)
	}
}

func TestOAuth1RequestTokenAnswers(t *testing.T) {
	s, d := newService1(t)
	p := make1(t, d)
	for body, x := range map[string]struct {
		status int
		reason string
	}{
		"oauth_token=a&oauth_token_secret=canary":                                                          {200, "token_invalid"},
		"oauth_token=a&oauth_token_secret=canary&oauth_callback_confirmed=false":                           {200, "token_invalid"},
		"oauth_token_secret=canary&oauth_callback_confirmed=true":                                          {200, "token_invalid"},
		"oauth_token=a&oauth_callback_confirmed=true":                                                      {200, "token_invalid"},
		"oauth_token=a&oauth_token=b&oauth_token_secret=canary&oauth_callback_confirmed=true":              {200, "token_invalid"},
		"oauth_token=" + strings.Repeat("a", 1100) + "&oauth_token_secret=x&oauth_callback_confirmed=true": {200, "token_invalid"},
		"<html>canary":         {200, "token_invalid"},
		"canary":               {401, "exchange_failed"},
		"canary down":          {503, "provider_unavailable"},
		requestAnswer + "&x=1": {302, "exchange_failed"},
	} {
		before := len(s.asked("/request"))
		s.more["/request"] = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			typed(x.status, "text/plain", body)(w, r)
		}
		_, err := p.Begin(t.Context(), provider.Request{State: svcState, CallbackURL: svcBack})
		rejected(t, err, "begin", x.reason)
		if n := len(s.asked("/request")) - before; n != 1 || len(s.asked("/elsewhere")) != 0 {
			t.Errorf("%s: asked %d times, want once", body, n)
		}
	}
}

func TestOAuth1AccessTokenAnswers(t *testing.T) {
	s, d := newService1(t)
	p := make1(t, d)
	for body, x := range map[string]struct {
		status int
		reason string
	}{
		"oauth_token=canary":        {200, "token_invalid"},
		"oauth_token_secret=canary": {200, "token_invalid"},
		"canary refused":            {401, "exchange_failed"},
		"canary down":               {500, "provider_unavailable"},
		strings.Repeat("canary", 200_000) + "&oauth_token=a&oauth_token_secret=b": {200, "exchange_failed"},
	} {
		before := len(s.asked("/access"))
		s.more["/access"] = typed(x.status, "text/plain", body)
		_, _, err := login(t, p, verified...)
		rejected(t, err, "exchange", x.reason)
		if n := len(s.asked("/access")) - before; n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
	}
}

func TestOAuth1ProfileAttacks(t *testing.T) {
	s, d := newService1(t)
	d.Active = "!blocked"
	p := make1(t, d)
	for body, reason := range map[string]string{
		`{}`: "profile_id", `[]`: "profile_invalid", `<html>canary`: "profile_invalid", `{"id":1,"blocked":true}`: "inactive",
	} {
		s.user = answer(200, body)
		_, _, err := login(t, p, verified...)
		rejected(t, err, "profile", reason)
	}
	s.user = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	_, _, err := login(t, p, verified...)
	rejected(t, err, "profile", "profile_invalid")
	if len(s.asked("/elsewhere")) != 0 {
		t.Error("the redirect was followed")
	}
}

func TestOAuth1KeepsToTheContext(t *testing.T) {
	s, d := newService1(t)
	s.more["/request"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	p := make1(t, d)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := p.Begin(ctx, provider.Request{State: svcState, CallbackURL: svcBack})
	if e := rejected(t, err, "begin", "provider_timeout"); !errors.Is(e, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
		t.Errorf("got %v after %v", e, time.Since(began))
	}
	quick := make1(t, d, provider.WithHTTPClient(&http.Client{Timeout: 50 * time.Millisecond}))
	_, err = quick.Begin(t.Context(), provider.Request{State: svcState, CallbackURL: svcBack})
	rejected(t, err, "begin", "provider_timeout")
}

func TestOAuth1Check(t *testing.T) {
	err := provider.Check(provider.OAuth1{}.New("", "", provider.WithScopes("x"), provider.WithParam("oauth_token", "x")))
	for _, want := range []string{"Info.ID", "Info.Name", "client ID", "client secret", "RequestTokenURL", "AuthorizeURL", "AccessTokenURL", "Subject", "UserURL", "WithScopes", "oauth_token"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, which does not name %s", err, want)
		}
	}
}
