package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A witness sees all that an app answers, and learns what is secret in it.
type witness struct {
	mu      sync.Mutex
	secrets map[string]string // value to kind
	csrf    map[string]bool
	answers []string // pages, and headers that are neither cookies nor to a provider
	answer  int
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (w *witness) watch(next http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answer++
		var b strings.Builder
		for name, values := range rec.Header() {
			for _, v := range values {
				switch {
				case name == "Set-Cookie":
					_, rest, _ := strings.Cut(v, "=")
					if value, _, _ := strings.Cut(rest, ";"); value != "" {
						w.secrets[value] = "cookie"
					}
				case name == "X-Session":
					if v != "" {
						w.secrets[v] = "key of a client without cookies"
					}
				case name == "Location":
					u, _ := url.Parse(v)
					state := u.Query().Get("state")
					if state != "" {
						w.secrets[state] = "state"
					}
					if u.IsAbs() || strings.HasPrefix(v, "/auth/callback/apple?state=") {
						v = strings.Replace(v, state, "…", 1) // where it belongs, once
					}
					fallthrough
				default:
					fmt.Fprintf(&b, "%s: %s\n", name, v)
				}
			}
		}
		page := rec.Body.String()
		for _, m := range csrfField.FindAllStringSubmatch(page, -1) {
			w.csrf[m[1]] = true
		}
		w.answers = append(w.answers, b.String()+page)
		for name, values := range rec.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
	})
	return mux
}

