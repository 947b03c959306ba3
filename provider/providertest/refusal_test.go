package providertest_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider/providertest"
)

func newApp(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	app := httptest.NewServer(h)
	t.Cleanup(app.Close)
	return app
}

func TestAuthorizeRefuses(t *testing.T) {
	s := providertest.NewServer(t)
	for name, test := range map[string]struct {
		change func(q url.Values)
		want   string // the error that the app gets; "" if the browser must stay
	}{
		"unknown client":         {func(q url.Values) { q.Set("client_id", "other") }, ""},
		"client twice":           {func(q url.Values) { q.Add("client_id", providertest.ClientID) }, ""},
		"no redirect URI":        {func(q url.Values) { q.Del("redirect_uri") }, ""},
		"redirect URI twice":     {func(q url.Values) { q.Add("redirect_uri", "https://evil.example.test/") }, ""},
		"relative redirect URI":  {func(q url.Values) { q.Set("redirect_uri", "/callback") }, ""},
		"plain http elsewhere":   {func(q url.Values) { q.Set("redirect_uri", "http://app.example.test/") }, ""},
		"script as redirect URI": {func(q url.Values) { q.Set("redirect_uri", "javascript:alert(1)") }, ""},
		"fragment":               {func(q url.Values) { q.Set("redirect_uri", callback+"#x") }, ""},
		"user in redirect URI":   {func(q url.Values) { q.Set("redirect_uri", "https://a:b@app.example.test/") }, ""},
		"policy in redirect URI": {func(q url.Values) { q.Set("redirect_uri", "https://app.test;script-src/") }, ""},
		"state twice":            {func(q url.Values) { q.Add("state", "b") }, ""},
		"no state":               {func(q url.Values) { q.Del("state") }, "invalid_request"},
		"scope twice":            {func(q url.Values) { q.Add("scope", "email") }, "invalid_request"},
		"no response type":       {func(q url.Values) { q.Del("response_type") }, "invalid_request"},
		"implicit":               {func(q url.Values) { q.Set("response_type", "token") }, "unsupported_response_type"},
		"secret":                 {func(q url.Values) { q.Set("client_secret", "x") }, "invalid_request"},
		"verifier":               {func(q url.Values) { q.Set("code_verifier", verifier) }, "invalid_request"},
		"plain challenge":        {func(q url.Values) { q.Set("code_challenge_method", "plain") }, "invalid_request"},
		"short challenge":        {func(q url.Values) { q.Set("code_challenge", "abc") }, "invalid_request"},
		"public without PKCE": {func(q url.Values) {
			q.Set("client_id", providertest.PublicClientID)
			q.Del("code_challenge")
			q.Del("code_challenge_method")
		}, "invalid_request"},
		"fragment mode":  {func(q url.Values) { q.Set("response_mode", "fragment") }, "invalid_request"},
		"max_age":        {func(q url.Values) { q.Set("max_age", "-1") }, "invalid_request"},
		"none and login": {func(q url.Values) { q.Set("prompt", "none login") }, "invalid_request"},
		"request object": {func(q url.Values) { q.Set("request", "x.y.z") }, "request_not_supported"},
		"request URI":    {func(q url.Values) { q.Set("request_uri", "https://x.test") }, "request_uri_not_supported"},
	} {
		t.Run(name, func(t *testing.T) {
			q := begin()
			test.change(q)
			a := get(t, s.URL+"/authorize?"+q.Encode(), "")
			to, err := url.Parse(a.header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if a.status != http.StatusBadRequest || to.String() != "" {
					t.Errorf("got %d to %q, want a page and no redirect", a.status, to)
				}
				return
			}
			if got := to.Query().Get("error"); got != test.want || to.Query().Get("code") != "" || to.Query().Get("iss") != s.URL {
				t.Errorf("the app got %v, want error %s and iss", to.Query(), test.want)
			}
		})
	}
}

