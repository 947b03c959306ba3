package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
)

func main() {
	db, err := gormstore.Open(sqlite.Open("app.db"))
	if err != nil {
		log.Fatal(err)
	}
	auth, err := middleware.New(middleware.Config{
		BaseURL: "http://localhost:8080",
		Secret:  os.Getenv("SECRET"),
		Store:   db,
	}, catalog.GitHub(os.Getenv("GITHUB_ID"), os.Getenv("GITHUB_SECRET")))
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/auth/", auth.Handler())
	http.Handle("/", auth.RequireUser(http.HandlerFunc(home)))
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}

func home(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello, %s!\n", middleware.CurrentUser(r.Context()).Name)
}
