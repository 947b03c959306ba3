package providertest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store/memstore"
)

// In a real test package the function is called TestContract.
func ExampleRun() {
	testContract := func(t *testing.T) {
		providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
			return byHand{service: srv.URL}
		})
	}
	_ = testContract
}

// A test logs Ada in to an app, with a client that does what a browser does.
func ExampleNewServer() {
	t := new(testing.T) // the one that your test is given

	srv := providertest.NewServer(t)
	defer srv.Close() // in a real test, t does this
	srv.Profile = map[string]any{"sub": "7", "name": "Ada"}

	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	defer app.Close()
	auth, err := middleware.New(middleware.Config{
		BaseURL: app.URL,
		Secret:  "k2vJx8Qm4tZ0rLw9Yb6Np3Hs7Df1Gc5A",
		Store:   memstore.New(),
	}, srv.Provider())
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/auth/", auth.Handler())
	mux.Handle("/", auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!", middleware.CurrentUser(r.Context()).Name)
	})))

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	resp, err := browser.Get(app.URL + "/auth/login/test")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(page))
	// Output: Hello, Ada!
}
