// Package gatepass is the front page of a library with which people log in to
// an app by way of a service that knows them: GitHub, Google, a company's own
// server. The app has users, accounts, sessions and pages that want a login; no
// password passes through it.
//
// # The first program
//
// This is all of it: log in with GitHub, users and sessions in SQLite, one page
// that wants a login, a login page, logout.
//
//	package main
//
//	import (
//		"fmt"
//		"log"
//		"net/http"
//		"os"
//
//		"github.com/gatepass/gatepass/middleware"
//		"github.com/gatepass/gatepass/provider/catalog"
//		"github.com/gatepass/gatepass/store/gormstore"
//		"gorm.io/driver/sqlite"
//	)
//
//	func main() {
//		db, err := gormstore.Open(sqlite.Open("app.db"))
//		if err != nil {
//			log.Fatal(err)
//		}
//		auth, err := middleware.New(middleware.Config{
//			BaseURL: "http://localhost:8080",
//			Secret:  os.Getenv("SECRET"),
//			Store:   db,
//		}, catalog.GitHub(os.Getenv("GITHUB_ID"), os.Getenv("GITHUB_SECRET")))
//		if err != nil {
//			log.Fatal(err)
//		}
//		http.Handle("/auth/", auth.Handler())
//		http.Handle("/", auth.RequireUser(http.HandlerFunc(home)))
//		log.Fatal(http.ListenAndServe("localhost:8080", nil))
//	}
//
//	func home(w http.ResponseWriter, r *http.Request) {
//		fmt.Fprintf(w, "Hello, %s!\n", middleware.CurrentUser(r.Context()).Name)
//	}
//
// # Packages
//
//   - [github.com/gatepass/gatepass/middleware] is the front door: settings,
//     routes, RequireUser, CurrentUser, the client that acts in a person's name.
//   - [github.com/gatepass/gatepass/provider] says what a service is, and makes
//     one from a few lines of data: OAuth 2.0, OpenID Connect, OAuth 1.0a.
//   - [github.com/gatepass/gatepass/provider/catalog] has services ready to use.
//   - [github.com/gatepass/gatepass/provider/gologin] takes login handlers that
//     were made with the library gologin.
//   - [github.com/gatepass/gatepass/store] says what is remembered: users,
//     accounts, tokens, sessions. Whoever writes a store begins there.
//   - [github.com/gatepass/gatepass/store/gormstore] remembers it in a database,
//     and [github.com/gatepass/gatepass/store/memstore] in memory.
//   - [github.com/gatepass/gatepass/session] keeps people logged in, with sessions
//     that an app can list and end. It remembers browsers whose users want that,
//     and keeps values of the app's own, as gorilla's stores do.
//   - [github.com/gatepass/gatepass/middleware/authtest],
//     [github.com/gatepass/gatepass/provider/providertest] and
//     [github.com/gatepass/gatepass/store/storetest] are for tests.
//
// # Security
//
// What has to be on is on, and most of it cannot be turned off: a state, PKCE
// and a nonce for each login, logins that count once and in the browser in which
// they began, session keys that are random and kept as hashes, tokens that are
// sealed. A session that is ended has ended for everyone who has its key. A
// setting that weakens something has a name that begins with Insecure or
// Dangerously.
//
// Whoever steals the tables can neither log in nor use a token. The secret alone
// opens the cookies of logins under way that were stolen too. Both together open
// the services' tokens. Neither gives a session. A stolen session cookie is one
// until it is ended; a stolen remember cookie that both use logs both out.
//
// # Testing
//
// To test a handler, put a user into its context with middleware.WithUser. To
// test an app as a browser sees it, take a client that is logged in from
// authtest, or log in for real at a providertest.Server: it is a service on this
// machine, and can be told to refuse, to be slow or to fail. No test needs an
// account anywhere.
package gatepass
