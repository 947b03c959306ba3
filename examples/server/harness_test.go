// The tests are in package main, since nobody else can import it.
package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
