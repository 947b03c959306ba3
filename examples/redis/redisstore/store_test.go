package redisstore_test

import (
	"context"
	"crypto/rand"
	"os"
	"testing"

	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gatepass/gatepass/store/storetest"
	"github.com/redis/go-redis/v9"
)

// servers are the environment variables that hold the URL of a server.
var servers = map[string]string{
	"Redis":         "GATEPASS_REDIS",
	"Redis Cluster": "GATEPASS_REDIS_CLUSTER",
	"Valkey":        "GATEPASS_VALKEY",
}

// server returns a client of the server that a variable names. Without it there
// is nothing to test, which on a machine that checks everything is a fault.
func server(tb testing.TB, name string) redis.UniversalClient {
	tb.Helper()
	variable := servers[name]
	url := os.Getenv(variable)
	if url == "" {
		say := tb.Skipf
		if os.Getenv("CI") == "true" {
			say = tb.Fatalf
		}
		say("%s is not set to a URL such as redis://127.0.0.1:6379; ./with-servers go test ./... starts a server and sets it", variable)
	}
	return client(tb, name, url)
}

func client(tb testing.TB, name, url string) redis.UniversalClient {
	tb.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	var c redis.UniversalClient
	if name == "Redis Cluster" {
		c = redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{opts.Addr}, ContextTimeoutEnabled: true})
	} else {
		opts.ContextTimeoutEnabled = true
		c = redis.NewClient(opts)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// fresh returns an empty Store, whose keys go when the test ends.
func fresh(tb testing.TB, c redis.UniversalClient) *redisstore.Store {
	tb.Helper()
	name := rand.Text()
	tb.Cleanup(func() {
		if keys := keysOf(tb, c, name); len(keys) > 0 {
			if err := c.Del(context.Background(), keys...).Err(); err != nil {
				tb.Error(err)
			}
		}
	})
	return redisstore.New(c, redisstore.WithPrefix(name))
}

// keysOf returns the keys of a Store with that prefix.
func keysOf(tb testing.TB, c redis.UniversalClient, name string) []string {
	tb.Helper()
	keys, err := c.Keys(context.Background(), "{"+name+"}:*").Result()
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// each runs f on every kind of server.
func each(t *testing.T, f func(t *testing.T, c redis.UniversalClient)) {
	for name := range servers {
		t.Run(name, func(t *testing.T) { f(t, server(t, name)) })
	}
}

func TestStore(t *testing.T) {
	each(t, func(t *testing.T, c redis.UniversalClient) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return redisstore.With(plain{memstore.New()}, fresh(t, c))
		})
	})
}

// A plain store has no transactions. What those of the rules do with sessions is
// more than the two halves can do together.
type plain struct{ all }

type all interface {
	store.Store
	store.AccountLister
}

// Whatever a Store is named, its keys have a hash tag, by which a cluster keeps
// them together.
func TestWithPrefix(t *testing.T) {
	c := server(t, "Redis")
	for name, want := range map[string]string{"": "{gatepass}:", "{": "{%7B}:", "a}:b": "{a%7D:b}:"} {
		s, id := redisstore.New(c, redisstore.WithPrefix(name)), rand.Text()
		must(t, s.CreateSession(t.Context(), newSession(id, "")))
		if n, err := c.Exists(t.Context(), want+"session:"+id).Result(); err != nil || n != 1 {
			t.Errorf("named %q: no key begins with %s (%v)", name, want, err)
		}
		must(t, s.DeleteSession(t.Context(), id))
	}
}
