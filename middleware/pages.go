package middleware

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"time"
)

//go:embed pages.html
var pagesHTML string

//go:embed pages.css
var pagesCSS string

// pages are the library's own: plain, without a script and without anything
// from elsewhere.
type pages struct {
	html   *template.Template
	policy string
}

func newPages() *pages {
	sum := sha256.Sum256([]byte(pagesCSS))
	return &pages{
		html: template.Must(template.New("").Funcs(template.FuncMap{
			"style": func() template.CSS { return template.CSS(pagesCSS) },
		}).Parse(pagesHTML)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; frame-ancestors 'none'; base-uri 'none'",
	}
}

// pageData is what a page may show.
type pageData struct {
	Title, Text string
	Again       string // where to try again
	Onward      string // where the browser goes by itself
	Home        string
	ID          string
	User        string // who is logged in, if anyone
	ReturnTo    string
	Scopes      []string
	Buttons     []button
	Accounts    []accountRow
	Sessions    []sessionRow
	CSRF        string // of /sessions/revoke
	Revoke      string
	Logout      string
	LogoutCSRF  string
	LoginURL    string
	CanEnd      bool
	CanRemember bool
	Remember    bool // was asked for
}

// Plain returns the buttons with which no question stands: they share one form, so
// that the person is asked once whether to be remembered.
func (d pageData) Plain() []button {
	return slices.DeleteFunc(slices.Clone(d.Buttons), func(b button) bool { return b.Asks != "" })
}

// A button begins something by POST.
type button struct {
	Action, Label, Asks, CSRF string
}

type accountRow struct {
	Name, Detail, Unlink, Subject, CSRF string
	Added                               time.Time
	Only                                bool
}

type sessionRow struct {
	Handle, Browser, With, Address string
	Began, Seen                    time.Time
	Current, Remembered            bool

	Verb, Label string // of its button: what it does, and to what
}

// page writes one of the templates of pages.html.
func (a *Auth) page(w http.ResponseWriter, r *http.Request, status int, name string, data pageData) {
	var b bytes.Buffer
	if err := a.pages.html.ExecuteTemplate(&b, name, data); err != nil {
		a.event(r.Context(), "page_failed", "", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h["Cache-Control"] = noStore
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", a.pages.policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Browsers without Fetch Metadata say with the Referer that a form is ours.
	// These have no form, and their URL may be a callback's, with the code.
	referrer := "same-origin"
	if name == "error" || name == "onward" {
		referrer = "no-referrer"
	}
	h.Set("Referrer-Policy", referrer)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = b.WriteTo(w)
	}
}
