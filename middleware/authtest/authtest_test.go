package authtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/middleware/authtest"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func TestClient(t *testing.T) {
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	users := memstore.New()
	auth, err := middleware.New(middleware.Config{
		BaseURL: srv.URL, Secret: "pYx0C1q8vK2mWz7RtLhN4sJd6FbGaE3uQoVi9ITk", Store: users,
	}, providertest.NewServer(t).Provider())
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/auth/", auth.Handler())
	mux.Handle("/", auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, middleware.CurrentUser(r.Context()).Name)
	})))
	get := func(c *http.Client) (int, string) {
		resp, err := c.Get(srv.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	clients := make(map[string]*http.Client)
	for _, name := range []string{"Ada", "Bob"} {
		u := &store.User{Name: name}
		if err := users.CreateUser(context.Background(), u, &store.Account{Key: store.Key{Provider: "test", Subject: name}}); err != nil {
			t.Fatal(err)
		}
		clients[name] = authtest.Client(t, auth, u.ID)
	}
	for name, c := range clients {
		if status, got := get(c); status != 200 || got != name {
			t.Errorf("got %d %q, want 200 %q", status, got, name)
		}
	}
	// The client may change things, as a click on one of the app's pages would.
	resp, err := clients["Ada"].Post(srv.URL+"/auth/logout", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if status, _ := get(clients["Ada"]); status != http.StatusUnauthorized {
		t.Errorf("after logout: got %d, want 401", status)
	}
	if status, got := get(clients["Bob"]); status != 200 || got != "Bob" {
		t.Errorf("the other client: got %d %q", status, got)
	}
}
