package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// remount makes the app's Auth anew, with c changed and more providers, over
// the same store, clock and log.
func (a *app) remount(change func(*middleware.Config), more ...provider.Provider) {
	a.t.Helper()
	was := *a
	*a = *newApp(a.t, func(c *middleware.Config) {
		c.Store, c.Session, c.Logger = was.store, sessionAt(was.clock), logTo(was.log)
		if change != nil {
			change(c)
		}
	}, append([]provider.Provider{was.github, was.other}, more...)...)
	a.github, a.other, a.clock, a.log = was.github, was.other, was.clock, was.log
}

func logTo(l *logBuffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// The URL of a callback has the code in it.
func TestPageOfARefusedCallbackSendsNoReferer(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	for name, resp := range map[string]*http.Response{
		"stale":  b.callback("github", strings.Repeat("A", 43), "ada"),
		"failed": b.callback("github", b.begin("github"), "nobody"),
	} {
		if got := resp.Header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: got Referrer-Policy %q, want no-referrer", name, got)
		}
		if text := body(t, resp); !strings.Contains(text, "/auth/login") || strings.Contains(text, "http") {
			t.Errorf("%s: want a way on and nothing from elsewhere: %s", name, text)
		}
	}
	// A page with a form tells browsers without Fetch Metadata where it came from.
	if got := b.get("/auth/login").Header.Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("login page: got Referrer-Policy %q, want same-origin", got)
	}
}

// A router may read an escaped slash as part of a name, and StripPrefix shows
// RequireUser another path than the browser asked for.
func TestRequireUserBehindAnotherPath(t *testing.T) {
	a := newApp(t, nil)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(299) })
	inner := http.NewServeMux()
	inner.Handle("/{name}", page)
	inner.Handle("/auth/account", page)
	guarded := a.auth.RequireUser(inner)
	mux := http.NewServeMux()
	mux.Handle("/", guarded)
	mux.Handle("/admin/", http.StripPrefix("/admin", guarded))
	for _, path := range []string{"/auth%2Flogin%2Fx", "/auth%2Fsession", "/%61uth%2Flogout", "/admin/auth/account", "/admin/auth%2Faccount"} {
		r := httptest.NewRequest(http.MethodGet, baseURL+path, nil)
		r.RequestURI = path
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code == 299 {
			t.Errorf("%s: a visitor passed", path)
		}
	}
}

