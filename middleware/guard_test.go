package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
)

func sessionAt(c *clock) session.Config { return session.Config{Now: c.Now} }

// silence removes what newer browsers say about a request.
func silence(r *http.Request) {
	for _, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin", "Referer"} {
		r.Header.Del(name)
	}
}

func all(steps ...step) step {
	return func(r *http.Request) {
		for _, s := range steps {
			s(r)
		}
	}
}

func TestStartGuard(t *testing.T) {
	const begins, asks, refused = 303, 200, 403
	machine := all(silence, header("User-Agent", "curl/8"))
	for _, tc := range []struct {
		name      string
		step      step
		get, post int
	}{
		{"same-origin", all(), begins, begins},
		{"same-origin with a null origin", header("Origin", "null"), begins, begins},
		{"same-origin that contradicts itself", header("Origin", "https://evil.example"), asks, refused},
		{"typed", all(typed, header("Origin", "")), begins, begins},
		{"same-site", header("Sec-Fetch-Site", "same-site"), asks, refused},
		{"cross-site", all(crossSite, header("Origin", "https://evil.example")), asks, refused},
		{"an unknown word", header("Sec-Fetch-Site", "friendly"), asks, refused},
		{"old browser, own origin", all(silence, header("Origin", baseURL)), begins, begins},
		{"old browser, own referer", all(silence, header("Referer", baseURL+"/page")), begins, begins},
		{"old browser, other origin", all(silence, header("Origin", "https://app.example.com.evil.example")), asks, refused},
		{"old browser, http origin", all(silence, header("Origin", "http://app.example.com")), asks, refused},
		{"old browser, null origin", all(silence, header("Origin", "null")), asks, refused},
		{"old browser, other referer", all(silence, header("Referer", "https://evil.example/"+baseURL)), asks, refused},
		{"old browser, silent", silence, asks, asks},
		{"machine", machine, begins, begins},
		{"an image", all(crossSite, header("Sec-Fetch-Mode", "no-cors"), header("Sec-Fetch-Dest", "image")), refused, refused},
		{"a frame", header("Sec-Fetch-Dest", "iframe"), refused, begins},
		{"a script", header("Sec-Fetch-Mode", "cors"), refused, begins},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, nil)
			for method, want := range map[string]int{http.MethodGet: tc.get, http.MethodPost: tc.post} {
				b := a.browser()
				var resp *http.Response
				if method == http.MethodGet {
					resp = b.get("/auth/login/github?return_to=/private", tc.step)
				} else {
					resp = b.post("/auth/login/github", url.Values{"return_to": {"/private"}}, tc.step)
				}
				if resp.StatusCode != want {
					t.Errorf("%s: got %d, want %d", method, resp.StatusCode, want)
				}
				if begun := len(b.cookies) > 0; begun != (want == begins) {
					t.Errorf("%s: a flow was begun: %v", method, begun)
				}
				if want == asks {
					text := body(t, resp)
					if !strings.Contains(text, `<form method="post" action="/auth/login/github">`) || !strings.Contains(text, `value="/private"`) {
						t.Errorf("%s: want a page with one button: %s", method, text)
					}
				}
			}
		})
	}
}

func TestStartWhileLoggedIn(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	if resp := b.get("/auth/login/other", typed); resp.StatusCode != 200 {
		t.Errorf("typed: got %d, want a page that asks", resp.StatusCode)
	}
	if resp := b.get("/auth/login/other"); resp.StatusCode != 303 {
		t.Errorf("clicked: got %d, want 303", resp.StatusCode)
	}
}

func TestMethodsAndPrefetch(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	state := b.begin("github")
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete} {
		for _, path := range []string{"/auth/login/github", "/auth/callback/github?code=ada&state=" + state, "/auth/logout", "/auth/link/github"} {
			resp := b.send(httptest.NewRequest(method, baseURL+path, nil))
			if resp.StatusCode != 405 || resp.Header.Get("Allow") == "" || len(resp.Cookies()) > 0 {
				t.Errorf("%s %s: got %d, Allow %q, %d cookies; want 405 and nothing done", method, path, resp.StatusCode, resp.Header.Get("Allow"), len(resp.Cookies()))
			}
		}
	}
	for _, name := range []string{"Sec-Purpose", "Purpose"} {
		resp := b.get("/auth/login/github", header(name, "prefetch;prerender"))
		if resp.StatusCode != 204 || len(resp.Cookies()) > 0 {
			t.Errorf("%s: got %d, want 204 and nothing done", name, resp.StatusCode)
		}
	}
	if resp := b.callback("github", state, "ada"); resp.StatusCode != 303 {
		t.Errorf("the login under way was harmed: got %d", resp.StatusCode)
	}
}

