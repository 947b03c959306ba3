// Package middleware lets people log in to a net/http app, and tells the app
// who they are.
//
//	auth, err := middleware.New(middleware.Config{
//		BaseURL: "https://app.example.com",
//		Secret:  os.Getenv("SECRET"),
//		Store:   db,
//	}, catalog.GitHub(id, secret))
//	...
//	mux.Handle("/auth/", auth.Handler())
//	mux.Handle("/", auth.RequireUser(home))
//
// # Routes
//
// [Auth.Handler] serves, below [Config.Path]:
//
//	GET  /auth/login                   a page with a button for each provider
//	GET  /auth/login/{provider}        off to the provider; ?return_to=/path&remember=1 (POST as well)
//	GET  /auth/callback/{provider}     back from it (POST for some)
//	GET  /auth/account                 ways to log in and open sessions of whoever is logged in
//	POST /auth/link/{provider}         one more way in
//	POST /auth/unlink/{provider}       one way in less, never the last
//	GET  /auth/reauth                  a page on which someone logged in proves who they are
//	POST /auth/reauth/{provider}       off to the provider to prove it
//	POST /auth/sessions/revoke         end one session, or all others
//	POST /auth/logout                  log out (GET asks first)
//	GET  /auth/session                 who is logged in, as JSON, for pages made of scripts
//	POST /auth/backchannel/{provider}  the provider says that someone has logged out
//
// # What a stolen thing gives
//
// The tables alone give no session and no token. The secret alone opens the
// cookies of logins under way that were stolen too. Both together open the
// providers' tokens. Neither gives a session: its key is only in the browser.
// What the browser's cookies give is said in package session.
package middleware

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
)

// An Auth lets people log in and out. It is safe for concurrent use.
type Auth struct {
	cfg      Config
	origin   string // of BaseURL, as browsers write it
	base     string // path of BaseURL, without a slash at the end
	prefix   string // where browsers find Handler: base + Config.Path
	host     string // of BaseURL, with its port
	loopback bool

	entries  []*entry
	byID     map[string]*entry
	usable   []string // providers with which a person can log in
	sessions *session.Manager
	oneStore bool // it keeps sessions as well, and counts them in a transaction
	tokens   sealer
	renewals singleflight.Group
	unsaved  unsaved
	pages    *pages
	clientIP func(*http.Request) string
	vary     []string
}

// An entry is a provider of an Auth with what the Auth knows about it.
type entry struct {
	provider.Provider
	info    provider.Info
	logsOut bool // it may say that someone has logged out, so that a login must ask

	callback string                 // the URL that the service returns people to
	page     atomic.Pointer[string] // where it sent the last of them, without a query
}

// ids returns the IDs under which accounts of the provider may be stored, the
// present one first.
func (e *entry) ids() []string { return append([]string{e.info.ID}, e.info.FormerIDs...) }

// New returns an Auth with the providers, in the order in which people are
// offered them. If anything is set up wrongly, New returns all that is, joined.
// It does no network I/O. What it was given cannot be changed afterwards.
func New(cfg Config, providers ...provider.Provider) (*Auth, error) {
	a := &Auth{byID: make(map[string]*entry)}
	var m mistakes
	a.setBase(&cfg, &m)
	a.setProviders(&cfg, providers, &m)
	a.setDefaults(&cfg, &m)
	a.cfg = cfg
	a.setSessions(&m)
	if err := m.err(); err != nil {
		return nil, err
	}
	a.tokens = newSealer(cfg.Secret, cfg.OldSecrets)
	a.pages = newPages()
	if len(cfg.DangerouslyLinkByEmail) > 0 {
		a.logger().Warn("gatepass: people are given an existing user by their email address alone",
			"option", "DangerouslyLinkByEmail", "providers", cfg.DangerouslyLinkByEmail)
	}
	return a, nil
}

// Sessions is what keeps people logged in, for an app that shows them where
// they are, or that logs someone out everywhere. It is also a gorilla
// sessions.Store, for values of the app's own.
func (a *Auth) Sessions() *session.Manager { return a.sessions }

// Providers returns what pages of the app's own need to offer logins, in the
// order in which New was given them.
func (a *Auth) Providers() []provider.Info {
	infos := make([]provider.Info, len(a.entries))
	for i, e := range a.entries {
		infos[i] = e.info
		infos[i].Hosts = slices.Clone(e.info.Hosts)
		infos[i].FormerIDs = slices.Clone(e.info.FormerIDs)
	}
	return infos
}

// CallbackURL returns the URL to register with the provider.
func (a *Auth) CallbackURL(providerID string) string {
	return a.origin + a.prefix + "/callback/" + url.PathEscape(providerID)
}

// LoginPath returns the path at which a login with the provider begins, to come
// back to returnTo, a path of this app. If returnTo is empty, people go to
// [Config.AfterLogin].
func (a *Auth) LoginPath(providerID, returnTo string) string {
	return withReturnTo(a.prefix+"/login/"+url.PathEscape(providerID), returnTo)
}

func withReturnTo(path, returnTo string) string {
	if returnTo == "" {
		return path
	}
	return path + "?return_to=" + url.QueryEscape(returnTo)
}

func (a *Auth) logger() *slog.Logger {
	if a.cfg.Logger != nil {
		return a.cfg.Logger
	}
	return slog.Default()
}

func (a *Auth) now() time.Time {
	if a.cfg.Session.Now != nil {
		return a.cfg.Session.Now()
	}
	return time.Now()
}

// afterCode bounds what happens once the code has left for the provider. From
// then on the person cannot cancel: half a login would be a grant that nobody
// knows of.
const afterCode = 15 * time.Second

func detached(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), afterCode)
}
