// Custom logs people in with a service that the library does not know: a
// Discourse forum. Its provider is the twenty lines of [Forum], and a helper
// that signs.
//
// Most services need less: one that speaks OpenID Connect is a provider.OIDC
// value, and one that speaks OAuth 2.0 a provider.OAuth2 value.
//
// In the forum's settings, turn on "enable discourse connect provider" and set
// the secret for localhost:8080. Then:
//
//	export FORUM=https://forum.example.com FORUM_SECRET=… SECRET=$(openssl rand -base64 32)
//	go run ./examples/custom
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store/memstore"
)

func main() {
	app, err := newApp("http://localhost:8080", os.Getenv("SECRET"), os.Getenv("FORUM"), os.Getenv("FORUM_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://localhost:8080")
	srv := &http.Server{Addr: "localhost:8080", Handler: app, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(srv.ListenAndServe())
}

func newApp(baseURL, secret, forum, forumSecret string) (http.Handler, error) {
	auth, err := middleware.New(middleware.Config{
		BaseURL: baseURL,
		Secret:  secret,
		Store:   memstore.New(),
	}, Forum(forum, forumSecret))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth.Handler())
	mux.Handle("/", auth.RequireUser(http.HandlerFunc(home)))
	return mux, nil
}

func home(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello, %s of the forum!\n", middleware.CurrentUser(r.Context()).Username)
}