// What nobody needs is not read.
func TestBodyThatNobodyAskedFor(t *testing.T) {
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	_ = m.WriteField("return_to", "/from-the-body")
	f, _ := m.CreateFormFile("file", "big")
	_, _ = f.Write(bytes.Repeat([]byte("x"), 1<<20))
	_ = m.Close()
	a := newApp(t, nil)
	for _, path := range []string{"/auth/login", "/auth/login/github", "/auth/reauth"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			body := &countingReader{r: bytes.NewReader(form.Bytes())}
			r := httptest.NewRequest(method, baseURL+path, body)
			r.Header.Set("Content-Type", m.FormDataContentType())
			resp := a.browser().send(r)
			if body.n > 0 || resp.StatusCode >= 500 {
				t.Errorf("%s %s: got %d, and %d bytes of a multipart body were read", method, path, resp.StatusCode, body.n)
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, baseURL+"/login", &countingReader{r: bytes.NewReader(form.Bytes())})
	r.Header.Set("Content-Type", m.FormDataContentType())
	if got := a.auth.ReturnTo(r); got != "/" || r.Body.(*countingReader).n > 0 {
		t.Errorf("ReturnTo: got %q, want the default, without reading files", got)
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func (c *countingReader) Close() error { return nil }

func TestLargeForms(t *testing.T) {
	a := newApp(t, nil)
	for _, path := range []string{"/auth/login/github", "/auth/logout", "/auth/link/github", "/auth/backchannel/github"} {
		b := a.browser()
		resp := b.post(path, url.Values{"return_to": {strings.Repeat("x", 10<<20)}})
		if resp.StatusCode != http.StatusRequestEntityTooLarge || len(resp.Cookies()) > 0 {
			t.Errorf("%s with 10 MB: got %d, want 413", path, resp.StatusCode)
		}
	}
}

// A stolen code, or one that was made up, in somebody's own callback.
func TestInjectedCode(t *testing.T) {
	s := newSite(t, allEngines)
	for _, id := range []string{"test", "test-oauth2"} {
		begin := func(c *http.Client, who any) url.Values {
			resp, err := c.Get(s.URL + s.auth.LoginPath(id, "/"))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			params, err := s.idp.AuthorizeAs(resp.Header.Get("Location"), who)
			if err != nil {
				t.Fatal(err)
			}
			return params
		}
		thief := s.visit(t)
		stolen, own := begin(s.visit(t), person(1)), begin(thief, person(2))
		own.Set("code", stolen.Get("code"))
		resp, err := thief.Get(s.auth.CallbackURL(id) + "?" + own.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 || len(s.signedUp) != 0 {
			t.Errorf("%s: got %d and %d users, want 400 and none", id, resp.StatusCode, len(s.signedUp))
		}
	}
}

// Only BaseURL says where people go.
func TestStartThatSaysWhereToGo(t *testing.T) {
	known := strings.Repeat("K", 43)
	for name, step := range map[string]step{
		"Host": func(r *http.Request) { r.Host = "evil.example" },
		"a proxy that rewrites Host": func(r *http.Request) {
			r.Host = "internal:8080"
			r.Header.Set("Origin", baseURL)
		},
		"X-Forwarded":    header("X-Forwarded-Host", "evil.example"),
		"scheme":         header("X-Forwarded-Proto", "http"),
		"Forwarded":      header("Forwarded", "host=evil.example;proto=http"),
		"Referer":        header("Referer", baseURL+"/evil"),
		"X-Original-URL": header("X-Original-URL", "/evil"),
	} {
		a := newApp(t, nil)
		a.github.person("ada", ada)
		b := a.browser()
		resp := b.get("/auth/login/github?state="+known+"&redirect_uri=https://evil.example&redir=https://evil.example&from=//evil.example", step)
		state := b.stateOf(resp)
		if state == known || strings.Contains(resp.Header.Get("Location"), "evil") || !strings.Contains(resp.Header.Get("Location"), url.QueryEscape(baseURL+"/auth/callback/github")) {
			t.Errorf("%s: got %q", name, resp.Header.Get("Location"))
		}
		if resp := b.callback("github", state, "ada", step); resp.StatusCode != 303 || resp.Header.Get("Location") != "/" {
			t.Errorf("%s: got %d to %q, want the default", name, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func TestForeignOrigins(t *testing.T) {
	paths := []string{"/auth/login/github", "/auth/logout", "/auth/link/other", "/auth/unlink/github", "/auth/reauth/github", "/auth/sessions/revoke"}
	silent := func(r *http.Request) {
		for _, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
			r.Header.Del(name)
		}
	}
	for _, origin := range []string{
		"null", "https://evil.example", "http://app.example.com", "https://app.example.com:444", "https://app.example.com.evil.example",
		"https://evil.example/https://app.example.com", "https://app.example.com@evil.example", "https://xapp.example.com", "https://app.example.com.",
	} {
		a := newApp(t, nil)
		a.github.person("ada", ada)
		b := a.browser()
		b.login("github", "ada")
		for _, path := range paths {
			for _, site := range []step{silent, crossSite, header("Sec-Fetch-Site", "same-site"), header("Sec-Fetch-Site", "unheard-of")} {
				resp := b.post(path, nil, site, header("Origin", origin))
				if resp.StatusCode != 403 || len(resp.Cookies()) > 0 {
					t.Errorf("%s from %s: got %d and %d cookies, want 403 and none", path, origin, resp.StatusCode, len(resp.Cookies()))
				}
			}
		}
		if b.whoami() == "" {
			t.Errorf("%s: logged out", origin)
		}
	}
}

// Whoever began to link is not there any more.
func TestLinkFinishedByAnotherUser(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	a.other.person("evil", provider.Identity{Subject: "o-9"})
	b := a.browser()
	b.login("github", "ada")
	state := b.stateOf(b.post("/auth/link/other", nil))
	flows := make(map[string]*http.Cookie)
	for name, c := range b.cookies {
		if strings.Contains(name, "-flow-") {
			flows[name] = c
		}
	}
	b.post("/auth/logout", nil)
	for name := range b.cookies {
		t.Errorf("logout left the cookie %s", name)
	}
	b.login("github", "bob")
	for name, c := range flows { // kept by somebody all the same
		b.cookies[name] = c
	}
	resp := b.callback("other", state, "evil")
	text := body(t, resp)
	resp.Body = io.NopCloser(strings.NewReader(text))
	requireRejected(t, a, b, resp, 400, "tx_user")
	if !strings.Contains(text, "another account") {
		t.Errorf("the page does not say why: %s", text)
	}
	if a.other.completions() != 0 || a.users(store.Key{Provider: "other", Subject: "o-9"}) != 0 {
		t.Error("the code was sent, or an account was linked")
	}
}

// A removal that comes late must not take what is another user's by now.
func TestUnlinkOfAnAccountThatMovedOn(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	a.other.person("both", provider.Identity{Subject: "o-1"})
	c := a.browser()
	c.login("github", "bob")
	thief := c.whoami()
	key := store.Key{Provider: "other", Subject: "o-1"}
	moving := &movingStore{Store: a.store, key: key, to: thief}
	a.store = moving
	a.remount(nil)
	b := a.browser()
	b.login("github", "ada")
	if resp := b.callback("other", b.stateOf(b.post("/auth/link/other", nil)), "both"); resp.StatusCode != 303 {
		t.Fatalf("link: got %d", resp.StatusCode)
	}
	moving.armed = true
	if resp := b.post("/auth/unlink/other", nil); resp.StatusCode >= 500 {
		t.Errorf("got %d", resp.StatusCode)
	}
	if acct, err := a.store.Account(context.Background(), key); err != nil || acct.UserID != thief {
		t.Errorf("got %v, %v; want the other user's account untouched", acct, err)
	}
}

// A movingStore gives an account to another user right after its first user's
// accounts were listed.
type movingStore struct {
	store.Store
	key   store.Key
	to    string
	armed bool
}

func (s *movingStore) UserAccounts(ctx context.Context, userID string) ([]store.Account, error) {
	list, err := s.Store.UserAccounts(ctx, userID)
	if s.armed && err == nil {
		s.armed = false
		err = errors.Join(s.Store.RemoveAccount(ctx, s.key, []string{"github"}), s.Store.AddAccount(ctx, &store.Account{Key: s.key, UserID: s.to}))
	}
	return list, err
}

// A proxy of a development server, which answers at another port.
func TestLoopbackProxyDoesNotLoop(t *testing.T) {
	a := newApp(t, nil)
	auth, err := middleware.New(middleware.Config{BaseURL: "http://localhost:5173", Secret: secret, Store: a.store}, a.github)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:5000/auth/login/github", nil)
	r.Header.Set("Sec-Fetch-Site", "none")
	w := httptest.NewRecorder()
	auth.Handler().ServeHTTP(w, r)
	if got := w.Header().Get("Location"); !strings.HasPrefix(got, "https://github.example/") {
		t.Errorf("got %d to %q, want the provider", w.Code, got)
	}
}

// Each method on each route, and routers with methods in their patterns.
func TestMethodsOnEachRoute(t *testing.T) {
	a := newApp(t, nil)
	mux := http.NewServeMux()
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"} {
		mux.Handle(method+" /auth/", a.auth.Handler())
	}
	a.mux = mux
	b := a.browser()
	for path, allow := range map[string]string{
		"/auth/login": "GET", "/auth/login/github": "GET, POST", "/auth/callback/github": "GET", "/auth/account": "GET",
		"/auth/link/github": "POST", "/auth/unlink/github": "POST", "/auth/reauth": "GET", "/auth/reauth/github": "POST",
		"/auth/sessions/revoke": "POST", "/auth/logout": "GET, POST", "/auth/session": "GET", "/auth/backchannel/github": "POST",
	} {
		for _, method := range []string{"HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"} {
			resp := b.send(httptest.NewRequest(method, baseURL+path, nil))
			if resp.StatusCode != 405 || resp.Header.Get("Allow") != allow || len(resp.Cookies()) > 0 {
				t.Errorf("%s %s: got %d, Allow %q, want 405, %q", method, path, resp.StatusCode, resp.Header.Get("Allow"), allow)
			}
		}
	}
	for _, name := range []string{"../github", "%2e%2e", "GITHUB", "g%C3%ACthub", strings.Repeat("x", 1024), "github/", "github/x", "github%00", "evil-reflected"} {
		resp := b.get("/auth/login/" + name)
		if text := body(t, resp); resp.StatusCode != 404 && resp.StatusCode/100 != 3 || strings.Contains(text, "evil-reflected") {
			t.Errorf("%s: got %d, want 404 that does not repeat it", name, resp.StatusCode)
		}
	}
}
