// Server is the bundled example: an app with a home page, people who log in
// with one or more services, pages that call those services in a person's name,
// and logout. It needs no account anywhere:
//
//	go run ./examples/server
//
// and open http://localhost:5000. Without further settings people log in with a
// test service that runs beside it. To offer GitHub, register an application
// there and put its keys into the environment, or into a file called .env:
//
//	GITHUB_ID=…
//	GITHUB_SECRET=…
//
// Every other service of package catalog that needs an ID and a secret works in
// the same way. Further settings: SECRET, OLD_SECRETS (apart by spaces),
// BASE_URL (where people reach the app, if it stands behind a proxy).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx is done. It is all of main that a test can call.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	addr := flags.String("addr", "localhost:5000", "address to listen on")
	service := flags.String("service", "127.0.0.1:5001", "address of the test service, which runs if no keys are set")
	file := flags.String("db", "users.db", "SQLite file that keeps everything, or :memory:")
	if err := flags.Parse(args); err != nil {
		return err
	}

	// First of all the settings, so that nothing is built from half of them.
	getenv, err := environment(".env", os.LookupEnv)
	if err != nil {
		return err
	}
	providers, errServices := services(getenv)
	secret, errSecret := findSecret(getenv("SECRET"), *file)
	if err := errors.Join(errServices, errSecret); err != nil {
		return fmt.Errorf("cannot start:\n%w", err)
	}

	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s (another one can be chosen with -addr localhost:5050): %w", *addr, err)
	}
	defer ln.Close()

	var test *providertest.Server
	if len(providers) == 0 {
		// At another address it would be another service, which does not vouch
		// for those whom the database knows.
		if test, err = providertest.StartAt(*service); err != nil {
			return fmt.Errorf("%w (another address can be chosen with -service 127.0.0.1:5051)", err)
		}
		defer test.Close()
		// Two ways in, so that one person can have both, and with an address,
		// for the page that shows what a service tells if it is asked for more.
		providers = []provider.Provider{
			test.Provider(provider.WithScopes("address", "offline_access")),
			test.OAuth2(),
		}
	}

	a, err := newApp(config{
		BaseURL:    baseURL(getenv("BASE_URL"), ln.Addr()),
		DB:         *file,
		Secret:     secret.value,
		OldSecrets: strings.Fields(getenv("OLD_SECRETS")),
		Providers:  providers,
		Log:        slog.New(slog.NewTextHandler(out, nil)),
	})
	if err != nil {
		return fmt.Errorf("cannot start:\n%w", err)
	}
	defer a.Close()

	a.announce(out, secret, test)
	return serve(ctx, ln, a)
}

// serve answers requests until ctx is done, and then lets those under way end.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // a login asks the service, which may take 15
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return srv.Shutdown(ctx)
}

// baseURL returns where people reach the app. A name is wanted rather than an
// address: the test service is on 127.0.0.1, and two ports of one host share
// their cookies.
func baseURL(set string, addr net.Addr) string {
	if set != "" {
		return set
	}
	_, port, err := net.SplitHostPort(addr.String())
	if n, _ := strconv.Atoi(port); err != nil || n == 80 {
		return "http://localhost"
	}
	return "http://localhost:" + port
}
