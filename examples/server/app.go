package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// memory is the name of a database that ends with the program.
const memory = ":memory:"

type config struct {
	BaseURL    string
	DB         string
	Secret     string
	OldSecrets []string
	Providers  []provider.Provider
	Log        *slog.Logger
}

// An app is the whole example, without a listener.
type app struct {
	http.Handler
	auth  *middleware.Auth
	store *gormstore.Store
	db    *gorm.DB
	log   *slog.Logger
	cfg   config
}

// A member is a user of this app: the library's columns, and one of our own in
// the same table.
type member struct {
	gormstore.User
	Logins int `gorm:"not null;default:0"`
}

func newApp(cfg config) (*app, error) {
	a := &app{log: cfg.Log, cfg: cfg}
	if err := a.open(cfg.DB); err != nil {
		return nil, fmt.Errorf("database (-db %s): %w", cfg.DB, err)
	}
	auth, err := middleware.New(middleware.Config{
		BaseURL:    cfg.BaseURL,
		Secret:     cfg.Secret,
		OldSecrets: cfg.OldSecrets,
		Store:      a.store,
		OnSignUp:   a.onSignUp,
		OnLogin:    a.onLogin,
		Logger:     cfg.Log,
		Session: session.Config{
			Remember:  90 * 24 * time.Hour,        // for those who tick the box
			CarryOver: []string{"prefs/greeting"}, // a visitor's, when they log in
		},
	}, cfg.Providers...)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.auth = auth
	a.Handler = a.routes()
	return a, nil
}

func (a *app) open(name string) (err error) {
	if name != memory {
		// What people are called and where they live is nobody else's on this
		// machine. SQLite gives its further files the mode of the first.
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if a.store, err = gormstore.Open(sqlite.Open(name)); err != nil {
		return err
	}
	a.db = a.store.DB()
	if err := a.db.AutoMigrate(&member{}); err != nil {
		return errors.Join(err, a.store.Close())
	}
	return nil
}

// Close closes the database.
func (a *app) Close() error { return a.store.Close() }

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", ping)
	mux.HandleFunc("GET /style.css", style)
	mux.Handle("/auth/", a.auth.Handler())
	mux.HandleFunc("GET /logout", logout)
	mux.Handle("GET /profile", a.auth.RequireUser(http.HandlerFunc(a.profile)))
	// A form on another site's page cannot choose for anybody.
	mux.Handle("POST /greeting", http.NewCrossOriginProtection().Handler(a.auth.LoadUser(http.HandlerFunc(a.choose))))
	mux.Handle("GET /{$}", a.auth.LoadUser(http.HandlerFunc(a.home)))
	mux.Handle("/", a.auth.LoadUser(http.HandlerFunc(a.notFound)))
	for path, q := range a.pages() {
		if a.offers(q.Provider) {
			mux.Handle("GET "+path, a.auth.RequireAccount(q.Provider)(a.ask(q)))
		} else if q.Name != "" {
			mux.Handle("GET "+path, a.auth.LoadUser(a.notSetUp(q)))
		}
	}
	return mux
}

// offers reports whether people can log in with the provider.
func (a *app) offers(id string) bool {
	for _, p := range a.cfg.Providers {
		if p.Info().ID == id {
			return true
		}
	}
	return false
}

// onSignUp and onLogin are where the app learns of a login, before it counts.
// An error from either would refuse it.
func (a *app) onSignUp(_ context.Context, u *store.User, id provider.Identity) error {
	a.log.Info("somebody is new here", "user", u.ID, "provider", id.Provider)
	return nil
}

func (a *app) onLogin(ctx context.Context, u *store.User, id provider.Identity) error {
	a.log.Info("somebody logged in", "user", u.ID, "provider", id.Provider)
	return a.db.WithContext(ctx).Model(&member{}).Where("id = ?", u.ID).
		UpdateColumn("logins", gorm.Expr("logins + 1")).Error
}

// service returns the name of the service with that ID, as on its button.
func (a *app) service(id string) string {
	for _, p := range a.auth.Providers() {
		if p.ID == id {
			return p.Name
		}
	}
	return strings.ToUpper(id[:1]) + id[1:]
}
