package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store"
)

//go:embed templates
var files embed.FS

var templates = parse("home", "who", "profile", "message")

// parse makes a template of each page, with the frame around it. The files are
// part of the program, so that a mistake in one shows at the first test.
func parse(names ...string) map[string]*template.Template {
	base := template.Must(template.New("").Funcs(template.FuncMap{
		"initial": func(name string) string {
			r, _ := utf8.DecodeRuneInString(name)
			return strings.ToUpper(string(r))
		},
		"day": func(t time.Time) string { return t.Format("2 January 2006") },
		"iso": func(t time.Time) string { return t.Format(time.RFC3339) },
	}).ParseFS(files, "templates/base.html"))
	pages := make(map[string]*template.Template)
	for _, name := range names {
		pages[name] = template.Must(template.Must(base.Clone()).ParseFS(files, "templates/"+name+".html"))
	}
	return pages
}

// A page is what the frame of every page needs.
type page struct {
	Path        string
	User        *store.User
	LoginPath   string
	LogoutPath  string
	AccountPath string
}

func (a *app) page(r *http.Request) page {
	return page{
		Path:        r.URL.Path,
		User:        middleware.CurrentUser(r.Context()),
		LoginPath:   "/auth/login",
		LogoutPath:  "/auth/logout",
		AccountPath: "/auth/account",
	}
}

type link struct{ Path, Name string }

type homePage struct {
	page
	Buttons  []link
	Asks     []link
	Accounts []way
	Logins   int

	Greeting  string
	Greetings []string
}

type whoPage struct {
	page
	Service, Login string
}

// A way is an account with which somebody logs in.
type way struct{ Service, Name string }

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	chosen, err := a.greeting(r)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	h := homePage{page: a.page(r), Greeting: chosen, Greetings: greetings}
	for _, p := range a.auth.Providers() {
		h.Buttons = append(h.Buttons, link{h.LoginPath + "/" + p.ID, p.Name})
	}
	if h.User != nil {
		accounts, err := a.store.UserAccounts(r.Context(), h.User.ID)
		if err != nil {
			a.broken(w, r, err)
			return
		}
		for _, account := range accounts {
			h.Accounts = append(h.Accounts, way{a.service(account.Provider), first(account.Username, account.Email, account.Name)})
		}
		var m member
		if err := a.db.WithContext(r.Context()).Select("logins").Take(&m, "id = ?", h.User.ID).Error; err != nil {
			a.broken(w, r, err)
			return
		}
		h.Logins = m.Logins
		pages := a.pages()
		for _, q := range questions {
			if a.offers(q.Provider) && pages[q.Path].Provider == q.Provider {
				h.Asks = append(h.Asks, link{q.Path, a.service(q.Provider)})
			}
		}
	}
	a.render(w, r, http.StatusOK, "home", h)
}

func ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"ping": "pong"})
}

// logout is for whoever types the address: a page of the library asks by a
// button. A link that logs people out could stand on anybody's page.
func logout(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/auth/logout", http.StatusSeeOther)
}

func style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=600")
	http.ServeFileFS(w, r, files, "templates/style.css")
}

// render sends a page whole, or not at all.
func (a *app) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates[name].ExecuteTemplate(&b, "base", data); err != nil {
		a.log.Error("a page could not be made", "page", name, "path", r.URL.Path, "err", err)
		http.Error(w, "This page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	policy := "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
	if name != "home" || middleware.CurrentUser(r.Context()) != nil {
		// Browsers hold what a form leads on to by it as well, and a visitor's home
		// page has forms that lead to the services.
		policy += "; form-action 'self'"
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
