package catalog_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const (
	clientID     = "app-4711"
	clientSecret = "s3cret +/&=%"
	redirectURI  = "https://app.example/auth/callback/service"
	stateValue   = "state-of-this-login"
)

// A service answers as one real service does, and as no other: it fails the
// test at whatever the provider sends that the service would not expect.
// It is for this package's fixtures what providertest.Server cannot be, which
// is lenient about the words of services that it does not know.
type service struct {
	t      *testing.T
	script script
	vars   map[string]string
	next   int // call that is due
}

// A script is testdata/<id>/login.json: what is sent and answered in one login.
type script struct {
	Authorize struct {
		URL, Fragment, Spaces string
		Query                 map[string]string
	}
	Reauth    map[string]string // what Begin adds to be proved again
	Callback  map[string]string
	Documents map[string]any // by URL: what anybody may GET
	Keys      string         // URL of the keys that sign ID tokens
	Claims    map[string]any // of the ID token
	Calls     []call
	Token     wantToken
	Refused   struct {
		Answer answer
		Code   string
	}
	Withdrawn *answer // to the refresh of a grant that is gone, if not as in RFC 6749
	Refresh   *call
	Revoke    []call
	Variants  []variant

	alg string // by which the ID token is signed, RS256 if empty
}

type call struct {
	Name    string
	Request struct {
		Method, URL                  string
		Query, Headers, Form, OAuth1 map[string]string
		JSON                         map[string]any
	}
	Answer answer
}

type answer struct {
	Status int
	Type   string
	Body   any
}

type wantToken struct {
	AccessToken, RefreshToken, Secret, Type string
	Scopes                                  []string
	Expires                                 bool
}

// newService has vars that every login has.
func newService(t *testing.T, s script) *service {
	return &service{t: t, script: s, vars: map[string]string{
		"client_id":     clientID,
		"client_secret": clientSecret,
		"client_basic":  base64.StdEncoding.EncodeToString([]byte(clientID + ":" + clientSecret)),
		// RFC 6749 section 2.3.1
		"basic":         base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(clientID) + ":" + url.QueryEscape(clientSecret))),
		"redirect_uri":  redirectURI,
		"state":         stateValue,
		"code":          s.Callback["code"],
		"access_token":  s.Token.AccessToken,
		"refresh_token": s.Token.RefreshToken,
		"proof":         proof(s.Token.AccessToken),
	}}
}

