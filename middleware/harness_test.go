package middleware_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// secret is no secret: it is long and random enough to pass.
const secret = "pYx0C1q8vK2mWz7RtLhN4sJd6FbGaE3uQoVi9ITk"

const baseURL = "https://app.example.com"

// A fakeProvider logs in whoever the code names. It makes no request.
type fakeProvider struct {
	info     provider.Info
	mu       sync.Mutex
	people   map[string]provider.Identity // by code
	tokens   map[string]provider.Token    // by code
	memos    map[string]bool
	begun    []provider.Request
	calls    int
	revoked  []provider.Token
	complete func(ctx context.Context, cb provider.Callback) error // runs first
	refresh  func(ctx context.Context, tok provider.Token) (provider.Token, error)
	revoke   func(ctx context.Context, tok provider.Token) error
}

func newFake(id string) *fakeProvider {
	return &fakeProvider{
		info:   provider.Info{ID: id, Name: strings.ToUpper(id)},
		people: make(map[string]provider.Identity), tokens: make(map[string]provider.Token), memos: make(map[string]bool),
	}
}

func (p *fakeProvider) Info() provider.Info { return p.info }

func (p *fakeProvider) Begin(_ context.Context, req provider.Request) (provider.Redirect, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = append(p.begun, req)
	memo := rand.Text()
	p.memos[req.State+memo] = true
	u := "https://" + p.info.ID + ".example/authorize?" + url.Values{
		"state": {req.State}, "redirect_uri": {req.CallbackURL}, "scope": req.Scopes,
	}.Encode()
	return provider.Redirect{URL: u, Memo: memo}, nil
}

func (p *fakeProvider) Complete(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
	p.mu.Lock()
	p.calls++
	first := p.complete
	p.mu.Unlock()
	if first != nil {
		if err := first(ctx, cb); err != nil {
			return provider.Identity{}, provider.Token{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fail := func(err error) (provider.Identity, provider.Token, error) {
		return provider.Identity{}, provider.Token{}, &provider.Error{Provider: p.info.ID, Op: "exchange", Err: err}
	}
	if cb.Param("error") != "" {
		return fail(provider.ErrDenied)
	}
	if !p.memos[cb.Param("state")+cb.Memo()] {
		return fail(errors.New("memo is not this login's"))
	}
	id, ok := p.people[cb.Param("code")]
	if !ok {
		return fail(errors.New("no such code"))
	}
	return id, p.tokens[cb.Param("code")], nil
}

func (p *fakeProvider) Refresh(ctx context.Context, tok provider.Token) (provider.Token, error) {
	p.mu.Lock()
	f := p.refresh
	p.mu.Unlock()
	if f == nil {
		return provider.Token{}, &provider.Error{Provider: p.info.ID, Op: "refresh", Err: provider.ErrRevoked}
	}
	return f(ctx, tok)
}

func (p *fakeProvider) Revoke(ctx context.Context, tok provider.Token) error {
	p.mu.Lock()
	p.revoked = append(p.revoked, tok)
	f := p.revoke
	p.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, tok)
}

// person makes code log in an identity with that subject.
func (p *fakeProvider) person(code string, id provider.Identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id.Provider = p.info.ID
	if id.Issuer == "" {
		id.Issuer = "https://" + p.info.ID + ".example"
	}
	p.people[code] = id
	p.tokens[code] = provider.Token{AccessToken: "at-" + code, RefreshToken: "rt-" + code, Scopes: []string{"basic"}}
}

func (p *fakeProvider) completions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// A clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// An app is a small net/http app with an Auth, two fake providers and a log.
type app struct {
	t             testing.TB
	auth          *middleware.Auth
	store         store.Store
	github, other *fakeProvider
	clock         *clock
	mux           *http.ServeMux
	log           *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newApp makes an app; change may alter its Config. It has the providers github
// and other, if none are given.
func newApp(t testing.TB, change func(*middleware.Config), providers ...provider.Provider) *app {
	t.Helper()
	a := &app{
		t: t, github: newFake("github"), other: newFake("other"),
		clock: &clock{now: time.Now().UTC().Truncate(time.Second)}, log: &logBuffer{},
	}
	cfg := middleware.Config{
		BaseURL: baseURL, Secret: secret, Store: memstore.New(),
		Logger: logTo(a.log),
	}
	cfg.Session.Now = a.clock.Now
	if change != nil {
		change(&cfg)
	}
	a.store = cfg.Store
	if providers == nil {
		providers = []provider.Provider{a.github, a.other}
	}
	var err error
	if a.auth, err = middleware.New(cfg, providers...); err != nil {
		t.Fatalf("New: %v", err)
	}
	a.mux = http.NewServeMux()
	a.mux.Handle("/auth/", a.auth.Handler())
	a.mux.Handle("/private", a.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", middleware.CurrentUser(r.Context()).Name)
	})))
	a.mux.Handle("/fresh", a.auth.RequireFresh(5*time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "fresh")
	})))
	a.mux.Handle("/", a.auth.LoadUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := middleware.CurrentUser(r.Context()); u != nil {
			fmt.Fprintf(w, "user %s", u.ID)
			return
		}
		fmt.Fprint(w, "visitor")
	})))
	return a
}