func TestTokenRefuses(t *testing.T) {
	basic := func(r *http.Request, id, secret string) {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret))))
	}
	for name, test := range map[string]struct {
		form   func(f url.Values)
		header func(r *http.Request)
		want   string
	}{
		"no verifier":       {form: func(f url.Values) { f.Del("code_verifier") }, want: "invalid_grant"},
		"wrong verifier":    {form: func(f url.Values) { f.Set("code_verifier", verifier+"x") }, want: "invalid_grant"},
		"other redirect":    {form: func(f url.Values) { f.Set("redirect_uri", "https://app.example.test/callback") }, want: "invalid_grant"},
		"no redirect":       {form: func(f url.Values) { f.Del("redirect_uri") }, want: "invalid_request"},
		"no code":           {form: func(f url.Values) { f.Del("code") }, want: "invalid_request"},
		"unknown code":      {form: func(f url.Values) { f.Set("code", "x") }, want: "invalid_grant"},
		"code twice":        {form: func(f url.Values) { f.Add("code", f.Get("code")) }, want: "invalid_request"},
		"no grant type":     {form: func(f url.Values) { f.Del("grant_type") }, want: "invalid_request"},
		"password grant":    {form: func(f url.Values) { f.Set("grant_type", "password") }, want: "unsupported_grant_type"},
		"unknown client":    {form: func(f url.Values) { f.Set("client_id", "x") }, want: "invalid_client"},
		"wrong secret":      {form: func(f url.Values) { f.Set("client_secret", "x") }, want: "invalid_client"},
		"no secret":         {form: func(f url.Values) { f.Del("client_secret") }, want: "invalid_client"},
		"another client":    {form: func(f url.Values) { f.Set("client_id", providertest.PublicClientID); f.Del("client_secret") }, want: "invalid_grant"},
		"Basic and form":    {header: func(r *http.Request) { basic(r, providertest.ClientID, providertest.ClientSecret) }, want: "invalid_request"},
		"wrong Basic":       {form: func(f url.Values) { f.Del("client_secret") }, header: func(r *http.Request) { basic(r, providertest.ClientID, "x") }, want: "invalid_client"},
		"Basic not encoded": {form: func(f url.Values) { f.Del("client_secret") }, header: func(r *http.Request) { r.SetBasicAuth(providertest.ClientID, providertest.ClientSecret) }, want: "invalid_client"},
		"bearer":            {header: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, want: "invalid_request"},
		"query":             {header: func(r *http.Request) { r.URL.RawQuery = "client_id=x" }, want: "invalid_request"},
		"GET":               {header: func(r *http.Request) { r.Method = http.MethodGet }, want: "invalid_request"},
		"JSON":              {header: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, want: "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			s := providertest.NewServer(t)
			form := finish(authorize(t, s, begin()).Get("code"))
			if test.form != nil {
				test.form(form)
			}
			r := request(t, http.MethodPost, s.URL+"/token", form)
			if test.header != nil {
				test.header(r)
			}
			a := do(t, r)
			if a.status < 400 || a.body["error"] != test.want || a.body["access_token"] != nil {
				t.Errorf("got %d %s, want %s", a.status, a.text, test.want)
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Error("the answer may be kept in a cache")
			}
		})
	}
	t.Run("Basic", func(t *testing.T) {
		s := providertest.NewServer(t)
		form := finish(authorize(t, s, begin()).Get("code"))
		form.Del("client_id")
		form.Del("client_secret")
		r := request(t, http.MethodPost, s.URL+"/token", form)
		basic(r, providertest.ClientID, providertest.ClientSecret)
		if a := do(t, r); a.status != http.StatusOK {
			t.Errorf("got %d %s, want 200", a.status, a.text)
		}
	})
	t.Run("public", func(t *testing.T) {
		s := providertest.NewServer(t)
		q := begin()
		q.Set("client_id", providertest.PublicClientID)
		form := finish(authorize(t, s, q).Get("code"))
		form.Set("client_id", providertest.PublicClientID)
		form.Del("client_secret")
		if a := post(t, s.URL+"/token", form); a.status != http.StatusOK {
			t.Errorf("got %d %s, want 200", a.status, a.text)
		}
	})
	t.Run("verifier without challenge", func(t *testing.T) {
		s := providertest.NewServer(t)
		q := begin()
		q.Del("code_challenge")
		q.Del("code_challenge_method")
		if a := post(t, s.URL+"/token", finish(authorize(t, s, q).Get("code"))); a.body["error"] != "invalid_grant" {
			t.Errorf("got %d %s, want invalid_grant", a.status, a.text)
		}
	})
}

func TestCodeUsedTwice(t *testing.T) {
	s := providertest.NewServer(t)
	form := finish(authorize(t, s, begin()).Get("code"))
	first := post(t, s.URL+"/token", form)
	at := first.body["access_token"].(string)
	if u := get(t, s.URL+"/userinfo", at); u.status != http.StatusOK {
		t.Fatalf("userinfo answered %d", u.status)
	}
	if a := post(t, s.URL+"/token", form); a.body["error"] != "invalid_grant" {
		t.Errorf("the second use: got %s, want invalid_grant", a.text)
	}
	if u := get(t, s.URL+"/userinfo", at); u.status != http.StatusUnauthorized {
		t.Error("the tokens of the first use still work")
	}
}

func TestCodeExpires(t *testing.T) {
	s := providertest.NewServer(t)
	now := time.Now()
	s.Now = func() time.Time { return now }
	for age, want := range map[time.Duration]int{59 * time.Second: http.StatusOK, 61 * time.Second: http.StatusBadRequest} {
		form := finish(authorize(t, s, begin()).Get("code"))
		now = now.Add(age)
		if a := post(t, s.URL+"/token", form); a.status != want {
			t.Errorf("a code after %v: got %d, want %d", age, a.status, want)
		}
	}
}

func TestAccessTokenExpires(t *testing.T) {
	s := providertest.NewServer(t)
	now := time.Now()
	s.Now = func() time.Time { return now }
	at := tokens(t, s, begin())["access_token"].(string)
	now = now.Add(time.Hour + time.Second)
	if u := get(t, s.URL+"/userinfo", at); u.status != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", u.status)
	}
}

func TestUserinfoRefuses(t *testing.T) {
	s := providertest.NewServer(t)
	at := tokens(t, s, begin())["access_token"].(string)
	for name, test := range map[string]struct {
		change func(r *http.Request)
		want   int
	}{
		"nothing":       {func(r *http.Request) {}, http.StatusUnauthorized},
		"unknown token": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, http.StatusUnauthorized},
		"in the URL":    {func(r *http.Request) { r.URL.RawQuery = "access_token=" + at }, http.StatusBadRequest},
		"twice":         {func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + at, "Bearer " + at} }, http.StatusBadRequest},
		"Basic":         {func(r *http.Request) { r.SetBasicAuth("x", at) }, http.StatusBadRequest},
		"lower case":    {func(r *http.Request) { r.Header.Set("Authorization", "bearer "+at) }, http.StatusOK},
		"PUT":           {func(r *http.Request) { r.Method = http.MethodPut }, http.StatusMethodNotAllowed},
	} {
		r := request(t, http.MethodGet, s.URL+"/userinfo", nil)
		test.change(r)
		a := do(t, r)
		if a.status != test.want {
			t.Errorf("%s: got %d, want %d", name, a.status, test.want)
		}
		if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: 401 without WWW-Authenticate", name)
		}
	}
	if a := post(t, s.URL+"/userinfo", url.Values{"access_token": {at}}); a.status != http.StatusOK {
		t.Errorf("in the form: got %d, want 200", a.status)
	}
}
