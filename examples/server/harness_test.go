// The tests are in package main, since nobody else can import it.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/gatepass/gatepass/provider/providertest"
)

// A world has the example in it, the services that it offers, and the network
// between them. Nothing leaves this machine.
type world struct {
	t   *testing.T
	app *app
	srv *httptest.Server
	cfg config

	github, x, google, test *providertest.Server
}

// newWorld starts the example with a database in memory.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldIn(t, memory)
}

func newWorldIn(t *testing.T, db string) *world {
	t.Helper()
	w := &world{
		t:      t,
		github: providertest.NewServer(t), x: providertest.NewServer(t),
		google: providertest.NewServer(t), test: providertest.NewServer(t),
	}
	w.github.Profile = onGitHub(583231, "mjhea0", "Michael")
	w.github.Alter = func(a *providertest.Answer) {
		if strings.HasSuffix(a.Request.URL.Path, "/user/emails") {
			a.Body = []any{}
		}
	}
	w.x.Profile = onX("42", "mjhea0", "Michael")
	w.google.Profile = map[string]any{
		"sub": "1001", "name": "Michael Herman", "email": "michael@example.test", "email_verified": true,
		"locale": "de", "address": map[string]any{"country": "Switzerland", "locality": "Zug"},
	}
	w.srv = httptest.NewUnstartedServer(nil)
	w.cfg = config{
		BaseURL: baseURL("", w.srv.Listener.Addr()),
		DB:      db,
		Secret:  mustSecret(t),
		Providers: []provider.Provider{
			catalog.GitHub(providertest.ClientID, providertest.ClientSecret, through(w.github)),
			catalog.X(providertest.ClientID, providertest.ClientSecret, through(w.x)),
			catalog.Google(providertest.ClientID, providertest.ClientSecret, through(w.google)),
			w.test.Provider(),
		},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	w.app = w.open()
	w.srv.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.app.ServeHTTP(rw, r) })
	w.srv.Start()
	t.Cleanup(func() {
		w.srv.Close()
		w.app.Close()
	})
	return w
}

func (w *world) open() *app {
	w.t.Helper()
	a, err := newApp(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// restart ends the program and starts it again.
func (w *world) restart() {
	w.t.Helper()
	if err := w.app.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.app = w.open()
}

func through(s *providertest.Server) provider.Option {
	return provider.WithHTTPClient(&http.Client{Transport: s.Transport()})
}

func mustSecret(t *testing.T) string {
	t.Helper()
	s, err := newSecret()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func onGitHub(id int, login, name string) map[string]any {
	return map[string]any{"id": id, "login": login, "name": name, "location": "Denver"}
}

func onX(id, username, name string) map[string]any {
	return map[string]any{"sub": id, "data": map[string]any{"id": id, "username": username, "name": name}}
}

// RoundTrip makes a world the network that browsers are in.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	switch host := r.URL.Hostname(); host {
	case "localhost", "127.0.0.1":
		return http.DefaultTransport.RoundTrip(r)
	case "github.com":
		return w.github.Transport().RoundTrip(r)
	case "x.com":
		return w.x.Transport().RoundTrip(r)
	case "accounts.google.com":
		return w.google.Transport().RoundTrip(r)
	default:
		return nil, fmt.Errorf("a browser wants to go to %s", host)
	}
}

// A visitor is a person with a browser.
type visitor struct {
	w      *world
	jar    *cookiejar.Jar
	client *http.Client
}

func (w *world) visitor() *visitor {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w, jar, &http.Client{Jar: jar, Transport: w}}
}

// A view is what a visitor sees.
type view struct {
	t      *testing.T
	status int
	path   string // with the query
	html   string
	header http.Header
}

// get follows a link on a page of the app, wherever it leads.
func (v *visitor) get(path string) view {
	v.w.t.Helper()
	return v.send(http.MethodGet, path, nil, "same-origin")
}

// types enters an address by hand.
func (v *visitor) types(path string) view {
	v.w.t.Helper()
	return v.send(http.MethodGet, path, nil, "none")
}

// post presses a button on a page of the app.
func (v *visitor) post(path string, form url.Values) view {
	v.w.t.Helper()
	return v.send(http.MethodPost, path, form, "same-origin")
}

func (v *visitor) send(method, path string, form url.Values, site string) view {
	v.w.t.Helper()
	r, err := http.NewRequestWithContext(v.w.t.Context(), method, v.w.cfg.BaseURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.w.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", v.w.cfg.BaseURL)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	res, err := v.client.Do(r)
	if err != nil {
		v.w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return view{v.w.t, res.StatusCode, res.Request.URL.RequestURI(), string(body), res.Header}
}

// login logs in with the service, as whoever it says.
func (v *visitor) login(service string) {
	v.w.t.Helper()
	v.get("/auth/login/"+service).is(http.StatusOK, "/").sees("You are logged in")
}

// cookies returns what the browser keeps for the app.
func (v *visitor) cookies() []*http.Cookie {
	u, err := url.Parse(v.w.cfg.BaseURL)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return v.jar.Cookies(u)
}

// copied returns another browser with a copy of v's cookies, as a thief has.
func (v *visitor) copied() *visitor {
	v.w.t.Helper()
	u, err := url.Parse(v.w.cfg.BaseURL)
	if err != nil {
		v.w.t.Fatal(err)
	}
	thief := v.w.visitor()
	thief.jar.SetCookies(u, v.cookies())
	return thief
}

// main is what stands out on the page.
func (p view) main() string {
	_, after, ok := strings.Cut(p.html, "<main")
	if !ok {
		return p.html
	}
	before, _, _ := strings.Cut(after, "</main>")
	return "<main" + before
}

func (p view) is(status int, path string) view {
	p.t.Helper()
	if p.status != status || p.path != path {
		p.t.Fatalf("got %d at %s, want %d at %s\n%s", p.status, p.path, status, path, p.main())
	}
	return p
}

func (p view) sees(words ...string) view {
	p.t.Helper()
	for _, w := range words {
		if !strings.Contains(p.html, w) {
			p.t.Fatalf("at %s: want %q in\n%s", p.path, w, p.main())
		}
	}
	return p
}

func (p view) seesNot(words ...string) view {
	p.t.Helper()
	for _, w := range words {
		if strings.Contains(p.html, w) {
			p.t.Fatalf("at %s: want no %q in\n%s", p.path, w, p.main())
		}
	}
	return p
}

// count returns how many rows of a table meet a condition.
func (w *world) count(table, condition string, args ...any) int64 {
	w.t.Helper()
	var n int64
	if err := w.app.db.Table(table).Where(condition, args...).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

// file returns the name of a database that goes with the test.
func file(t *testing.T) string { return filepath.Join(t.TempDir(), "users.db") }
