package providertest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider/providertest"
)

const (
	callback = "https://app.example.test/callback?tenant=7"
	verifier = "a-verifier-of-forty-three-characters-or-more-0123456789"
)

func s256(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// begin is a good authorization request.
func begin() url.Values {
	return url.Values{
		"response_type":         {"code"},
		"client_id":             {providertest.ClientID},
		"redirect_uri":          {callback},
		"scope":                 {"openid email profile offline_access"},
		"state":                 {"a state"},
		"nonce":                 {"a nonce"},
		"code_challenge":        {s256(verifier)},
		"code_challenge_method": {"S256"},
	}
}

// finish is the token request that belongs to begin.
func finish(code string) url.Values {
	return url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {callback},
		"client_id":     {providertest.ClientID},
		"client_secret": {providertest.ClientSecret},
		"code_verifier": {verifier},
	}
}

func authorize(t *testing.T, s *providertest.Server, q url.Values) url.Values {
	t.Helper()
	back, err := s.Authorize(s.URL + "/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

func do(t *testing.T, r *http.Request) answer {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(b)}
	json.Unmarshal(b, &a.body)
	return a
}

func request(t *testing.T, method, to string, form url.Values) *http.Request {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, to, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func post(t *testing.T, to string, form url.Values) answer {
	t.Helper()
	return do(t, request(t, http.MethodPost, to, form))
}

func get(t *testing.T, to, token string) answer {
	t.Helper()
	r := request(t, http.MethodGet, to, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return do(t, r)
}

// tokens logs someone in and returns the token endpoint's answer.
func tokens(t *testing.T, s *providertest.Server, q url.Values) map[string]any {
	t.Helper()
	a := post(t, s.URL+"/token", finish(authorize(t, s, q).Get("code")))
	if a.status != http.StatusOK {
		t.Fatalf("token endpoint answered %d: %s", a.status, a.text)
	}
	return a.body
}

func payload(t *testing.T, token any) map[string]any {
	t.Helper()
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want a JWT", text)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestLogin(t *testing.T) {
	s := providertest.NewServer(t)
	back := authorize(t, s, begin())
	if back.Get("state") != "a state" || back.Get("iss") != s.URL || back.Get("tenant") != "7" {
		t.Errorf("the app got %v, want state, iss and its own parameter", back)
	}
	tok := tokens(t, s, begin())
	claims := payload(t, tok["id_token"])
	at := tok["access_token"].(string)
	half := sha256.Sum256([]byte(at))
	for name, want := range map[string]any{
		"iss": s.URL, "aud": providertest.ClientID, "azp": providertest.ClientID, "nonce": "a nonce",
		"sub": "100200300", "at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
	} {
		if claims[name] != want {
			t.Errorf("claim %s: got %v, want %v", name, claims[name], want)
		}
	}
	if claims["sid"] == nil || claims["email"] != nil {
		t.Errorf("the ID token has sid %v and email %v, want a sid and no email", claims["sid"], claims["email"])
	}
	u := get(t, s.URL+"/userinfo", at)
	if u.status != http.StatusOK || u.body["sub"] != "100200300" || u.body["email"] != "tove@example.test" || u.body["locale"] != "sv-SE" {
		t.Errorf("userinfo answered %d: %s", u.status, u.text)
	}
	if u.body["address"] != nil || u.body["phone_number"] != nil {
		t.Errorf("userinfo told an address or a phone number without their scopes: %s", u.text)
	}
	for endpoint, want := range map[string]int{"authorize": 2, "token": 1, "userinfo": 1, "jwks": 0} {
		if got := s.Requests(endpoint); got != want {
			t.Errorf("Requests(%q): got %d, want %d", endpoint, got, want)
		}
	}
}

func TestScopesDecideWhatIsTold(t *testing.T) {
	s := providertest.NewServer(t)
	q := begin()
	q.Set("scope", "openid address phone")
	tok := tokens(t, s, q)
	if tok["refresh_token"] != nil {
		t.Error("a refresh token came without offline_access")
	}
	u := get(t, s.URL+"/userinfo", tok["access_token"].(string))
	if u.body["address"] == nil || u.body["phone_number"] == nil || u.body["email"] != nil || u.body["name"] != nil {
		t.Errorf("userinfo told %s, want address and phone number only", u.text)
	}
	q.Set("scope", "email")
	tok = tokens(t, s, q)
	if tok["id_token"] != nil {
		t.Error("an ID token came without the scope openid")
	}
	if u := get(t, s.URL+"/userinfo", tok["access_token"].(string)); u.status != http.StatusForbidden {
		t.Errorf("userinfo without the scope openid: got %d, want 403", u.status)
	}
}

func TestPlainOAuth2(t *testing.T) {
	s := providertest.NewServer(t)
	s.Profile = map[string]any{"sub": "9007199254740993", "name": "Ada", "preferred_username": "ada", "email": "ada@example.test"}
	q := begin()
	back, err := s.Authorize(s.URL + "/oauth2/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if a := post(t, s.URL+"/token", finish(back.Get("code"))); a.body["error"] != "invalid_grant" {
		t.Errorf("a code of the other flavour: got %s, want invalid_grant", a.text)
	}
	back, err = s.Authorize(s.URL + "/oauth2/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	a := post(t, s.URL+"/oauth2/token", finish(back.Get("code")))
	if a.status != http.StatusOK || a.body["id_token"] != nil || a.body["refresh_token"] == nil {
		t.Fatalf("token endpoint answered %d: %s", a.status, a.text)
	}
	u := get(t, s.URL+"/oauth2/user", a.body["access_token"].(string))
	if !strings.Contains(u.text, `"id":9007199254740993`) || u.body["login"] != "ada" || u.body["email"] != "ada@example.test" {
		t.Errorf("profile: got %s", u.text)
	}
	if u := get(t, s.URL+"/userinfo", a.body["access_token"].(string)); u.status != http.StatusUnauthorized {
		t.Errorf("userinfo took a token of the other flavour: %d", u.status)
	}
}

func TestProofAgain(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		params url.Values
		want   time.Time
	}{
		"plain":        {nil, now.Add(-time.Hour)},
		"prompt=login": {url.Values{"prompt": {"login"}}, now},
		"max_age=0":    {url.Values{"max_age": {"0"}}, now},
		"max_age=9000": {url.Values{"max_age": {"9000"}}, now.Add(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			s := providertest.NewServer(t)
			s.Now = func() time.Time { return now }
			q := begin()
			for k, v := range test.params {
				q[k] = v
			}
			if got := payload(t, tokens(t, s, q)["id_token"])["auth_time"]; got != float64(test.want.Unix()) {
				t.Errorf("auth_time: got %v, want %v", got, test.want.Unix())
			}
		})
	}
}

func TestRefresh(t *testing.T) {
	s := providertest.NewServer(t)
	tok := tokens(t, s, begin())
	first := tok["refresh_token"].(string)
	renew := func(token string) answer {
		return post(t, s.URL+"/token", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token},
			"client_id": {providertest.ClientID}, "client_secret": {providertest.ClientSecret},
		})
	}
	s.ExpireTokens()
	if u := get(t, s.URL+"/userinfo", tok["access_token"].(string)); u.status != http.StatusUnauthorized {
		t.Errorf("an expired token: got %d, want 401", u.status)
	}
	a := renew(first)
	second, _ := a.body["refresh_token"].(string)
	if a.status != http.StatusOK || second == "" || second == first {
		t.Fatalf("renewal answered %d: %s", a.status, a.text)
	}
	if claims := payload(t, a.body["id_token"]); claims["nonce"] != nil || claims["sub"] != "100200300" {
		t.Errorf("the ID token of a renewal has nonce %v and sub %v", claims["nonce"], claims["sub"])
	}
	at := a.body["access_token"].(string)
	if u := get(t, s.URL+"/userinfo", at); u.status != http.StatusOK {
		t.Errorf("the renewed token: got %d, want 200", u.status)
	}
	if a := renew(first); a.body["error"] != "invalid_grant" {
		t.Errorf("a used refresh token: got %s, want invalid_grant", a.text)
	}
	if u := get(t, s.URL+"/userinfo", at); u.status != http.StatusUnauthorized {
		t.Error("a refresh token was used twice and the tokens that came of it still work")
	}
	if a := renew(second); a.body["error"] != "invalid_grant" {
		t.Errorf("the family of a reused refresh token: got %s, want invalid_grant", a.text)
	}
}

func TestRevoke(t *testing.T) {
	for _, kind := range []string{"access_token", "refresh_token"} {
		s := providertest.NewServer(t)
		tok := tokens(t, s, begin())
		form := url.Values{"token": {tok[kind].(string)}}
		if a := post(t, s.URL+"/revoke", form); a.status != http.StatusUnauthorized {
			t.Errorf("revocation by nobody: got %d, want 401", a.status)
		}
		form.Set("client_id", providertest.ClientID)
		form.Set("client_secret", providertest.ClientSecret)
		for range 2 {
			if a := post(t, s.URL+"/revoke", form); a.status != http.StatusOK {
				t.Errorf("revoke %s: got %d, want 200", kind, a.status)
			}
		}
		if u := get(t, s.URL+"/userinfo", tok["access_token"].(string)); u.status != http.StatusUnauthorized {
			t.Errorf("the access token still works after its %s was withdrawn", kind)
		}
	}
}

func TestKeys(t *testing.T) {
	s := providertest.NewServer(t)
	kid := func() string {
		keys := get(t, s.URL+"/jwks", "").body["keys"].([]any)
		if len(keys) != 1 {
			t.Fatalf("got %d keys, want 1", len(keys))
		}
		return keys[0].(map[string]any)["kid"].(string)
	}
	before := kid()
	if kid() != before {
		t.Error("the key changed by itself")
	}
	s.RotateKeys()
	if kid() == before {
		t.Error("RotateKeys kept the key")
	}
}

func TestLogout(t *testing.T) {
	s := providertest.NewServer(t)
	id := tokens(t, s, begin())["id_token"].(string)
	q := url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"https://app.example.test/bye"}, "state": {"s&t"}}
	a := get(t, s.URL+"/logout?"+q.Encode(), "")
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != "https://app.example.test/bye?state=s%26t" {
		t.Errorf("logout answered %d to %q", a.status, got)
	}
	for name, change := range map[string]func(url.Values){
		"no token at all": func(q url.Values) { q.Del("id_token_hint") },
		"forged token":    func(q url.Values) { q.Set("id_token_hint", id[:len(id)-8]+"AAAAAAAA") },
		"javascript URL":  func(q url.Values) { q.Set("post_logout_redirect_uri", "javascript:alert(1)") },
	} {
		q := url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"https://app.example.test/bye"}}
		change(q)
		if a := get(t, s.URL+"/logout?"+q.Encode(), ""); a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("%s: got %d to %q, want 400 and no redirect", name, a.status, a.header.Get("Location"))
		}
	}
}

func TestBackchannelLogout(t *testing.T) {
	s := providertest.NewServer(t)
	var got url.Values
	status := http.StatusOK
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		got = r.PostForm
		w.WriteHeader(status)
	})
	if err := s.BackchannelLogout(t.Context(), app.URL, "7", "sid-1"); err != nil {
		t.Fatal(err)
	}
	claims := payload(t, got.Get("logout_token"))
	if claims["iss"] != s.URL || claims["aud"] != providertest.ClientID || claims["sub"] != "7" || claims["sid"] != "sid-1" ||
		claims["jti"] == nil || claims["nonce"] != nil || claims["events"] == nil {
		t.Errorf("logout token: got %v", claims)
	}
	status = http.StatusBadRequest
	if err := s.BackchannelLogout(t.Context(), app.URL, "7", ""); err == nil {
		t.Error("the app refused the logout token and BackchannelLogout said nothing")
	}
}
