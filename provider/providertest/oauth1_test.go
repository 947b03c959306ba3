package providertest_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider/providertest"
)

// A signer signs requests as an app does, from RFC 5849 and apart from the code
// that the service checks them with.
type signer struct {
	key, secret, token, tokenSecret string
	method                          string // HMAC-SHA1 if empty
	time, nonce                     string // now and a new one if empty
	more                            map[string]string
	spoil                           func(params map[string]string) // after signing
}

func enc(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (g signer) sign(r *http.Request, form url.Values) {
	p := map[string]string{
		"oauth_consumer_key":     g.key,
		"oauth_signature_method": g.method,
		"oauth_timestamp":        g.time,
		"oauth_nonce":            g.nonce,
		"oauth_version":          "1.0",
	}
	maps.Copy(p, g.more)
	if g.token != "" {
		p["oauth_token"] = g.token
	}
	var pairs []string
	for k, v := range p {
		pairs = append(pairs, enc(k)+"="+enc(v))
	}
	for _, values := range []url.Values{r.URL.Query(), form} {
		for k, list := range values {
			for _, v := range list {
				pairs = append(pairs, enc(k)+"="+enc(v))
			}
		}
	}
	slices.Sort(pairs)
	base := r.Method + "&" + enc(r.URL.Scheme+"://"+r.URL.Host+r.URL.EscapedPath()) + "&" + enc(strings.Join(pairs, "&"))
	h := map[string]func() hash.Hash{"HMAC-SHA256": sha256.New}[g.method]
	if h == nil {
		h = sha1.New
	}
	mac := hmac.New(h, []byte(enc(g.secret)+"&"+enc(g.tokenSecret)))
	mac.Write([]byte(base))
	p["oauth_signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if g.spoil != nil {
		g.spoil(p)
	}
	var parts []string
	for k, v := range p {
		parts = append(parts, fmt.Sprintf(`%s="%s"`, enc(k), enc(v)))
	}
	r.Header.Set("Authorization", "OAuth "+strings.Join(parts, ", "))
}

func app1() signer {
	return signer{
		key: providertest.ClientID, secret: providertest.ClientSecret, method: "HMAC-SHA1",
		time: fmt.Sprint(time.Now().Unix()), nonce: fmt.Sprint(time.Now().UnixNano()),
	}
}

// call sends a signed request and reads an answer that is a form.
func (g signer) call(t *testing.T, method, to string, form url.Values) (int, url.Values) {
	t.Helper()
	r := request(t, method, to, form)
	g.sign(r, form)
	a := do(t, r)
	v, _ := url.ParseQuery(a.text)
	return a.status, v
}

// allowed begins a login and lets the person say yes.
func allowed(t *testing.T, s *providertest.Server) (tok, tokSecret, verifier string) {
	t.Helper()
	g := app1()
	g.more = map[string]string{"oauth_callback": callback + "&state=a+state"}
	status, v := g.call(t, http.MethodPost, s.URL+"/oauth1/request_token", nil)
	if status != http.StatusOK || v.Get("oauth_callback_confirmed") != "true" {
		t.Fatalf("request_token answered %d: %v", status, v)
	}
	back, err := s.Authorize(s.URL + "/oauth1/authorize?oauth_token=" + url.QueryEscape(v.Get("oauth_token")))
	if err != nil {
		t.Fatal(err)
	}
	if back.Get("state") != "a state" || back.Get("tenant") != "7" || back.Get("oauth_token") != v.Get("oauth_token") {
		t.Fatalf("the app got %v", back)
	}
	return v.Get("oauth_token"), v.Get("oauth_token_secret"), back.Get("oauth_verifier")
}

func TestOAuth1Login(t *testing.T) {
	for _, method := range []string{"HMAC-SHA1", "HMAC-SHA256"} {
		t.Run(method, func(t *testing.T) {
			s := providertest.NewServer(t)
			tok, tokSecret, verifier := allowed(t, s)
			g := app1()
			g.method, g.token, g.tokenSecret = method, tok, tokSecret
			g.more = map[string]string{"oauth_verifier": verifier}
			status, v := g.call(t, http.MethodPost, s.URL+"/oauth1/access_token", nil)
			if status != http.StatusOK {
				t.Fatalf("access_token answered %d", status)
			}
			g = app1()
			g.method, g.token, g.tokenSecret = method, v.Get("oauth_token"), v.Get("oauth_token_secret")
			r := request(t, http.MethodGet, s.URL+"/oauth1/user?include=é&include=a%20b&x=%2F", nil)
			g.sign(r, nil)
			if a := do(t, r); a.status != http.StatusOK || a.body["login"] != "tove" || a.body["id"] != float64(100200300) {
				t.Errorf("profile: got %d %s", a.status, a.text)
			}
			form := url.Values{"a": {"1 +", "0"}, "Z": {"ü"}}
			r = request(t, http.MethodGet, s.URL+"/oauth1/user", form)
			g.nonce += "x"
			g.sign(r, form)
			if a := do(t, r); a.status != http.StatusOK {
				t.Errorf("profile with a form: got %d %s", a.status, a.text)
			}
		})
	}
}

func TestOAuth1RequestTokenRefuses(t *testing.T) {
	s := providertest.NewServer(t)
	for name, test := range map[string]struct {
		change func(g *signer)
		want   int
	}{
		"good":             {func(g *signer) {}, http.StatusOK},
		"wrong secret":     {func(g *signer) { g.secret = "x" }, http.StatusUnauthorized},
		"unknown key":      {func(g *signer) { g.key = "x" }, http.StatusUnauthorized},
		"plain text":       {func(g *signer) { g.method = "PLAINTEXT" }, http.StatusUnauthorized},
		"old timestamp":    {func(g *signer) { g.time = fmt.Sprint(time.Now().Add(-time.Hour).Unix()) }, http.StatusUnauthorized},
		"future timestamp": {func(g *signer) { g.time = fmt.Sprint(time.Now().Add(time.Hour).Unix()) }, http.StatusUnauthorized},
		"no timestamp":     {func(g *signer) { g.time = "" }, http.StatusBadRequest},
		"no nonce":         {func(g *signer) { g.nonce = "" }, http.StatusBadRequest},
		"no callback":      {func(g *signer) { g.more = nil }, http.StatusBadRequest},
		"out of band":      {func(g *signer) { g.more = map[string]string{"oauth_callback": "oob"} }, http.StatusBadRequest},
		"a token":          {func(g *signer) { g.token = "x" }, http.StatusUnauthorized},
		"version 2":        {func(g *signer) { g.more["oauth_version"] = "2.0" }, http.StatusBadRequest},
		"callback exchanged": {func(g *signer) {
			g.spoil = func(p map[string]string) { p["oauth_callback"] = "https://evil.example.test/" }
		}, http.StatusUnauthorized},
		"no signature":    {func(g *signer) { g.spoil = func(p map[string]string) { delete(p, "oauth_signature") } }, http.StatusBadRequest},
		"empty signature": {func(g *signer) { g.spoil = func(p map[string]string) { p["oauth_signature"] = "AAAA" } }, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			g := app1()
			g.more = map[string]string{"oauth_callback": callback}
			test.change(&g)
			if status, v := g.call(t, http.MethodPost, s.URL+"/oauth1/request_token", nil); status != test.want || (v.Get("oauth_token") != "") != (test.want == http.StatusOK) {
				t.Errorf("got %d %v, want %d", status, v, test.want)
			}
		})
	}
	t.Run("replay", func(t *testing.T) {
		g := app1()
		g.more = map[string]string{"oauth_callback": callback}
		if status, _ := g.call(t, http.MethodPost, s.URL+"/oauth1/request_token", nil); status != http.StatusOK {
			t.Fatalf("got %d, want 200", status)
		}
		if status, _ := g.call(t, http.MethodPost, s.URL+"/oauth1/request_token", nil); status != http.StatusUnauthorized {
			t.Errorf("the same nonce again: got %d, want 401", status)
		}
	})
	t.Run("body not signed", func(t *testing.T) {
		g := app1()
		g.more = map[string]string{"oauth_callback": callback}
		r := request(t, http.MethodPost, s.URL+"/oauth1/request_token", url.Values{"a": {"b"}})
		g.sign(r, nil)
		if a := do(t, r); a.status != http.StatusUnauthorized {
			t.Errorf("got %d, want 401", a.status)
		}
	})
}

