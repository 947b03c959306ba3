package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// api is a service's API that tells which token it was called with.
func api(t testing.TB) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.URL.Path, r.Header.Get("Authorization"))
	}))
	t.Cleanup(srv.Close)
	return srv
}

// withAPI lets the app's github have an API at srv.
func withAPI(a *app, srv *httptest.Server, change func(*middleware.Config)) {
	if a.github.info.API != srv.URL { // others may be reading it
		a.github.info.API = srv.URL
	}
	cfg := middleware.Config{BaseURL: baseURL, Secret: secret, Store: a.store, Session: sessionAt(a.clock)}
	if change != nil {
		change(&cfg)
	}
	auth, err := middleware.New(cfg, a.github, a.other)
	if err != nil {
		a.t.Fatal(err)
	}
	a.auth, a.mux = auth, http.NewServeMux()
	a.mux.Handle("/auth/", auth.Handler())
	a.mux.Handle("/private", auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})))
	a.mux.Handle("/", auth.LoadUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := middleware.CurrentUser(r.Context()); u != nil {
			fmt.Fprintf(w, "user %s", u.ID)
			return
		}
		fmt.Fprint(w, "visitor")
	})))
}

// call asks the API as the user with that ID.
func (a *app) call(userID, path string) (string, error) {
	u, err := a.store.User(context.Background(), userID)
	if err != nil {
		return "", err
	}
	c, err := a.auth.Client(middleware.WithUser(context.Background(), u), "github")
	if err != nil {
		return "", err
	}
	resp, err := c.Get(path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestClient(t *testing.T) {
	a := newApp(t, nil)
	withAPI(a, api(t), nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	got, err := a.call(b.whoami(), "/user")
	if err != nil || got != "/user Bearer at-ada" {
		t.Errorf("got %q, %v", got, err)
	}
	evil := api(t)
	if got, err := a.call(b.whoami(), strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)+"/user"); err == nil {
		t.Errorf("another host: got %q, want an error", got)
	}
	if _, err := a.auth.Client(context.Background(), "github"); !errors.Is(err, middleware.ErrNoUser) {
		t.Errorf("nobody: got %v, want ErrNoUser", err)
	}
	u, _ := a.store.User(context.Background(), b.whoami())
	if _, err := a.auth.Client(middleware.WithUser(context.Background(), u), "other"); !errors.Is(err, middleware.ErrNoToken) {
		t.Errorf("no account there: got %v, want ErrNoToken", err)
	}
	if _, err := a.auth.Client(middleware.WithUser(context.Background(), u), "nowhere"); middleware.StatusCode(err) != 404 {
		t.Errorf("no such provider: got %v", err)
	}
}

func TestTokenOfAnotherRowDoesNotOpen(t *testing.T) {
	a := newApp(t, nil)
	withAPI(a, api(t), nil)
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	first, second := a.browser(), a.browser()
	first.login("github", "ada")
	second.login("github", "bob")
	ctx := context.Background()
	tok, err := a.store.Token(ctx, store.Key{Provider: "github", Subject: bob.Subject})
	if err == nil {
		err = a.store.PutToken(ctx, githubAda, tok)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.call(first.whoami(), "/user"); !errors.Is(err, middleware.ErrNoToken) {
		t.Errorf("got %q, %v; want ErrNoToken", got, err)
	}
}

func TestChangeOfSecret(t *testing.T) {
	a := newApp(t, nil)
	withAPI(a, api(t), nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	id := b.whoami()
	state := b.begin("github")
	withAPI(a, api(t), func(c *middleware.Config) { c.Secret, c.OldSecrets = newSecret, []string{secret} })
	if got, err := a.call(id, "/user"); err != nil || !strings.Contains(got, "at-ada") {
		t.Errorf("token: got %q, %v", got, err)
	}
	if b.whoami() != id {
		t.Error("the session ended with the change of the secret")
	}
	if resp := b.callback("github", state, "ada"); resp.StatusCode != 303 {
		t.Errorf("a login under way: got %d", resp.StatusCode)
	}
	// That login sealed the token anew.
	withAPI(a, api(t), func(c *middleware.Config) { c.Secret = newSecret })
	if got, err := a.call(id, "/user"); err != nil || !strings.Contains(got, "at-ada") {
		t.Errorf("token, without the old secret: got %q, %v", got, err)
	}
	withAPI(a, api(t), func(c *middleware.Config) { c.Secret = "Wm4nB7xQa2Zs9DfGh1JkLp6OiUy3TrEw8VcXz5Y0" })
	if _, err := a.call(id, "/user"); !errors.Is(err, middleware.ErrNoToken) {
		t.Errorf("secret gone: got %v, want ErrNoToken", err)
	}
	if b.whoami() != "" {
		t.Error("secret gone: still logged in")
	}
}

func TestDiscardTokens(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.browser().login("github", "ada")
	withAPI(a, api(t), func(c *middleware.Config) { c.DiscardTokens = true })
	a.browser().login("github", "ada")
	if _, err := a.store.Token(context.Background(), githubAda); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want no token kept", err)
	}
}

func TestClientInAHook(t *testing.T) {
	for _, discard := range []bool{false, true} {
		a := newApp(t, nil)
		var got string
		withAPI(a, api(t), func(c *middleware.Config) {
			c.DiscardTokens = discard
			c.OnLogin = func(ctx context.Context, u *store.User, id provider.Identity) error {
				client, err := a.auth.Client(ctx, "github")
				if err != nil {
					return err
				}
				resp, err := client.Get("/user")
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				got = string(b)
				return err
			}
		})
		a.github.person("ada", ada)
		a.browser().login("github", "ada")
		if got != "/user Bearer at-ada" {
			t.Errorf("discard %v: got %q", discard, got)
		}
	}
}

func TestRequireAccount(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada"})
	a.mux.Handle("/repos", a.auth.RequireAccount("github", "repo")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "repos")
	})))
	b := a.browser()
	if resp := b.get("/repos"); resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), "/auth/login") {
		t.Fatalf("visitor: got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	// Somebody without such an account is asked to link it, by a button.
	b.login("other", "ada")
	page := b.get("/repos")
	if text := body(t, page); page.StatusCode != 403 || !strings.Contains(text, `action="/auth/link/github"`) || !strings.Contains(text, `name="scope" value="repo"`) {
		t.Fatalf("no account: got %d: %s", page.StatusCode, text)
	}
	state := b.stateOf(b.post("/auth/link/github", url.Values{"scope": {"repo"}, "return_to": {"/repos"}}))
	if got := a.github.begun[len(a.github.begun)-1].Scopes; len(got) != 1 || got[0] != "repo" {
		t.Errorf("scopes asked for: got %q", got)
	}
	resp := b.callback("github", state, "ada") // the service grants "basic" only
	if resp.Header.Get("Location") != "/repos" {
		t.Fatalf("link: got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	// It was asked for a moment ago: a page, not a loop.
	if resp := b.get("/repos"); resp.StatusCode != 403 || !strings.Contains(body(t, resp), "has allowed so far (repo)") {
		t.Errorf("just back: got %d, want a page that says so", resp.StatusCode)
	}
	a.clock.advance(2 * time.Minute)
	resp = b.get("/repos")
	state = b.stateOf(resp)
	a.github.tokens["ada"] = provider.Token{AccessToken: "at", Scopes: []string{"basic", "repo"}}
	fresh := b.sessionCookie()
	if resp := b.callback("github", state, "ada"); resp.Header.Get("Location") != "/repos" {
		t.Fatalf("got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if b.sessionCookie() != fresh {
		t.Error("a token that a page needed counted as a proof")
	}
	if got := body(t, b.get("/repos")); got != "repos" {
		t.Errorf("got %q, want the page", got)
	}
	if resp := b.get("/repos", script); resp.StatusCode != 200 {
		t.Errorf("script: got %d", resp.StatusCode)
	}
}

func TestDeleteUser(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	id := b.whoami()
	if err := a.auth.DeleteUser(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if b.whoami() != "" || a.users(githubAda) != 0 || len(a.github.revoked) != 1 {
		t.Errorf("user %q, %d accounts, %d tokens withdrawn", b.whoami(), a.users(githubAda), len(a.github.revoked))
	}
	if err := a.auth.DeleteUser(context.Background(), id); err != nil {
		t.Errorf("again: %v", err)
	}
	b.login("github", "ada")
	if b.whoami() == id || b.whoami() == "" {
		t.Error("a deleted user came back")
	}
}

func TestLocalLogin(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { c.LocalAccounts = []string{"password"} })
	ctx := context.Background()
	u := &store.User{Name: "Ada"}
	if err := a.store.CreateUser(ctx, u, &store.Account{Key: store.Key{Provider: "password", Subject: "ada"}}); err != nil {
		t.Fatal(err)
	}
	var id string
	var err error
	a.mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		if err = a.auth.Login(w, r, id); err != nil {
			w.WriteHeader(middleware.StatusCode(err))
		}
	})
	a.mux.HandleFunc("POST /bye", func(w http.ResponseWriter, r *http.Request) {
		if err := a.auth.Logout(w, r); err != nil {
			t.Error(err)
		}
	})
	b := a.browser()
	id = u.ID
	if resp := b.post("/password", nil); resp.StatusCode != 200 || b.whoami() != u.ID {
		t.Fatalf("got %d, user %q", resp.StatusCode, b.whoami())
	}
	b.post("/bye", nil)
	if b.whoami() != "" {
		t.Error("still logged in")
	}
	id = "nobody"
	if b.post("/password", nil); !errors.Is(err, middleware.ErrNoUser) {
		t.Errorf("unknown user: got %v, want ErrNoUser", err)
	}
	id = u.ID
	a.disable(u.ID)
	if resp := b.post("/password", nil); !errors.Is(err, middleware.ErrNotAdmitted) || resp.StatusCode != 403 {
		t.Errorf("disabled user: got %v, want ErrNotAdmitted", err)
	}
}

func TestLoginIdentity(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { c.LocalAccounts = []string{"saml"} })
	var id provider.Identity
	var err error
	a.mux.HandleFunc("POST /in", func(w http.ResponseWriter, r *http.Request) {
		err = a.auth.LoginIdentity(w, r, id, provider.Token{})
	})
	b := a.browser()
	id = provider.Identity{Provider: "saml", Subject: "s-1", Name: "Ada"}
	if b.post("/in", nil); err != nil || b.whoami() == "" {
		t.Fatalf("got %v, user %q", err, b.whoami())
	}
	id = provider.Identity{Provider: "nowhere", Subject: "s-1"}
	if b.post("/in", nil); middleware.StatusCode(err) != 404 {
		t.Errorf("unknown provider: got %v", err)
	}
}

func TestCurrentUserOfAnotherAuthIsNotEnough(t *testing.T) {
	a, other := newApp(t, nil), newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	page := other.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "in") }))
	a.mux.Handle("/theirs", a.auth.LoadUser(page))
	if resp := b.get("/theirs"); resp.StatusCode != 303 {
		t.Errorf("got %d, want 303", resp.StatusCode)
	}
	a.mux.HandleFunc("/fake", func(w http.ResponseWriter, r *http.Request) {
		page.ServeHTTP(w, r.WithContext(middleware.WithUser(r.Context(), &store.User{ID: "x"})))
	})
	if resp := b.get("/fake"); resp.StatusCode != 303 {
		t.Errorf("WithUser: got %d, want 303", resp.StatusCode)
	}
}
