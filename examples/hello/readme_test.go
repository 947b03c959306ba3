package main

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/memstore"
	"golang.org/x/oauth2"
)

// The functions below hold the fragments of the README. Those that a test can
// run are run.

func TestAddAService(t *testing.T) {
	cfg := middleware.Config{BaseURL: "https://app.example.com", Secret: "w1Z8xQ3nV6kR0tY5uB2mL9cJ4hG7fD1s", Store: memstore.New()}
	const githubID, githubSecret, googleID, googleSecret, microsoftID, microsoftSecret = "1", "2", "3", "4", "5", "6"
	auth, err := middleware.New(cfg,
		catalog.GitHub(githubID, githubSecret),
		catalog.Google(googleID, googleSecret),
		catalog.Microsoft(microsoftID, microsoftSecret, provider.WithScopes("Calendars.Read")),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := auth.CallbackURL("github"), "https://app.example.com/auth/callback/github"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestServiceOfOnesOwn(t *testing.T) {
	const clientID, clientSecret = "id", "secret"
	company := provider.OIDC{
		Info:   provider.Info{ID: "company", Name: "our company"},
		Issuer: "https://id.example.com",
		Scopes: []string{"email", "profile"},
	}.New(clientID, clientSecret)
	club := provider.OAuth2{
		Info:     provider.Info{ID: "club", Name: "the club", API: "https://club.example.org/api"},
		Endpoint: oauth2.Endpoint{AuthURL: "https://club.example.org/oauth/authorize", TokenURL: "https://club.example.org/oauth/token"},
		Scopes:   []string{"profile"},
		UserURL:  "https://club.example.org/api/me",
		Fields:   provider.Fields{Subject: "member.id", Name: "member.name", Email: "member.mail"},
	}.New(clientID, clientSecret)
	for _, p := range []provider.Provider{company, club} {
		if err := provider.Check(p); err != nil {
			t.Errorf("%s: %v", p.Info().ID, err)
		}
	}
}

func protect(mux *http.ServeMux, auth *middleware.Auth, notes, danger, repos, front http.Handler) {
	mux.Handle("/auth/", auth.Handler())                               // login, callback, account, logout
	mux.Handle("/notes", auth.RequireUser(notes))                      // for people who are logged in
	mux.Handle("/danger", auth.RequireFresh(5*time.Minute)(danger))    // and have proved who they are lately
	mux.Handle("/repos", auth.RequireAccount("github", "repo")(repos)) // and have given a token for this
	mux.Handle("/", auth.LoadUser(front))                              // for everybody
}

func greet(w http.ResponseWriter, r *http.Request) {
	if u := middleware.CurrentUser(r.Context()); u != nil {
		fmt.Fprintf(w, "Hello, %s!", u.Name)
	}
}

func call(auth *middleware.Auth, r *http.Request) error {
	client, err := auth.Client(r.Context(), "github")
	if err != nil {
		return err // wraps middleware.ErrNoToken if the person has to log in again
	}
	res, err := client.Get("/user/repos")
	if err != nil {
		return err
	}
	return res.Body.Close()
}

type member struct {
	gormstore.User
	Logins int `gorm:"not null;default:0"`
}

func decide(cfg *middleware.Config, welcome, count func(context.Context, *store.User) error) {
	cfg.Admit = middleware.AdmitDomains("example.com") // or any function: it sees who the service says it is
	cfg.OnSignUp = func(ctx context.Context, u *store.User, id provider.Identity) error { return welcome(ctx, u) }
	cfg.OnLogin = func(ctx context.Context, u *store.User, id provider.Identity) error { return count(ctx, u) }
}

func end(ctx context.Context, auth *middleware.Auth, user *store.User, stolen string) error {
	open, err := auth.Sessions().List(ctx, user.ID) // latest seen first
	if err != nil {
		return err
	}
	for _, s := range open {
		if s.IP == stolen {
			return auth.Sessions().Revoke(ctx, s.ID) // ends that one
		}
	}
	return auth.Sessions().EndAll(ctx, user.ID, "") // ends all
}

type counter interface {
	Allow(address, op string) error
}

func fillCart(auth *middleware.Auth, w http.ResponseWriter, r *http.Request) error {
	cart, err := auth.Sessions().Get(r, "cart")
	if err != nil {
		return err // the store failed: nobody knows what is in it
	}
	cart.Values["tea"] = 2
	cart.AddFlash("Added to your cart.")
	if err := cart.Save(r, w); err != nil {
		return err
	}
	return nil
}

func carryOver(cfg *middleware.Config) {
	cfg.Session.CarryOver = []string{"cart", "prefs/theme"} // all of one, and one value of another
}

func behind(cfg *middleware.Config, auth *middleware.Auth, limiter counter) {
	cfg.BaseURL = "https://app.example.com"
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	cfg.Limit = func(r *http.Request, op string) error { return limiter.Allow(auth.ClientIP(r), op) }
}

func keep(cfg *middleware.Config, auth *middleware.Auth, w http.ResponseWriter, r *http.Request, userID string) error {
	cfg.Session.Remember = 90 * 24 * time.Hour

	err := auth.Login(w, r.WithContext(middleware.WithRemember(r.Context())), userID)
	return err
}

func inRedis(cfg *middleware.Config, db *gormstore.Store, sessions store.Sessions) {
	cfg.Store = db
	cfg.Session.Store = sessions // redisstore.New(client), with a client of go-redis
}

func TestTestYourApp(t *testing.T) {
	cfg := middleware.Config{BaseURL: "http://localhost:8080", Secret: "w1Z8xQ3nV6kR0tY5uB2mL9cJ4hG7fD1s", Store: memstore.New()}
	srv := providertest.NewServer(t)
	srv.Profile = map[string]any{"sub": "1", "name": "Ada"}
	auth, err := middleware.New(cfg, srv.Provider())
	if err != nil {
		t.Fatal(err)
	}
	if got := auth.LoginPath("test", "/x"); got != "/auth/login/test?return_to=%2Fx" {
		t.Errorf("got %s", got)
	}

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r = r.WithContext(middleware.WithUser(r.Context(), &store.User{ID: "1", Name: "Ada"}))
	if u := middleware.CurrentUser(r.Context()); u == nil || u.Name != "Ada" {
		t.Errorf("got %v, want Ada", u)
	}
}

var _ = []any{protect, greet, call, member{}, decide, behind, keep, end, fillCart, carryOver, inRedis}
