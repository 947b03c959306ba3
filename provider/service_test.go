package provider_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

const (
	svcID     = "svc-client"
	svcSecret = "s:e c%r+e&t-canary"
	svcState  = "state-canary"
	svcCode   = "code-canary"
	svcBack   = "https://app.example/auth/callback/svc"
)

// A service is an OAuth 2.0 service that does what a test tells it to, and
// remembers what it was asked.
type service struct {
	*httptest.Server
	token, user http.HandlerFunc
	more        map[string]http.HandlerFunc

	mu   sync.Mutex
	seen []seen
}

// seen is one request that reached the service.
type seen struct {
	method, host, path string
	body               string
	header             http.Header
	query, form        url.Values
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{
		token: answer(200, `{"access_token":"at-canary","token_type":"Bearer","refresh_token":"rt-canary","expires_in":3600,"scope":"a b"}`),
		user:  answer(200, `{"id":9007199254740993,"email":"Ada@x.example","verified":true,"name":"Ada","login":"ada","avatar":"https://i.example/a"}`),
		more:  map[string]http.HandlerFunc{},
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	form, _ := url.ParseQuery(string(b))
	s.mu.Lock()
	s.seen = append(s.seen, seen{r.Method, r.Host, r.URL.Path, string(b), r.Header.Clone(), r.URL.Query(), form})
	s.mu.Unlock()
	switch r.URL.Path {
	case "/token":
		s.token(w, r)
	case "/user":
		s.user(w, r)
	default:
		h, ok := s.more[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h(w, r)
	}
}

// asked returns what reached path.
func (s *service) asked(path string) []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []seen
	for _, x := range s.seen {
		if x.path == path {
			out = append(out, x)
		}
	}
	return out
}

// one returns the only request that reached path.
func (s *service) one(t testing.TB, path string) seen {
	t.Helper()
	got := s.asked(path)
	if len(got) != 1 {
		t.Fatalf("%s was asked %d times, want once", path, len(got))
	}
	return got[0]
}

func (s *service) definition() provider.OAuth2 {
	return provider.OAuth2{
		Info:     provider.Info{ID: "svc", Name: "Service"},
		Endpoint: oauth2.Endpoint{AuthURL: s.URL + "/authorize", TokenURL: s.URL + "/token"},
		Scopes:   []string{"a"},
		UserURL:  s.URL + "/user",
		Fields: provider.Fields{
			Subject: "id", Email: "email", EmailVerified: "verified", Name: "name", Username: "login", AvatarURL: "avatar",
		},
	}
}

// make returns the provider of the service's definition, changed.
func (s *service) make(t testing.TB, change func(*provider.OAuth2), opts ...provider.Option) provider.Provider {
	t.Helper()
	d := s.definition()
	if change != nil {
		change(&d)
	}
	p := d.New(svcID, svcSecret, opts...)
	if err := provider.Check(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func answer(status int, body string) http.HandlerFunc {
	return typed(status, "application/json", body)
}

func typed(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// begin begins a login and returns what was sent to the browser.
func begin(t testing.TB, p provider.Provider, req provider.Request) (provider.Request, provider.Redirect, url.Values) {
	t.Helper()
	if req.State == "" {
		req.State = svcState
	}
	if req.CallbackURL == "" {
		req.CallbackURL = svcBack
	}
	to, err := p.Begin(t.Context(), req)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	u, err := url.Parse(to.URL)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return req, to, u.Query()
}

// callback returns the callback of a login, with the named parameters in place
// of a code.
func callback(t testing.TB, req provider.Request, memo string, params ...string) provider.Callback {
	t.Helper()
	q := url.Values{"state": {req.State}}
	if len(params) == 0 {
		params = []string{"code", svcCode}
	}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	cb, err := provider.NewCallback(req, memo, q)
	if err != nil {
		t.Fatalf("NewCallback: %v", err)
	}
	return cb
}

// login goes all the way.
func login(t testing.TB, p provider.Provider, params ...string) (provider.Identity, provider.Token, error) {
	t.Helper()
	req, to, _ := begin(t, p, provider.Request{})
	id, tok, err := p.Complete(t.Context(), callback(t, req, to.Memo, params...))
	if err != nil && (id.Subject != "" || tok.AccessToken != "") {
		t.Errorf("beside an error came %v and %v", id.Subject, tok)
	}
	noCanary(t, err)
	return id, tok, err
}

// noCanary fails the test if the error gives a secret away.
func noCanary(t testing.TB, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("the error gives a secret away: %v", err)
	}
	var ue *url.Error
	var re *oauth2.RetrieveError
	if errors.As(err, &ue) || errors.As(err, &re) {
		t.Errorf("the error wraps one that prints a URL or a body: %v", err)
	}
}

// rejected fails the test unless err is an *Error with that step and reason.
func rejected(t testing.TB, err error, op, reason string) *provider.Error {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Provider != "svc" || e.Op != op || e.Reason != reason {
		t.Fatalf("got %q %q %q (%v), want svc %q %q", e.Provider, e.Op, e.Reason, err, op, reason)
	}
	noCanary(t, err)
	return e
}

// rejectedAny fails the test unless err is an *Error that gives nothing away.
func rejectedAny(t testing.TB, err error) {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) || e.Reason == "" {
		t.Errorf("got %v, want an *Error with a reason", err)
	}
	noCanary(t, err)
}

// response returns what a transport without a network answers.
func response(req *http.Request, status int, kind, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// rejectedOp is rejected for tests in which the reason differs.
func rejectedOp(t testing.TB, err error, op string) *provider.Error {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) || e.Op != op || e.Reason == "" {
		t.Fatalf("got %v, want an *Error of %s with a reason", err, op)
	}
	noCanary(t, err)
	return e
}

// quiet keeps what a test server has to say of a broken handshake from the output.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