func proof(token string) string {
	mac := hmac.New(sha256.New, []byte(clientSecret))
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *service) fill(text string) string {
	for name, value := range s.vars {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// begun checks the authorization URL, as it is after the extra parameters are
// taken off, and notes what binds the login together.
func (s *service) begun(raw string, extra map[string]string) {
	s.t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	q := u.Query()
	s.vars["nonce"], s.vars["challenge"] = q.Get("nonce"), q.Get("code_challenge")
	want := maps.Clone(s.script.Authorize.Query)
	maps.Copy(want, extra)
	s.same("query of the authorization URL", q, want)
	if got := u.Scheme + "://" + u.Host + u.EscapedPath(); got != s.script.Authorize.URL {
		s.t.Errorf("authorization URL: got %s, want %s", got, s.script.Authorize.URL)
	}
	if u.Fragment != s.script.Authorize.Fragment {
		s.t.Errorf("fragment of the authorization URL: got %q, want %q", u.Fragment, s.script.Authorize.Fragment)
	}
	if s.script.Authorize.Spaces == "%20" && strings.Contains(u.RawQuery, "+") {
		s.t.Errorf("authorization URL: want spaces as %%20: %s", u.RawQuery)
	}
	for _, name := range []string{"nonce", "code_challenge"} {
		if _, ok := want[name]; ok && len(q.Get(name)) < 43 {
			s.t.Errorf("%s: got %q, want 256 bits", name, q.Get(name))
		}
	}
}

func (s *service) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	if req.Header.Get("User-Agent") == "" {
		s.t.Errorf("%s: no User-Agent", req.URL)
	}
	at := req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath()
	if doc, ok := s.script.Documents[at]; ok && req.Method == http.MethodGet {
		s.anybody(req)
		return s.respond(req, answer{Status: 200, Body: doc}), nil
	}
	if at == s.script.Keys {
		s.anybody(req)
		return s.respond(req, answer{Status: 200, Body: jwks()}), nil
	}
	if s.next >= len(s.script.Calls) {
		s.t.Errorf("unexpected request: %s %s", req.Method, at)
		return s.respond(req, answer{Status: 599}), nil
	}
	c := s.script.Calls[s.next]
	s.next++
	s.check(c, at, req, body)
	return s.respond(req, c.Answer), nil
}

// anybody checks that a request for a public document tells nothing.
func (s *service) anybody(req *http.Request) {
	if req.Header.Get("Authorization") != "" || req.URL.RawQuery != "" || req.Method != http.MethodGet {
		s.t.Errorf("%s: want a GET that tells nothing", req.URL.Path)
	}
}

func (s *service) check(c call, at string, req *http.Request, body string) {
	want := c.Request
	if want.Method != req.Method || s.fill(want.URL) != at {
		s.t.Errorf("%s request: got %s %s, want %s %s", c.Name, req.Method, at, want.Method, s.fill(want.URL))
	}
	s.same(c.Name+" query", req.URL.Query(), want.Query)
	for name, value := range want.Headers {
		if got := req.Header.Get(name); got != s.fill(value) {
			s.t.Errorf("%s header %s: got %q, want %q", c.Name, name, got, s.fill(value))
		}
	}
	auth := req.Header.Get("Authorization")
	switch {
	case want.OAuth1 != nil:
		s.checkOAuth1(c, auth)
	case want.Headers["Authorization"] == "" && auth != "":
		s.t.Errorf("%s: unexpected header Authorization", c.Name)
	}
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	switch {
	case want.Form != nil:
		got, err := url.ParseQuery(body)
		if err != nil || kind != "application/x-www-form-urlencoded" {
			s.t.Errorf("%s: want a form, got Content-Type %q (%v)", c.Name, kind, err)
		}
		s.same(c.Name+" form", got, want.Form)
	case want.JSON != nil:
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil || kind != "application/json" {
			s.t.Errorf("%s: want JSON, got Content-Type %q (%v)", c.Name, kind, err)
		}
		s.same(c.Name+" JSON", values(got), texts(want.JSON))
	case body != "":
		s.t.Errorf("%s: unexpected body", c.Name)
	}
}

// same compares parameters. A verifier that fits the challenge is {verifier}.
func (s *service) same(what string, got url.Values, want map[string]string) {
	s.t.Helper()
	flat := map[string]string{}
	for name, list := range got {
		if len(list) != 1 {
			s.t.Errorf("%s: %s is given %d times", what, name, len(list))
		}
		flat[name] = list[0]
	}
	filled := map[string]string{}
	for name, value := range want {
		filled[name] = s.fill(value)
	}
	if v, ok := flat["code_verifier"]; ok && filled["code_verifier"] == "{verifier}" {
		sum := sha256.Sum256([]byte(v))
		if s.vars["challenge"] == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != s.vars["challenge"] {
			s.t.Errorf("%s: code_verifier does not fit code_challenge", what)
		}
		filled["code_verifier"] = v
	}
	if v := flat["client_secret"]; strings.Count(v, ".") == 2 && strings.HasPrefix(v, "eyJ") {
		checkAppleSecret(s.t, v)
		filled["client_secret"] = v
	}
	if !maps.Equal(flat, filled) {
		s.t.Errorf("%s: got %v, want %v", what, flat, filled)
	}
}

func values(m map[string]any) url.Values {
	v := url.Values{}
	for name, value := range texts(m) {
		v.Set(name, value)
	}
	return v
}

func texts(m map[string]any) map[string]string {
	out := map[string]string{}
	for name, value := range m {
		out[name] = fmt.Sprint(value)
	}
	return out
}

func (s *service) respond(req *http.Request, a answer) *http.Response {
	kind := "application/json"
	if a.Type != "" {
		kind = a.Type
	}
	var body []byte
	if text, ok := a.Body.(string); ok {
		body = []byte(text)
	} else if a.Body != nil {
		var err error
		if body, err = json.Marshal(a.Body); err != nil {
			s.t.Fatal(err)
		}
	}
	text := string(body)
	if strings.Contains(text, "{id_token}") {
		text = strings.ReplaceAll(text, "{id_token}", s.idToken())
	}
	text = strings.ReplaceAll(text, "{state}", stateValue)
	return &http.Response{
		StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {kind}},
		Body:    io.NopCloser(strings.NewReader(text)),
		Request: req,
	}
}

// decode keeps numbers as they are written.
func decode(t testing.TB, data []byte, v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// contains reports whether every member of want stands in got.
func contains(got, want map[string]any) bool {
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			return false
		}
	}
	return true
}
