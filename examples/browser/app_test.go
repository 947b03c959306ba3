package browser_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store/memstore"
)

// An app is one of this process, for settings that the example does not have. It
// is at localhost and the service at 127.0.0.1: to a browser these are two
// sites, which two ports of one host are not.
type app struct {
	url     string
	service string
}

// newApp starts an app with a page for whoever is logged in and one for whoever
// has proved lately who they are. Set, if not nil, changes its settings.
func newApp(t *testing.T, set func(*middleware.Config)) *app {
	t.Helper()
	service, err := providertest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	srv := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := middleware.Config{
		BaseURL: "http://localhost:" + port,
		Secret:  rand.Text() + rand.Text(),
		Store:   memstore.New(),
		Logger:  slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	cfg.Session.Remember = 60 * 24 * time.Hour
	if set != nil {
		set(&cfg)
	}
	auth, err := middleware.New(cfg, service.Provider(), service.OAuth2())
	if err != nil {
		t.Fatal(err)
	}
	page := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s: %s\n", name, middleware.CurrentUser(r.Context()).Name)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth.Handler())
	mux.Handle("/notes", auth.RequireUser(page("notes")))
	mux.Handle("/danger", auth.RequireFresh(5*time.Minute)(page("danger")))
	srv.Config.Handler = mux
	srv.Start()
	t.Cleanup(srv.Close)
	return &app{cfg.BaseURL, service.URL}
}
