package databases_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// trips counts how often a program waits for PostgreSQL.
type trips struct{ n atomic.Int64 }

// A tripConn counts a trip when something is read after something was written.
type tripConn struct {
	net.Conn
	trips *trips
	asked atomic.Bool
}

func (c *tripConn) Write(b []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(b)
}

func (c *tripConn) Read(b []byte) (int, error) {
	if c.asked.Swap(false) {
		c.trips.n.Add(1)
	}
	return c.Conn.Read(b)
}

// An ending service is one that tells when its own sessions end.
type ending struct{ provider.Provider }

func (p ending) Complete(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
	id, tok, err := p.Provider.Complete(ctx, cb)
	id.SID = "sid"
	return id, tok, err
}

func (ending) VerifyLogout(context.Context, string) (provider.Logout, error) {
	return provider.Logout{}, provider.ErrDenied
}

// A login of someone who has been here goes to PostgreSQL once before the code
// leaves, to use up the flow, and twice once the service has answered: to find the
// account, its user and its token, and to keep what the service said and begin the
// session. If the service may have ended the login meanwhile, that is asked last.
func TestTripsOfALogin(t *testing.T) {
	for name, test := range map[string]struct {
		service func(provider.Provider) provider.Provider
		want    int64
	}{
		"a service that never tells": {func(p provider.Provider) provider.Provider { return p }, 2},
		"one that may end a login":   {func(p provider.Provider) provider.Provider { return ending{p} }, 3},
	} {
		t.Run(name, func(t *testing.T) { tripsOfALogin(t, test.service, test.want) })
	}
}

func tripsOfALogin(t *testing.T, service func(provider.Provider) provider.Provider, want int64) {
	each(t, func(t *testing.T, db database) {
		cfg, err := pgx.ParseConfig(db.fresh(t))
		if err != nil {
			t.Fatal(err)
		}
		var all trips
		dial := cfg.DialFunc
		cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &tripConn{Conn: c, trips: &all}, nil
		}
		pool := stdlib.OpenDB(*cfg)
		t.Cleanup(func() { pool.Close() })
		pool.SetMaxOpenConns(1)
		s := opened(t, db.dialector("", pool))
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		svc := newService(t)
		svc.quiet = true          // so that the token of before is asked for
		var answered atomic.Int64 // trips until the service's last answer
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answered.Store(all.n.Load())
			svc.Config.Handler.ServeHTTP(w, r)
		}))
		t.Cleanup(front.Close)
		a := newAppWith(t, s, service(providerAt(front.URL)), 0, secret)
		for range 3 { // until every statement is prepared
			a.mustLogin(t, "ada")
		}
		before := all.n.Load()
		if _, err := a.login("ada"); err != nil {
			t.Fatal(err)
		}
		if n := answered.Load() - before; n != 1 {
			t.Errorf("got %d trips until the service has answered, want 1", n)
		}
		if n := all.n.Load() - answered.Load(); n != want {
			t.Errorf("got %d trips since, want %d", n, want)
		}
	}, "postgres")
}