func TestLogoutGuard(t *testing.T) {
	for _, tc := range []struct {
		name string
		step step
		out  bool
	}{
		{"own", all(), true},
		{"typed", all(typed, header("Origin", "")), true},
		{"cross-site", all(crossSite, header("Origin", "https://evil.example")), false},
		{"null origin", all(silence, header("Origin", "null")), false},
		{"silent", silence, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, nil)
			a.github.person("ada", ada)
			b := a.browser()
			b.login("github", "ada")
			b.post("/auth/logout", nil, tc.step)
			if out := b.whoami() == ""; out != tc.out {
				t.Errorf("logged out: %v, want %v", out, tc.out)
			}
		})
	}
}

func TestSilentBrowserWithTheFormsToken(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	page := body(t, b.get("/auth/account"))
	_, rest, _ := strings.Cut(page, `action="/auth/link/other">`)
	_, rest, _ = strings.Cut(rest, `name="csrf" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if resp := b.post("/auth/link/other", url.Values{"csrf": {token}}, silence); resp.StatusCode != 303 {
		t.Errorf("with the token: got %d, want 303", resp.StatusCode)
	}
	if resp := b.post("/auth/unlink/github", url.Values{"csrf": {token}}, silence); resp.StatusCode != 403 {
		t.Errorf("with another form's token: got %d, want 403", resp.StatusCode)
	}
	second := a.browser()
	second.login("github", "ada")
	if resp := second.post("/auth/link/other", url.Values{"csrf": {token}}, silence); resp.StatusCode != 403 {
		t.Errorf("with another session's token: got %d, want 403", resp.StatusCode)
	}
}

func TestSessionJSON(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	if got := body(t, b.get("/auth/session", script)); strings.TrimSpace(got) != `{"user":null}` {
		t.Errorf("visitor: got %s", got)
	}
	b.login("github", "ada")
	resp := b.get("/auth/session", script)
	if got := body(t, resp); !strings.Contains(got, `"name":"Ada"`) || strings.Contains(got, "ada@") {
		t.Errorf("got %s", got)
	}
	if resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("headers: %v", resp.Header)
	}
	if resp := b.get("/auth/session", script, crossSite); resp.StatusCode != 403 {
		t.Errorf("cross-site: got %d, want 403", resp.StatusCode)
	}
}

func TestRequireUserAnswers(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	for _, tc := range []struct {
		name        string
		step        step
		status      int
		contentType string
	}{
		{"a page", all(), 303, ""},
		{"a script", script, 401, "application/json"},
		{"XHR", header("X-Requested-With", "XMLHttpRequest"), 401, ""},
		{"htmx", header("HX-Request", "true"), 401, ""},
		{"curl", all(silence, header("Accept", "*/*"), header("User-Agent", "curl/8")), 401, "text/plain; charset=utf-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp := b.get("/private", tc.step)
			if got := resp.Header.Get("Content-Type"); resp.StatusCode != tc.status || tc.contentType != "" && got != tc.contentType {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, got, tc.status, tc.contentType)
			}
		})
	}
	if resp := b.post("/private", nil); resp.StatusCode != 401 {
		t.Errorf("POST: got %d, want 401", resp.StatusCode)
	}
}

func TestLoopbackNames(t *testing.T) {
	a := newApp(t, nil)
	auth, err := middleware.New(middleware.Config{BaseURL: "http://localhost:5000", Secret: secret, Store: a.store}, a.github)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"127.0.0.1:5000":    "http://localhost:5000/auth/login/github?return_to=/x",
		"[::1]:5000":        "http://localhost:5000/auth/login/github?return_to=/x",
		"evil.example:5000": "https://github.example/authorize",
		"localhost:5000":    "https://github.example/authorize",
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/auth/login/github?return_to=/x", nil)
		r.Header.Set("Sec-Fetch-Site", "none")
		w := httptest.NewRecorder()
		auth.Handler().ServeHTTP(w, r)
		if got := w.Header().Get("Location"); !strings.HasPrefix(got, want) {
			t.Errorf("Host %s: got %q, want %q", host, got, want)
		}
	}
	// In public, Host is ignored: a proxy may have changed it.
	r := httptest.NewRequest(http.MethodGet, "http://internal:8080/auth/login/github", nil)
	r.Header.Set("Sec-Fetch-Site", "none")
	w := httptest.NewRecorder()
	a.auth.Handler().ServeHTTP(w, r)
	if got := w.Header().Get("Location"); !strings.Contains(got, url.QueryEscape(baseURL+"/auth/callback/github")) {
		t.Errorf("got %q, want a callback below BaseURL", got)
	}
}

func TestFormPostCallback(t *testing.T) {
	a := newApp(t, nil)
	apple := newFake("apple")
	apple.info.PostsBack = true
	apple.person("ada", provider.Identity{Subject: "a-1", Name: "Ada"})
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: a.store, Session: sessionAt(a.clock)}, a.github, apple)
	if err != nil {
		t.Fatal(err)
	}
	a.auth, a.mux = auth, http.NewServeMux()
	a.mux.Handle("/auth/", auth.Handler())
	a.mux.Handle("/private", auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})))
	a.mux.Handle("/", auth.LoadUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := middleware.CurrentUser(r.Context()); u != nil {
			_, _ = w.Write([]byte("user " + u.ID))
			return
		}
		_, _ = w.Write([]byte("visitor"))
	})))
	a.github.person("ada", ada)

	// A cross-site POST brings no cookie that is Lax.
	formPost := func(b *browser, form url.Values) *http.Response {
		bare := a.browser()
		resp := bare.post("/auth/callback/apple", form, crossSite, header("Origin", "https://apple.example"))
		for name, c := range bare.cookies {
			b.cookies[name] = c
		}
		return resp
	}
	b := a.browser()
	state := b.begin("apple")
	resp := formPost(b, url.Values{"state": {state}, "code": {"ada"}, "user": {`{"name":{}}`}})
	if got, want := resp.Header.Get("Location"), "/auth/callback/apple?state="+state; resp.StatusCode != 303 || got != want {
		t.Fatalf("POST: got %d to %q, want 303 to %q", resp.StatusCode, got, want)
	}
	for _, c := range resp.Cookies() {
		if c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %s is not Lax", c.Name)
		}
	}
	if apple.completions() != 0 {
		t.Error("the POST was judged")
	}
	if resp := b.get(resp.Header.Get("Location"), crossSite); resp.StatusCode != 303 || resp.Header.Get("Location") != "/private" {
		t.Fatalf("GET: got %d to %q: %s", resp.StatusCode, resp.Header.Get("Location"), body(t, resp))
	}
	if b.whoami() == "" {
		t.Error("not logged in")
	}

	// Linking through it: the session is seen, whoever posts.
	c := a.browser()
	c.login("github", "ada")
	apple.person("link", provider.Identity{Subject: "a-2", Name: "Ada"})
	state = c.stateOf(c.post("/auth/link/apple", nil))
	resp = formPost(c, url.Values{"state": {state}, "code": {"link"}})
	if resp := c.get(resp.Header.Get("Location"), crossSite); resp.StatusCode != 303 || resp.Header.Get("Location") != "/auth/account" {
		t.Errorf("link: got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}

	// Somebody else's link, posted into this browser.
	victim := a.browser()
	victim.login("apple", "ada")
	evil := a.browser()
	evil.login("github", "ada")
	state = evil.stateOf(evil.post("/auth/link/apple", nil))
	resp = formPost(victim, url.Values{"state": {state}, "code": {"link"}})
	if resp := victim.get(resp.Header.Get("Location"), crossSite); resp.StatusCode != 400 {
		t.Errorf("somebody else's link: got %d, want 400", resp.StatusCode)
	}
	for name, form := range map[string]url.Values{
		"no state":    {"code": {"ada"}},
		"twice":       {"state": {state, state}, "code": {"ada"}},
		"a long code": {"state": {state}, "code": {strings.Repeat("x", 3000)}},
	} {
		if resp := formPost(a.browser(), form); resp.StatusCode != 400 || len(resp.Cookies()) != 0 {
			t.Errorf("%s: got %d and %d cookies, want 400 and none", name, resp.StatusCode, len(resp.Cookies()))
		}
	}
	big := strings.NewReader("state=" + state + "&code=" + strings.Repeat("x", 70<<10))
	r := httptest.NewRequest(http.MethodPost, baseURL+"/auth/callback/apple", big)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp := a.browser().send(r); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 70 KB: got %d, want 413", resp.StatusCode)
	}
}
