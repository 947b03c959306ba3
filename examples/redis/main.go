// Redis is an app of which any number of processes may run behind a load
// balancer, with users in PostgreSQL or SQLite and sessions in Redis. Its
// redisstore is a package for use in other programs.
//
// People log in with a test service, on whose page you choose who to be:
//
//	export SECRET=$(openssl rand -base64 32)
//	go run . -redis redis://localhost:6379
//
// To see two processes at work, start this one as well, and open either: cookies
// are of a host, whatever its port.
//
//	go run . -redis redis://localhost:6379 -addr localhost:8081 -service http://127.0.0.1:5001
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/redis/go-redis/v9"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv("SECRET"), os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, secret string, out io.Writer) error {
	flags := flag.NewFlagSet("redis", flag.ContinueOnError)
	addr := flags.String("addr", "localhost:8080", "address to listen on")
	baseURL := flags.String("url", "", "where people reach the app, if that is not -addr")
	database := flags.String("db", "app.db", `where users are: an SQLite file, or PostgreSQL's "host=… user=… dbname=…" or postgres://…`)
	redisURL := flags.String("redis", "", "where sessions are, such as redis://localhost:6379; if empty, with the users")
	service := flags.String("service", "", "URL of a test service; if empty, one starts at 127.0.0.1:5001")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *service == "" {
		srv, err := providertest.StartAt("127.0.0.1:5001")
		if err != nil {
			return err
		}
		defer srv.Close()
		*service = srv.URL
	}
	db, err := open(*database)
	if err != nil {
		return err
	}
	defer db.Close()

	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	cfg := middleware.Config{BaseURL: *baseURL, Secret: secret, Store: db}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "http://" + *addr
	}
	if *redisURL != "" {
		client, err := connect(*redisURL)
		if err != nil {
			return err
		}
		defer client.Close()
		cfg.Session.Store = redisstore.New(client)
	}
	app, err := newApp(cfg, testService(*service))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on http://%s\n", ln.Addr())
	return serve(ctx, ln, app)
}

func open(database string) (*gormstore.Store, error) {
	if strings.Contains(database, "host=") || strings.HasPrefix(database, "postgres://") {
		return gormstore.Open(postgres.Open(database))
	}
	return gormstore.Open(sqlite.Open(database))
}

// connect makes a client for people who wait: if Redis is down, they are told so
// within a second or two.
func connect(url string) (*redis.Client, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("-redis: %w", err)
	}
	opts.ContextTimeoutEnabled = true
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = time.Second, time.Second, time.Second
	opts.DialerRetries, opts.MaxRetries = 1, 1
	return redis.NewClient(opts), nil
}

// testService is a service of package providertest that runs elsewhere.
func testService(url string) provider.Provider {
	return provider.OIDC{
		Info:   provider.Info{ID: "test", Name: "Test service"},
		Issuer: url,
		Scopes: []string{"email", "profile"},
	}.New(providertest.ClientID, providertest.ClientSecret)
}

func newApp(cfg middleware.Config, p provider.Provider) (http.Handler, error) {
	auth, err := middleware.New(cfg, p)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth.Handler())
	mux.Handle("GET /{$}", auth.RequireUser(http.HandlerFunc(home)))
	mux.Handle("POST /{$}", auth.RequireUser(http.HandlerFunc(home)))
	return mux, nil
}

func home(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello, %s!\n", middleware.CurrentUser(r.Context()).Name)
}

// serve answers requests until ctx is done, and lets those under way end.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return srv.Shutdown(ending)
	}
}
