package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// A visitor is a person with a browser.
type visitor struct {
	w      *world
	jar    *cookiejar.Jar
	client *http.Client
}

func (w *world) visitor() *visitor {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w, jar, &http.Client{Jar: jar, Transport: w}}
}

// A view is what a visitor sees.
type view struct {
	t      *testing.T
	status int
	path   string // with the query
	html   string
	header http.Header
}

// get follows a link on a page of the app, wherever it leads.
func (v *visitor) get(path string) view {
	v.w.t.Helper()
	return v.send(http.MethodGet, path, nil, "same-origin")
}

// types enters an address by hand.
func (v *visitor) types(path string) view {
	v.w.t.Helper()
	return v.send(http.MethodGet, path, nil, "none")
}

// post presses a button on a page of the app.
func (v *visitor) post(path string, form url.Values) view {
	v.w.t.Helper()
	return v.send(http.MethodPost, path, form, "same-origin")
}

func (v *visitor) send(method, path string, form url.Values, site string) view {
	v.w.t.Helper()
	r, err := http.NewRequestWithContext(v.w.t.Context(), method, v.w.cfg.BaseURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.w.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", v.w.cfg.BaseURL)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	res, err := v.client.Do(r)
	if err != nil {
		v.w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return view{v.w.t, res.StatusCode, res.Request.URL.RequestURI(), string(body), res.Header}
}

// login logs in with the service, as whoever it says.
func (v *visitor) login(service string) {
	v.w.t.Helper()
	v.get("/auth/login/"+service).is(http.StatusOK, "/").sees("You are logged in")
}

// cookies returns what the browser keeps for the app.
func (v *visitor) cookies() []*http.Cookie {
	u, err := url.Parse(v.w.cfg.BaseURL)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return v.jar.Cookies(u)
}

// copied returns another browser with a copy of v's cookies, as a thief has.
func (v *visitor) copied() *visitor {
	v.w.t.Helper()
	u, err := url.Parse(v.w.cfg.BaseURL)
	if err != nil {
		v.w.t.Fatal(err)
	}
	thief := v.w.visitor()
	thief.jar.SetCookies(u, v.cookies())
	return thief
}

// main is what stands out on the page.
func (p view) main() string {
	_, after, ok := strings.Cut(p.html, "<main")
	if !ok {
		return p.html
	}
	before, _, _ := strings.Cut(after, "</main>")
	return "<main" + before
}

func (p view) is(status int, path string) view {
	p.t.Helper()
	if p.status != status || p.path != path {
		p.t.Fatalf("got %d at %s, want %d at %s\n%s", p.status, p.path, status, path, p.main())
	}
	return p
}

func (p view) sees(words ...string) view {
	p.t.Helper()
	for _, w := range words {
		if !strings.Contains(p.html, w) {
			p.t.Fatalf("at %s: want %q in\n%s", p.path, w, p.main())
		}
	}
	return p
}

func (p view) seesNot(words ...string) view {
	p.t.Helper()
	for _, w := range words {
		if strings.Contains(p.html, w) {
			p.t.Fatalf("at %s: want no %q in\n%s", p.path, w, p.main())
		}
	}
	return p
}
