// Gologin is an app that has been logging people in with the handlers of
// github.com/dghubble/gologin/v2, and keeps them. It shows the two ways in which
// such an app gains users, sessions and linking:
//
//   - The handlers stay where they are, at /old/login and /old/callback. The
//     success handler, which had to make a session of its own, calls
//     [middleware.Auth.LoginIdentity].
//   - The same chain is a Provider, at /auth/login/…. The callback then has PKCE
//     and a state that is used once, and people can link a further account.
//
// Both lead to the same users, so that an app can move from one to the other. Run
//
//	go run ./examples/gologin
//
// and open http://localhost:8080. People log in with a test service that runs
// beside it. To log in with Facebook, set FACEBOOK_ID and FACEBOOK_SECRET, and
// register both callbacks there: http://localhost:8080/old/callback and
// http://localhost:8080/auth/callback/facebook.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"html/template"
	"log"
	"net/http"
	"os"

	gologin "github.com/dghubble/gologin/v2"
	"github.com/dghubble/gologin/v2/facebook"
	login "github.com/dghubble/gologin/v2/oauth2"
	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	adapter "github.com/gatepass/gatepass/provider/gologin"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store/memstore"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"
)

func main() {
	id, secret := os.Getenv("FACEBOOK_ID"), os.Getenv("FACEBOOK_SECRET")
	chain := adapter.OAuth2{
		Info:     provider.Info{ID: "facebook", Name: "Facebook"},
		Config:   &oauth2.Config{ClientID: id, ClientSecret: secret, Endpoint: endpoints.Facebook, Scopes: []string{"email"}},
		Callback: facebook.CallbackHandler,
		Issuer:   "https://www.facebook.com",
		Identity: func(ctx context.Context, _ *http.Client) (provider.Identity, error) {
			user, err := facebook.UserFromContext(ctx)
			if err != nil {
				return provider.Identity{}, err
			}
			return provider.Identity{Subject: user.ID, Name: user.Name, Email: user.Email}, nil
		},
	}
	var more []provider.Provider
	if id == "" {
		srv, err := providertest.Start()
		if err != nil {
			log.Fatal(err)
		}
		chain = testChain(srv)
		more = append(more, srv.Provider()) // a second account to link
	}
	// Where SECRET is not set, everybody is logged out when the program ends.
	app, err := newApp("http://localhost:8080", cmp.Or(os.Getenv("SECRET"), rand.Text()+rand.Text()), chain, more...)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://localhost:8080")
	log.Fatal(http.ListenAndServe("localhost:8080", app))
}

// newApp returns the app. The old and the new way share the chain.
func newApp(baseURL, secret string, chain adapter.OAuth2, more ...provider.Provider) (http.Handler, error) {
	auth, err := middleware.New(middleware.Config{
		BaseURL: baseURL,
		Secret:  secret,
		Store:   memstore.New(), // package gormstore keeps people in a database
	}, append([]provider.Provider{chain.New()}, more...)...)
	if err != nil {
		return nil, err
	}

	// As before: gologin's handlers, its cookie, and a success handler.
	old := *chain.Config
	old.RedirectURL = baseURL + "/old/callback"
	cookie := gologin.DebugOnlyCookieConfig // for http://localhost
	mux := http.NewServeMux()
	mux.Handle("/old/login", login.StateHandler(cookie, login.LoginHandler(&old, nil)))
	mux.Handle("/old/callback", login.StateHandler(cookie, chain.Callback(&old, loggedIn(auth, chain, &old), nil)))

	mux.Handle("/auth/", auth.Handler())
	mux.Handle("/{$}", auth.LoadUser(home(auth, chain.Info)))
	return mux, nil
}

// loggedIn is the app's success handler.
func loggedIn(auth *middleware.Auth, chain adapter.OAuth2, config *oauth2.Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		token, err := login.TokenFromContext(ctx)
		if err != nil {
			http.Error(w, "Login failed.", http.StatusBadGateway)
			return
		}
		id, err := chain.Identity(ctx, config.Client(ctx, token))
		if err != nil {
			http.Error(w, "Login failed.", http.StatusBadGateway)
			return
		}
		// The same account as by the Provider: its ID, and who vouches for it.
		id.Provider, id.Issuer = chain.Info.ID, chain.Issuer
		err = auth.LoginIdentity(w, r, id, provider.Token{
			AccessToken: token.AccessToken, RefreshToken: token.RefreshToken, Type: token.Type(), Expiry: token.Expiry,
		})
		if err != nil {
			http.Error(w, "Login failed.", middleware.StatusCode(err))
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
}

func home(auth *middleware.Auth, service provider.Info) http.Handler {
	page := template.Must(template.New("home").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>gologin and Gatepass</title>
<h1>{{with .User}}Hello, {{.Name}}!{{else}}Hello, stranger!{{end}}</h1>
{{if .User}}<p><a href="/auth/account">Your accounts</a>
<form method="post" action="/auth/logout"><button>Log out</button></form>
{{else}}<p><a href="/old/login">Log in with {{.Name}} as before</a>
<p><a href="{{.Login}}">Log in with {{.Name}} by Gatepass</a>
{{end}}`))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Execute(w, map[string]any{
			"User": middleware.CurrentUser(r.Context()), "Name": service.Name, "Login": auth.LoginPath(service.ID, "/"),
		})
	})
}
