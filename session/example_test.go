package session_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// Package middleware does all of this. An app that has its own way of logging
// people in can do it alone.
func Example() {
	db := memstore.New()
	sessions, err := session.New(session.Config{
		Store:  db,
		Users:  db,
		Secret: rand.Text() + rand.Text(), // a real app keeps it
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		u := &store.User{Name: "Ada"} // whoever has proved who they are
		if err := db.CreateUser(r.Context(), u, &store.Account{Key: store.Key{Provider: "password", Subject: "ada"}}); err != nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		if err := sessions.Begin(w, r, &store.Session{UserID: u.ID}); err != nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "Welcome")
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		found, err := sessions.Resolve(r)
		switch {
		case errors.Is(err, session.ErrNone):
			fmt.Fprint(w, "Hello, visitor")
		case err != nil: // the store failed: this may be anyone
			http.Error(w, "not now", http.StatusServiceUnavailable)
		default:
			sessions.Touch(w, r, found)
			fmt.Fprint(w, "Hello, ", found.User.Name)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.End(w, r); err != nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "Goodbye")
	})

	var cookies []*http.Cookie
	visit := func(method, path string) {
		r := httptest.NewRequest(method, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		if set := rec.Result().Cookies(); set != nil {
			cookies = set
		}
		fmt.Println(method, path, rec.Code, rec.Body)
	}
	visit("GET", "/")
	visit("POST", "/login")
	visit("GET", "/")
	visit("POST", "/logout")
	visit("GET", "/")
	// Output:
	// GET / 200 Hello, visitor
	// POST /login 200 Welcome
	// GET / 200 Hello, Ada
	// POST /logout 200 Goodbye
	// GET / 200 Hello, visitor
}

// Where an app had a store of gorilla's own, the Manager takes its place.
func ExampleManager_Get() {
	sessions, err := session.New(session.Config{
		Store:     memstore.New(),
		Secret:    rand.Text() + rand.Text(), // a real app keeps it
		CarryOver: []string{"cart"},          // visitors keep it when they log in
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	cart := func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Get(r, "cart")
		if err != nil { // the store failed: it may hold a full cart
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		n, _ := s.Values["tea"].(int)
		s.Values["tea"] = n + 1
		if err := s.Save(r, w); err != nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%d tea", n+1)
	}

	r := httptest.NewRequest("POST", "/cart", nil)
	for range 2 {
		rec := httptest.NewRecorder()
		cart(rec, r)
		fmt.Println(rec.Code, rec.Body)
		for _, c := range rec.Result().Cookies() {
			r.AddCookie(c)
		}
	}
	// Output:
	// 200 1 tea
	// 200 2 tea
}