// Nothing that is secret gets into a log, an error, a page or a header
// where it does not belong, whatever goes right or wrong.
func TestNoSecretIsTold(t *testing.T) {
	broken := &brokenStore{Store: memstore.New()}
	var errs []string
	var hook error
	handled := false
	a := newApp(t, nil)
	a.store = broken
	apple := newFake("apple")
	apple.info.PostsBack = true
	down := &logoutProvider{fakeProvider: newFake("op"), err: errors.New("typ: got JWT")}
	seen := &witness{secrets: map[string]string{secret: "secret"}, csrf: make(map[string]bool)}
	mount := func(onErr func(http.ResponseWriter, *http.Request, error)) {
		a.remount(func(c *middleware.Config) {
			c.Session.Cache, c.ErrorHandler = -1, onErr
			remembering(c)
			c.Session.Remembers = broken.Store.(store.Rememberer)
			c.Session.Header, c.Session.Store = "X-Session", valuedStore{broken, broken.Store.(store.SessionValuer)}
			c.OnLogin = func(context.Context, *store.User, provider.Identity) error { return hook }
			c.Admit = func(_ context.Context, id provider.Identity) error {
				if strings.HasSuffix(id.Subject, "-out") {
					return errors.New("not this one")
				}
				return nil
			}
		}, apple, down)
		a.mux.Handle("/repos", a.auth.RequireAccount("github", "repo")(http.HandlerFunc(pageHandler)))
		a.mux.Handle("/api", a.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := a.auth.Client(r.Context(), "github"); err != nil {
				errs = append(errs, err.Error())
				http.Error(w, err.Error(), middleware.StatusCode(err))
			}
		})))
		a.mux.Handle("/cart", a.auth.LoadUser(cart(a, func(err error) { errs = append(errs, err.Error()) })))
		a.mux = seen.watch(a.mux)
	}
	n := 0
	code := func(p *fakeProvider, subject string) string {
		n++
		c := fmt.Sprintf("canary-%d-code", n)
		p.person(c, provider.Identity{Subject: subject, Name: "Somebody"})
		p.tokens[c] = provider.Token{
			AccessToken: "canary-at-" + c, RefreshToken: "canary-rt-" + c, IDToken: "canary-id-" + c, Secret: "canary-ts-" + c,
			Expiry: a.clock.Now().Add(time.Hour), Scopes: []string{"basic"},
		}
		return c
	}
	fails := func(p *fakeProvider, err error) func() {
		p.complete = func(context.Context, provider.Callback) error { return err }
		return func() { p.complete = nil }
	}
	leak := &url.Error{Op: "Get", URL: "https://x.example/?code=canary-url", Err: errors.New("refused")}
	a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) { return provider.Token{}, leak }

	run := func() {
		b, c := a.browser(), a.browser()
		b.login("github", code(a.github, "ada"))
		c.login("github", code(a.github, "bob"))
		b.post("/auth/login/github", nil)
		b.callback("github", b.begin("github"), "canary-unknown")
		b.callback("github", strings.Repeat("A", 43), "canary-forged")
		b.callback("other", b.begin("github"), "canary-mixed")
		b.get("/auth/callback/github?code=canary-a&code=canary-b&state="+b.begin("github"), crossSite)
		b.get("/auth/callback/github?id_token=canary-idt&state="+b.begin("github"), crossSite)
		b.get("/auth/callback/github?error=access_denied&error_description=canary-said&state="+b.begin("github"), crossSite)
		for _, err := range []error{leak, &provider.Error{Provider: "github", Op: "exchange", Err: leak}, fmt.Errorf("get: %w", leak)} {
			undo := fails(a.github, err)
			b.callback("github", b.begin("github"), "canary-url")
			undo()
		}
		b.callback("github", b.begin("github"), code(a.github, "new-out"))
		hook = errors.New("no")
		b.callback("github", b.begin("github"), code(a.github, "new"))
		hook = nil
		state := c.begin("github")
		c.callback("github", state, code(a.github, "bob"))
		c.callback("github", state, "canary-again")
		b.callback("other", b.stateOf(b.post("/auth/link/other", nil)), code(a.other, "o"))
		c.callback("other", c.stateOf(c.post("/auth/link/other", nil)), code(a.other, "o"))
		for _, path := range []string{"/auth/account", "/auth/session", "/auth/reauth", "/auth/login", "/auth/logout", "/repos", "/api", "/private"} {
			b.get(path)
			b.get(path, script)
			b.get(path, crossSite)
		}
		c.callback("github", c.stateOf(c.post("/auth/reauth/github", nil)), code(a.github, "ada"))
		resp := b.formPost("/auth/callback/apple", url.Values{"state": {b.begin("apple")}, "code": {code(apple, "a")}, "user": {`{"canary":1}`}})
		b.get(resp.Header.Get("Location"), crossSite)
		b.formPost("/auth/callback/apple", url.Values{"state": {"canary-state"}, "code": {"canary-posted"}})
		b.post("/auth/backchannel/op", url.Values{"logout_token": {"canary-logout"}})
		for _, op := range []string{"Mark", "Account", "CreateSession", "Session"} {
			state := c.begin("github")
			broken.broken.Store(&op)
			c.callback("github", state, code(a.github, "bob"))
			c.get("/auth/account")
			off := ""
			broken.broken.Store(&off)
		}
		b.post("/auth/sessions/revoke", url.Values{"others": {"1"}})
		b.post("/auth/unlink/other", nil)
		c.login("github", code(a.github, "bob"))
		a.clock.advance(2 * time.Hour)
		c.get("/api") // which cannot renew
		c.get("/repos")
		b.post("/auth/unlink/github", url.Values{"csrf": {"canary-csrf"}}, crossSite)
		b.post("/auth/logout", nil)
		c.post("/auth/logout", nil)
		b.remember(code(a.github, "ada"))
		thief := b.clone()
		a.clock.advance(week)
		for _, c := range []*browser{thief, b, thief} { // who is found out at the second turn
			c.get("/private")
			c.get("/auth/account")
			a.clock.advance(time.Minute)
		}
		a.clock.advance(-week)
		visitorsAndClients(a, broken, func() string { return code(a.github, "ada") })
	}
	mount(nil)
	run()
	mount(func(w http.ResponseWriter, r *http.Request, err error) {
		handled = true
		errs = append(errs, err.Error(), fmt.Sprintf("%v %+v", err, err))
		w.WriteHeader(middleware.StatusCode(err))
	})
	run()

	if !handled || seen.answer < 100 || len(seen.csrf) == 0 {
		t.Fatalf("got %d answers and %d CSRF tokens: the flows did not run", seen.answer, len(seen.csrf))
	}
	kinds := make(map[string]int)
	for _, kind := range seen.secrets {
		kinds[kind]++
	}
	if kinds["key of a client without cookies"] < 4 || kinds["cookie"] < 50 {
		t.Errorf("got keys %v", kinds)
	}
	if !strings.Contains(a.log.String(), "remember_stolen") {
		t.Error("no remember token was found to be stolen")
	}
	for _, p := range []*fakeProvider{a.github, a.other, apple} {
		for memo := range p.memos {
			seen.secrets[memo[43:]] = "memo" // after the state
		}
	}
	told := map[string]string{"the log": a.log.String(), "errors": strings.Join(errs, "\n"), "answers": strings.Join(seen.answers, "\n")}
	for where, text := range told {
		if i := strings.Index(text, "canary"); i >= 0 {
			t.Errorf("in %s: …%s…", where, text[max(0, i-200):min(len(text), i+60)])
		}
		for value, kind := range seen.secrets {
			if strings.Contains(text, value) {
				t.Errorf("in %s: a %s", where, kind)
			}
		}
		for value := range seen.csrf {
			if where != "answers" && strings.Contains(text, value) {
				t.Errorf("in %s: a CSRF token", where)
			}
		}
	}
}
