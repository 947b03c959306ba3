package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store/memstore"
)

// awayURLs are what an attacker would give as return_to.
func awayURLs() []string {
	away := []string{
		"", " ", "https://evil.example", "http://evil.example/x", "//evil.example", "///evil.example", "////evil.example/%2e%2e",
		`/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, "/%5cevil.example", "/%5Cevil.example", "/%255cevil.example",
		"/%2f/evil.example", "/%2f%2fevil.example", "/%252f%252fevil.example", "/..//evil.example", "/.//evil.example", "/x/..//evil.example",
		"/x/../../evil", "/%2e%2e//evil.example", "/%2e%2e/x", "/%252e%252e/x", "/./x", "/x/.", "/x/..", "javascript:alert(1)", "data:text/html,x",
		"vbscript:x", "mailto:a@b", "x", "?x=1", "#x", "/\tevil", "/\nevil", "/\r\nSet-Cookie: a=b", "/%0d%0aSet-Cookie:x", "/%0a", "/%250a", "/\x00", "/%00",
		"\t//evil.example", "/\x7f", "/\u0085x", "/\xff", "/%ff%", "/%zz", "https:evil.example", "https:/evil.example", "https:///evil.example",
		"//user@evil.example", "/@evil.example/../..//evil.example", "http://app.example.com/", "https://app.example.com.evil.example/", "https://app.example.com@evil.example/",
		"/auth/login", "/auth/login/github", "/auth/logout", "/auth/callback/github", "/auth", "/%61uth/login", "/a%75th/logout", "/auth/../x", "/" + strings.Repeat("x", 1024),
	}
	for _, slashes := range []string{"//", "/%2f", "%2f/", "%2f%2f", `/\`, `\/`, "/%5c", "%5c%5c", "/%09/", "/\t/", "/%0a/", "/;/", "/./", "/../"} {
		for _, host := range []string{"evil.example", "evil.example%2f..", "evil.example:443", "user:pass@evil.example", "[::1]", "xn--e-7ca.example", "evil。example", "2130706433"} {
			if s := slashes + host; strings.HasPrefix(s, "/;/") {
				continue // a path like any other
			} else {
				away = append(away, s, "/"+s, "/x"+s+"/..")
			}
		}
	}
	return away
}

func TestReturnToOtherHost(t *testing.T) {
	a := newApp(t, nil)
	for _, s := range awayURLs() {
		r := httptest.NewRequest(http.MethodGet, baseURL+"/?"+url.Values{"return_to": {s}}.Encode(), nil)
		got := a.auth.ReturnTo(r)
		if got == "/" {
			continue
		}
		// What is let through must lie where it says, for every reader.
		for reading, i := got, 0; i < 3; i++ {
			if !strings.HasPrefix(reading, "/") || strings.HasPrefix(reading, "//") || strings.ContainsAny(reading, "\\\t\r\n") ||
				strings.Contains(strings.SplitN(reading, "?", 2)[0], "//") || strings.HasPrefix(reading, "/auth") && !strings.HasPrefix(reading, "/auth/account") {
				t.Errorf("return_to %q: got %q", s, got)
				break
			}
			var err error
			if reading, err = url.PathUnescape(reading); err != nil {
				break
			}
		}
	}
}

func TestReturnToIsCheckedWhenTheLoginEnds(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	for _, s := range []string{"//evil.example", "/%2f%2fevil.example", "https://evil.example/"} {
		b := a.browser()
		resp := b.get("/auth/login/github?return_to=" + url.QueryEscape(s))
		if resp := b.callback("github", b.stateOf(resp), "ada"); resp.Header.Get("Location") != "/" {
			t.Errorf("return_to %q: got %q, want /", s, resp.Header.Get("Location"))
		}
	}
}

func TestReturnToOfThisApp(t *testing.T) {
	a := newApp(t, nil)
	for s, want := range map[string]string{
		"/":                     "/",
		"/private":              "/private",
		"/a/b/?x=1&y=2":         "/a/b/?x=1&y=2",
		"/a b":                  "/a%20b",
		"/ä":                    "/%C3%A4",
		"/a%2Fb":                "/a%2Fb",
		"/x?to=https://b.c//d":  "/x?to=https://b.c//d",
		"/x?q=ä b":              "/x?q=%C3%A4%20b",
		"/x#part":               "/x",
		"/auth/account":         "/auth/account",
		"/authors":              "/authors",
		"/x?return_to=//evil":   "/x?return_to=//evil",
		"/100%25":               "/100%25",
		"/a;b=c":                "/a;b=c",
		"/.well-known/x":        "/.well-known/x",
		"/x?a=%0d%0aX-Evil:%20": "/x?a=%0d%0aX-Evil:%20",
	} {
		r := httptest.NewRequest(http.MethodGet, baseURL+"/?"+url.Values{"return_to": {s}}.Encode(), nil)
		if got := a.auth.ReturnTo(r); got != want {
			t.Errorf("return_to %q: got %q, want %q", s, got, want)
		}
	}
}

func FuzzReturnTo(f *testing.F) {
	for _, s := range awayURLs() {
		f.Add(s)
	}
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: memstore.New()}, newFake("github"))
	if err != nil {
		f.Fatal(err)
	}
	base, _ := url.Parse(baseURL + "/auth/callback/github")
	f.Fuzz(func(t *testing.T, s string) {
		r := httptest.NewRequest(http.MethodGet, baseURL+"/?"+url.Values{"return_to": {s}}.Encode(), nil)
		got := auth.ReturnTo(r)
		u, err := base.Parse(got)
		if err != nil || u.Scheme != "https" || u.Host != "app.example.com" {
			t.Fatalf("return_to %q: got %q, which leads to %v, %v", s, got, u, err)
		}
		for _, c := range []byte(got) {
			if c <= 0x20 || c >= 0x7f || c == '\\' {
				t.Fatalf("return_to %q: got %q, with byte %#x", s, got, c)
			}
		}
	})
}

func TestDeepLinkUnderAPrefix(t *testing.T) {
	for _, tc := range []struct {
		name  string
		mount func(auth *middleware.Auth, page http.Handler) http.Handler
		base  string
		visit string // as the app sees it
		want  string // as the browser does
	}{
		{"a mux", func(auth *middleware.Auth, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", auth.Handler())
			mux.Handle("/", auth.RequireUser(page))
			return mux
		}, baseURL, "/deep?x=1", "/deep?x=1"},
		{"RequireUser around the whole mux", func(auth *middleware.Auth, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", auth.Handler())
			mux.Handle("/", page)
			return auth.RequireUser(mux)
		}, baseURL, "/deep", "/deep"},
		{"StripPrefix around the handler", func(auth *middleware.Auth, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", http.StripPrefix("/auth", auth.Handler()))
			mux.Handle("/", auth.RequireUser(page))
			return mux
		}, baseURL, "/deep", "/deep"},
		{"StripPrefix around the app", func(auth *middleware.Auth, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", auth.Handler())
			mux.Handle("/", auth.RequireUser(page))
			return http.StripPrefix("/shop", mux)
		}, baseURL + "/shop", "/shop/deep", "/shop/deep"},
		{"StripPrefix around RequireUser around the whole mux", func(auth *middleware.Auth, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", auth.Handler())
			mux.Handle("/", page)
			return http.StripPrefix("/shop", auth.RequireUser(mux))
		}, baseURL + "/shop", "/shop/deep", "/shop/deep"},
		{"a proxy that takes the path of BaseURL away", func(auth *middleware.Auth, page http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", auth.Handler())
			mux.Handle("/", auth.RequireUser(page))
			return mux
		}, baseURL + "/shop", "/deep", "/shop/deep"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, func(c *middleware.Config) { c.BaseURL = tc.base })
			a.github.person("ada", ada)
			a.mux = http.NewServeMux()
			a.mux.Handle("/", tc.mount(a.auth, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte("page"))
			})))
			b := a.browser()
			resp := b.get(tc.visit)
			prefix := strings.TrimPrefix(tc.base, baseURL)
			if got, want := resp.Header.Get("Location"), prefix+"/auth/login?return_to="+url.QueryEscape(tc.want); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			in := "/auth"
			if strings.HasPrefix(tc.visit, "/shop") {
				in = "/shop/auth"
			}
			state := b.stateOf(b.get(in + "/login/github?return_to=" + url.QueryEscape(tc.want)))
			resp = b.get(in+"/callback/github?code=ada&state="+state, crossSite)
			if got := resp.Header.Get("Location"); got != tc.want {
				t.Fatalf("callback: got %d to %q, want %q: %s", resp.StatusCode, got, tc.want, body(t, resp))
			}
			if got := body(t, b.get(tc.visit)); got != "page" {
				t.Errorf("got %q, want the page", got)
			}
		})
	}
}

func TestRequireUserLetsOnlyItsOwnRoutesThrough(t *testing.T) {
	a := newApp(t, nil)
	open := a.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(299) }))
	for _, path := range []string{"/auth/../private", "/auth//login", "/auth/login/../../private", "/auth/evil", "/auth", "/auth/", "/authx/login", "/auth/login/github/../../../private", "/auth/account/x"} {
		r := httptest.NewRequest(http.MethodGet, baseURL+"/", nil)
		r.URL.Path, r.URL.RawPath = path, ""
		w := httptest.NewRecorder()
		open.ServeHTTP(w, r)
		if w.Code == 299 {
			t.Errorf("%s: a visitor passed", path)
		}
	}
	// The other way round, so that the loop above can fail.
	w := httptest.NewRecorder()
	open.ServeHTTP(w, httptest.NewRequest(http.MethodGet, baseURL+"/auth/login", nil))
	if w.Code != 299 {
		t.Errorf("/auth/login: got %d, want it let through", w.Code)
	}
}
