package providertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/provider/providertest"
)

func TestDeny(t *testing.T) {
	s := providertest.NewServer(t)
	s.Deny = true
	if back := authorize(t, s, begin()); back.Get("error") != "access_denied" || back.Get("code") != "" || back.Get("iss") != s.URL {
		t.Errorf("the app got %v", back)
	}
	s.Deny = false
	if back := authorize(t, s, begin()); back.Get("code") == "" {
		t.Errorf("the app got %v", back)
	}
}

func TestProfile(t *testing.T) {
	s := providertest.NewServer(t)
	type profile struct {
		ID   int    `json:"id"`
		Nick string `json:"nick"`
	}
	s.Profile = profile{7, "seven"}
	back, err := s.Authorize(s.URL + "/oauth2/authorize?" + begin().Encode())
	if err != nil {
		t.Fatal(err)
	}
	tok := post(t, s.URL+"/oauth2/token", finish(back.Get("code")))
	if u := get(t, s.URL+"/oauth2/user", tok.body["access_token"].(string)); strings.TrimSpace(u.text) != `{"id":7,"nick":"seven"}` {
		t.Errorf("a profile of the test's own shape: got %s", u.text)
	}
	if sub := payload(t, tokens(t, s, begin())["id_token"])["sub"]; sub != "7" {
		t.Errorf("sub of a profile with an id: got %v, want 7", sub)
	}
	s.Profile = []int{1}
	if _, err := s.Authorize(s.URL + "/authorize?" + begin().Encode()); err == nil {
		t.Error("a profile that is no object logged in")
	}
}

func TestFail(t *testing.T) {
	s := providertest.NewServer(t)
	s.Fail("jwks", http.StatusBadGateway)
	if a := get(t, s.URL+"/jwks", ""); a.status != http.StatusBadGateway || a.text != "" {
		t.Errorf("got %d %q, want 502", a.status, a.text)
	}
	if a := get(t, s.URL+"/.well-known/openid-configuration", ""); a.status != http.StatusOK || a.body["issuer"] != s.URL {
		t.Errorf("another endpoint: got %d %s", a.status, a.text)
	}
	s.Fail("jwks", 0)
	if a := get(t, s.URL+"/jwks", ""); a.status != http.StatusOK {
		t.Errorf("got %d, want 200", a.status)
	}
}

func TestHold(t *testing.T) {
	s := providertest.NewServer(t)
	arrived, release := s.Hold("jwks")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if a := get(t, s.URL+"/jwks", ""); a.status != http.StatusOK {
				t.Errorf("got %d, want 200", a.status)
			}
		})
	}
	for range 3 {
		<-arrived
	}
	release()
	release()
	wg.Wait()

	arrived, _ = s.Hold("jwks")
	ctx, cancel := context.WithCancel(t.Context())
	r := request(t, http.MethodGet, s.URL+"/jwks", nil).WithContext(ctx)
	gone := make(chan error)
	go func() {
		_, err := http.DefaultTransport.RoundTrip(r)
		gone <- err
	}()
	<-arrived
	cancel()
	if err := <-gone; err == nil {
		t.Error("a held request was answered")
	}
	// The test's end closes the Server although jwks is still held.
}

func TestInterceptAndAlter(t *testing.T) {
	s := providertest.NewServer(t)
	s.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/emails" {
			return false
		}
		w.Write([]byte("mine"))
		return true
	}
	if a := get(t, s.URL+"/emails", ""); a.text != "mine" {
		t.Errorf("got %q, want the answer of Intercept", a.text)
	}
	s.Alter = func(a *providertest.Answer) {
		switch body := a.Body.(type) {
		case url.Values:
			body.Set("extra", a.Endpoint)
		case map[string]any:
			if a.Endpoint == "token" {
				body["for"] = a.Person["sub"]
				a.Header.Set("Content-Type", "text/plain")
				a.Status = http.StatusAccepted
			}
		}
	}
	s.Claims = func(claims map[string]any) { claims["sub"] = "someone else" }
	back := authorize(t, s, begin())
	if back.Get("extra") != "authorize" {
		t.Errorf("the app got %v", back)
	}
	a := post(t, s.URL+"/token", finish(back.Get("code")))
	if a.status != http.StatusAccepted || a.body["for"] != "100200300" || a.header.Get("Content-Type") != "text/plain" {
		t.Errorf("token: got %d %s", a.status, a.text)
	}
	if sub := payload(t, a.body["id_token"])["sub"]; sub != "someone else" {
		t.Errorf("sub: got %v", sub)
	}
}

