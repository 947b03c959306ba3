package redisstore_test

import (
	"fmt"
	"log"

	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/redis/go-redis/v9"
)

func ExampleNew() {
	service, err := providertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	cfg := middleware.Config{
		BaseURL: "http://localhost:8080",
		Secret:  "of at least 32 random bytes, not these",
		Store:   memstore.New(), // users, accounts and tokens; rather a gormstore.Store
	}
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true, MaxRetries: 1})
	cfg.Session.Store = redisstore.New(client)
	auth, err := middleware.New(cfg, service.Provider())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(auth.CallbackURL("test"))
	// Output: http://localhost:8080/auth/callback/test
}
