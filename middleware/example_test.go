package middleware_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// An app that logs people in with two services. Its own pages stand behind
// RequireUser.
func ExampleNew() {
	auth, err := middleware.New(middleware.Config{
		BaseURL: "https://app.example.com",
		Secret:  rand.Text() + rand.Text(), // yours stays the same, such as one from the environment
		Store:   memstore.New(),
	},
		catalog.GitHub("your-client-id", "your-client-secret"),
		catalog.Google("your-client-id", "your-client-secret"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth.Handler())
	mux.Handle("/", auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", middleware.CurrentUser(r.Context()).Name)
	})))

	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/reports?year=2026", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
	fmt.Println(auth.CallbackURL("github"))
	// Output:
	// 303 /auth/login?return_to=%2Freports%3Fyear%3D2026
	// https://app.example.com/auth/callback/github
}

// Every mistake is told at once.
func ExampleNew_incorrect() {
	_, err := middleware.New(middleware.Config{
		BaseURL: "http://app.example.com",
		Secret:  "changeme",
	}, catalog.GitHub("", ""))
	fmt.Println(err)
	// Output:
	// middleware: BaseURL: got http for app.example.com, want https: session cookies travel with every request; plain http is for localhost only
	// middleware: providers[0] (github): client ID is empty: set it, for instance from an environment variable
	// middleware: providers[0] (github): client secret is empty: set it, for instance from an environment variable
	// middleware: Store: got nil, want for instance one of gormstore.Open
	// middleware: session: Secret: want at least 32 random bytes; make them with: openssl rand -base64 32 (this one is too short)
}

// A handler that asks for the current user is tested without a login.
func ExampleWithUser() {
	profile := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "You are %s", middleware.CurrentUser(r.Context()).Name)
	}

	r := httptest.NewRequest(http.MethodGet, "/profile", nil)
	r = r.WithContext(middleware.WithUser(r.Context(), &store.User{ID: "1", Name: "Ada"}))
	w := httptest.NewRecorder()
	profile(w, r)
	fmt.Println(w.Body)
	// Output: You are Ada
}

// What further scopes bring stands in the account's profile.
func ExampleAuth_LoginIdentity() {
	users := memstore.New()
	auth, err := middleware.New(middleware.Config{
		BaseURL: "https://app.example.com", Secret: rand.Text() + rand.Text(), Store: users,
	}, catalog.Google("your-client-id", "your-client-secret", provider.WithScopes("address")))
	if err != nil {
		fmt.Println(err)
		return
	}
	// A phone app has logged in with Google itself, and the app has checked
	// the ID token that it sent.
	r := httptest.NewRequest(http.MethodPost, "https://app.example.com/phone", nil)
	err = auth.LoginIdentity(httptest.NewRecorder(), r, provider.Identity{
		Provider: "google", Issuer: "https://accounts.google.com", Subject: "1001", Name: "Ada",
		Raw: json.RawMessage(`{"sub": "1001", "address": {"country": "NO"}}`),
	}, provider.Token{})
	if err != nil {
		fmt.Println(err)
		return
	}
	acct, err := users.Account(context.Background(), store.Key{Provider: "google", Subject: "1001"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var more struct{ Address struct{ Country string } }
	if err := json.Unmarshal(acct.Profile, &more); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(more.Address.Country)
	// Output: NO
}