func TestOAuth1AccessTokenRefuses(t *testing.T) {
	for name, change := range map[string]func(g *signer){
		"wrong verifier":     func(g *signer) { g.more["oauth_verifier"] = "x" },
		"no verifier":        func(g *signer) { g.more = nil },
		"wrong token secret": func(g *signer) { g.tokenSecret = "x" },
		"other token":        func(g *signer) { g.token = "x" },
		"no token":           func(g *signer) { g.token = "" },
	} {
		t.Run(name, func(t *testing.T) {
			s := providertest.NewServer(t)
			tok, tokSecret, verifier := allowed(t, s)
			g := app1()
			g.token, g.tokenSecret, g.more = tok, tokSecret, map[string]string{"oauth_verifier": verifier}
			change(&g)
			if status, v := g.call(t, http.MethodPost, s.URL+"/oauth1/access_token", nil); status != http.StatusUnauthorized || v.Get("oauth_token") != "" {
				t.Errorf("got %d %v, want 401", status, v)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		s := providertest.NewServer(t)
		tok, tokSecret, verifier := allowed(t, s)
		for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
			g := app1()
			g.token, g.tokenSecret, g.more = tok, tokSecret, map[string]string{"oauth_verifier": verifier}
			if status, _ := g.call(t, http.MethodPost, s.URL+"/oauth1/access_token", nil); status != want {
				t.Errorf("got %d, want %d", status, want)
			}
		}
	})
	t.Run("before the person said yes", func(t *testing.T) {
		s := providertest.NewServer(t)
		g := app1()
		g.more = map[string]string{"oauth_callback": callback}
		_, v := g.call(t, http.MethodPost, s.URL+"/oauth1/request_token", nil)
		g = app1()
		g.token, g.tokenSecret, g.more = v.Get("oauth_token"), v.Get("oauth_token_secret"), map[string]string{"oauth_verifier": ""}
		if status, _ := g.call(t, http.MethodPost, s.URL+"/oauth1/access_token", nil); status != http.StatusUnauthorized {
			t.Errorf("got %d, want 401", status)
		}
	})
}

func TestOAuth1Deny(t *testing.T) {
	s := providertest.NewServer(t)
	s.Deny = true
	g := app1()
	g.more = map[string]string{"oauth_callback": callback}
	_, v := g.call(t, http.MethodPost, s.URL+"/oauth1/request_token", nil)
	page := s.URL + "/oauth1/authorize?oauth_token=" + url.QueryEscape(v.Get("oauth_token"))
	back, err := s.Authorize(page)
	if err != nil {
		t.Fatal(err)
	}
	if back.Get("denied") != v.Get("oauth_token") || back.Get("oauth_verifier") != "" {
		t.Errorf("the app got %v", back)
	}
	if _, err := s.Authorize(page); err == nil {
		t.Error("a denied login could be taken up again")
	}
}