func TestRevokeTokens(t *testing.T) {
	s := providertest.NewServer(t)
	tok := tokens(t, s, begin())
	s.RevokeTokens()
	if u := get(t, s.URL+"/userinfo", tok["access_token"].(string)); u.status != http.StatusUnauthorized {
		t.Errorf("access token: got %d, want 401", u.status)
	}
	a := post(t, s.URL+"/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {tok["refresh_token"].(string)},
		"client_id": {providertest.ClientID}, "client_secret": {providertest.ClientSecret},
	})
	if a.body["error"] != "invalid_grant" {
		t.Errorf("refresh token: got %s, want invalid_grant", a.text)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := providertest.NewServer(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			name := string(rune('A' + i))
			back, err := s.AuthorizeAs(s.URL+"/authorize?"+begin().Encode(), map[string]any{"sub": name})
			if err != nil {
				t.Error(err)
				return
			}
			a := post(t, s.URL+"/token", finish(back.Get("code")))
			if sub := payload(t, a.body["id_token"])["sub"]; sub != name {
				t.Errorf("got %v, want %s", sub, name)
			}
		})
	}
	wg.Wait()
}

// foreign sends a request as if the service were at another host.
func foreign(t *testing.T, s *providertest.Server, r *http.Request) answer {
	t.Helper()
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func withHeader(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

func jsonRequest(t *testing.T, to string, form url.Values) *http.Request {
	t.Helper()
	m := map[string]string{}
	for name := range form {
		m[name] = form.Get(name)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

func TestForeign(t *testing.T) {
	s := providertest.NewServer(t)
	s.Profile = map[string]any{"sub": "7", "nickname": "sju"}
	well := foreign(t, s, request(t, http.MethodGet, "https://login.vendor.test/eu/.well-known/openid-configuration", nil))
	if well.body["issuer"] != "https://login.vendor.test/eu" || well.body["token_endpoint"] != "https://login.vendor.test/eu/token" {
		t.Fatalf("discovery: got %s", well.text)
	}
	q := url.Values{
		"appid": {providertest.ClientID}, "redirect_url": {callback}, "scope": {"openid,email"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {s256(verifier)}, "code_challenge_method": {"S256"},
	}
	code := func() string {
		t.Helper()
		back, err := s.Authorize("https://login.vendor.test/connect/qr?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if back.Get("state") != "s" {
			t.Fatalf("the app got %v", back)
		}
		return back.Get("code")
	}
	form := func() url.Values {
		return url.Values{
			"appid": {providertest.ClientID}, "secret": {providertest.ClientSecret}, "auth_code": {code()}, "code_verifier": {verifier},
		}
	}
	for name, change := range map[string]func(f url.Values){
		"wrong secret":   func(f url.Values) { f.Set("secret", "x") },
		"wrong client":   func(f url.Values) { f.Set("appid", "x") },
		"wrong verifier": func(f url.Values) { f.Set("code_verifier", "x") },
		"no verifier":    func(f url.Values) { f.Del("code_verifier") },
		"other callback": func(f url.Values) { f.Set("redirect_url", "https://evil.example.test/") },
		"wrong code":     func(f url.Values) { f.Set("auth_code", "x"); f.Set("grant_type", "authorization_code") },
	} {
		f := form()
		change(f)
		if a := foreign(t, s, request(t, http.MethodPost, "https://api.vendor.test/x/y", f)); a.status < 400 || a.body["access_token"] != nil {
			t.Errorf("%s: got %d %s", name, a.status, a.text)
		}
	}
	var tok map[string]any
	for name, r := range map[string]*http.Request{
		"form":  request(t, http.MethodPost, "https://api.vendor.test/x/y", form()),
		"query": request(t, http.MethodGet, "https://api.vendor.test/x/y?"+form().Encode(), nil),
		"JSON":  jsonRequest(t, "https://api.vendor.test/x/y", form()),
	} {
		a := foreign(t, s, r)
		if a.status != http.StatusOK || a.body["access_token"] == nil {
			t.Fatalf("%s: got %d %s", name, a.status, a.text)
		}
		tok = a.body
	}
	if claims := payload(t, tok["id_token"]); claims["iss"] != "https://login.vendor.test/eu" || claims["nickname"] != "sju" || claims["nonce"] != "n" {
		t.Errorf("ID token: got %v", claims)
	}
	at := tok["access_token"].(string)
	for name, r := range map[string]*http.Request{
		"header": withHeader(request(t, http.MethodGet, "https://api.vendor.test/me", nil), "X-Token", at),
		"scheme": withHeader(request(t, http.MethodGet, "https://api.vendor.test/me", nil), "Authorization", "OAuth "+at),
		"query":  request(t, http.MethodGet, "https://api.vendor.test/me?access_token="+at, nil),
		"body":   request(t, http.MethodPost, "https://api.vendor.test/me", url.Values{"access_token": {at}}),
	} {
		if a := foreign(t, s, r); a.status != http.StatusOK || a.body["nickname"] != "sju" {
			t.Errorf("profile, token in %s: got %d %s", name, a.status, a.text)
		}
	}
	if a := foreign(t, s, request(t, http.MethodGet, "https://keys.vendor.test/v3/certs", nil)); a.body["keys"] == nil {
		t.Errorf("keys: got %d %s", a.status, a.text)
	}
	renewed := foreign(t, s, request(t, http.MethodPost, "https://api.vendor.test/again", url.Values{
		"refresh_token": {tok["refresh_token"].(string)}, "client_key": {providertest.ClientID},
	}))
	if renewed.status != http.StatusOK {
		t.Fatalf("renewal: got %d %s", renewed.status, renewed.text)
	}
	at = renewed.body["access_token"].(string)
	if a := foreign(t, s, request(t, http.MethodPost, "https://api.vendor.test/oauth/revoke", url.Values{"token": {at}})); a.status != http.StatusOK {
		t.Errorf("revocation: got %d", a.status)
	}
	if a := foreign(t, s, request(t, http.MethodGet, "https://api.vendor.test/me?access_token="+at, nil)); a.status == http.StatusOK {
		t.Error("a withdrawn token still works")
	}
	if a := foreign(t, s, request(t, http.MethodGet, "https://api.vendor.test/nothing", nil)); a.status != http.StatusNotFound {
		t.Errorf("a request about nothing: got %d, want 404", a.status)
	}
	for endpoint, want := range map[string]int{"discovery": 1, "authorize": 9, "token": 10, "userinfo": 5, "jwks": 1, "revoke": 1} {
		if got := s.Requests(endpoint); got != want {
			t.Errorf("Requests(%q): got %d, want %d", endpoint, got, want)
		}
	}
}

// The Host that the request was made for is seen by Intercept.
func TestForeignHost(t *testing.T) {
	s := providertest.NewServer(t)
	s.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		w.Write([]byte(r.Host + r.URL.Path))
		return true
	}
	if a := foreign(t, s, request(t, http.MethodGet, "https://api.vendor.test/a/b", nil)); a.text != "api.vendor.test/a/b" {
		t.Errorf("got %q", a.text)
	}
}
