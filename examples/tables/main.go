// Tables is an app that has had members for years, in tables of its own. Its
// [Members] keeps there whom Gatepass logs in; sessions are in the tables that
// Gatepass makes beside them.
//
// People log in with a test service, on whose page you choose who to be:
//
//	SECRET=$(openssl rand -base64 32) go run ./examples/tables
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
)

func main() {
	db, err := gormstore.Open(sqlite.Open("members.db"))
	if err != nil {
		log.Fatal(err)
	}
	// Always at the same address: at another it would be another service, which
	// does not vouch for those who are members already.
	service, err := providertest.StartAt("127.0.0.1:5001")
	if err != nil {
		log.Fatal(err)
	}
	app, err := newApp("http://localhost:8080", os.Getenv("SECRET"), db, service.Provider())
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://localhost:8080")
	srv := &http.Server{Addr: "localhost:8080", Handler: app, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(srv.ListenAndServe())
}

func newApp(baseURL, secret string, db *gormstore.Store, p provider.Provider) (http.Handler, error) {
	if err := db.DB().Exec(schema).Error; err != nil {
		return nil, err
	}
	auth, err := middleware.New(middleware.Config{
		BaseURL: baseURL,
		Secret:  secret,
		Store:   NewStore(db),
	}, p)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth.Handler())
	mux.Handle("/", auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m Member
		if err := db.DB().WithContext(r.Context()).Take(&m, "id = ?", middleware.CurrentUser(r.Context()).ID).Error; err != nil {
			log.Print(err)
			http.Error(w, "The database does not answer.", http.StatusServiceUnavailable)
			return
		}
		letter := "do not get"
		if m.Newsletter {
			letter = "get"
		}
		fmt.Fprintf(w, "Hello, %s! You are member %d and %s our newsletter.\n", m.DisplayName, m.ID, letter)
	})))
	return mux, nil
}