// A browser keeps cookies and says of its requests what Chromium says.
type browser struct {
	t       testing.TB
	app     *app
	cookies map[string]*http.Cookie
}

func (a *app) browser() *browser {
	return &browser{t: a.t, app: a, cookies: make(map[string]*http.Cookie)}
}

// A step changes a request before it is sent.
type step func(*http.Request)

func header(name, value string) step {
	return func(r *http.Request) {
		if value == "" {
			r.Header.Del(name)
			return
		}
		r.Header.Set(name, value)
	}
}

// crossSite marks a request that another site brought about.
func crossSite(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }

// typed marks one whose address the person typed.
func typed(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") }

// script marks a request of a page's script.
func script(r *http.Request) {
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	r.Header.Set("Accept", "application/json")
}

// get loads a page as if the person had clicked on one of the app's pages.
func (b *browser) get(path string, steps ...step) *http.Response {
	b.t.Helper()
	return b.send(httptest.NewRequest(http.MethodGet, baseURL+path, nil), steps...)
}

// post submits a form of one of the app's pages.
func (b *browser) post(path string, form url.Values, steps ...step) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodPost, baseURL+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", baseURL)
	return b.send(r, steps...)
}

func (b *browser) send(r *http.Request, steps ...step) *http.Response {
	b.t.Helper()
	r.RequestURI = r.URL.RequestURI()
	r.Header.Set("User-Agent", "Mozilla/5.0 (test)")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	for _, s := range steps {
		s(r)
	}
	w := httptest.NewRecorder()
	b.app.mux.ServeHTTP(w, r)
	resp := w.Result()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return resp
}

// begin starts a login and returns its state.
func (b *browser) begin(providerID string, steps ...step) string {
	b.t.Helper()
	resp := b.get("/auth/login/"+providerID+"?return_to=/private", steps...)
	return b.stateOf(resp)
}

func (b *browser) stateOf(resp *http.Response) string {
	b.t.Helper()
	if resp.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("begin: got status %d, want 303: %s", resp.StatusCode, body(b.t, resp))
	}
	u, err := resp.Location()
	if err != nil {
		b.t.Fatalf("begin: %v", err)
	}
	return u.Query().Get("state")
}

// callback comes back from the provider, which is another site.
func (b *browser) callback(providerID, state, code string, steps ...step) *http.Response {
	b.t.Helper()
	q := url.Values{"state": {state}, "code": {code}}
	return b.get("/auth/callback/"+providerID+"?"+q.Encode(), append([]step{crossSite}, steps...)...)
}

// login goes the whole way and fails the test unless it ends well.
func (b *browser) login(providerID, code string) {
	b.t.Helper()
	resp := b.callback(providerID, b.begin(providerID), code)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/private" {
		b.t.Fatalf("login with %s as %s: got %d to %q, want 303 to /private: %s\n%s", providerID, code,
			resp.StatusCode, resp.Header.Get("Location"), body(b.t, resp), b.app.log)
	}
}

// whoami returns the ID of the browser's user, or "".
func (b *browser) whoami() string {
	b.t.Helper()
	s := body(b.t, b.get("/"))
	id, _ := strings.CutPrefix(s, "user ")
	if s == "visitor" {
		return ""
	}
	return id
}

func (b *browser) sessionCookie() string {
	if c := b.cookies["__Host-session"]; c != nil {
		return c.Value
	}
	return ""
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatalf("read body: %v", err)
	}
	return b.String()
}

// requireRejected is what every refused request must satisfy: the status, the
// reason in the log once, no caching, no session, and nothing that was secret.
func requireRejected(t testing.TB, a *app, b *browser, resp *http.Response, status int, reason string) {
	t.Helper()
	text := body(t, resp)
	if resp.StatusCode != status {
		t.Errorf("got status %d, want %d: %s", resp.StatusCode, status, text)
	}
	if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-session" && c.MaxAge >= 0 {
			t.Errorf("a refused request began a session")
		}
	}
	logged := a.log.String()
	if n := strings.Count(logged, "reason="+reason+" "); n != 1 {
		t.Errorf("got %d log lines with reason %s, want 1:\n%s", n, reason, logged)
	}
	for _, c := range b.cookies {
		if len(c.Value) > 8 && (strings.Contains(logged, c.Value) || strings.Contains(text, c.Value)) {
			t.Errorf("the value of cookie %s stands in the log or on the page", c.Name)
		}
	}
}
