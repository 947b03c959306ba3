package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatepass/gatepass/examples/redis/internal/wire"
	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/redis/go-redis/v9"
)

// Without Redis nobody is a visitor, or anybody else: the answer is 503, to a
// page and to a callback, and once Redis is back all is as before.
func TestRedisIsDown(t *testing.T) {
	opts, err := redis.ParseURL(server(t, "GATEPASS_REDIS"))
	if err != nil {
		t.Fatal(err)
	}
	between := new(wire.Wire)
	opts.Dialer, opts.MaxRetries, opts.DialerRetries = between.Dial, -1, 1
	client := redis.NewClient(opts)
	defer client.Close()
	w := &world{TB: t, service: providertest.NewServer(t)}
	front := httptest.NewUnstartedServer(nil)
	w.url = "http://" + front.Listener.Addr().String()
	front.Config.Handler, err = newApp(middleware.Config{
		BaseURL: w.url, Secret: secret, Store: memstore.New(), Logger: slog.New(slog.DiscardHandler),
		Session: session.Config{Store: redisstore.New(client, redisstore.WithPrefix(t.Name())), Cache: -1},
	}, w.service.Provider())
	if err != nil {
		t.Fatal(err)
	}
	front.Start()
	defer front.Close()

	ada, bob := w.browser("Ada"), w.browser("Bob")
	callback, _ := ada.begin()
	if a := ada.do(http.MethodGet, callback); a.status != http.StatusSeeOther {
		t.Fatalf("login: got %v, want a redirect", a)
	}
	callback, _ = bob.begin()
	between.Cut()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if a := ada.do(method, "/"); a.status != http.StatusServiceUnavailable {
			t.Errorf("%s without Redis: got %v, want 503", method, a)
		}
	}
	if a := bob.do(http.MethodGet, callback); a.status != http.StatusServiceUnavailable {
		t.Errorf("callback without Redis: got %v, want 503", a)
	}
	between.Mend()
	if a := ada.do(http.MethodGet, "/"); !ada.greeted(a) {
		t.Errorf("once Redis is back: got %v, want that Ada is greeted", a)
	}
	if a := bob.do(http.MethodGet, callback); a.status != http.StatusSeeOther {
		t.Errorf("the callback, once Redis is back: got %v, want that it logs in", a)
	}
	if a := bob.do(http.MethodGet, "/"); !bob.greeted(a) {
		t.Errorf("got %v, want that Bob is greeted", a)
	}
}
