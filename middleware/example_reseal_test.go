package middleware_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/gatepass/gatepass/store/memstore"
)

// Once every process has the new Secret, a run of this makes the old one
// superfluous.
func ExampleAuth_ResealTokens() {
	auth, err := middleware.New(middleware.Config{
		BaseURL:    "https://app.example.com",
		Secret:     newSecret,
		OldSecrets: []string{secret},
		Store:      memstore.New(),
	}, catalog.GitHub("id", "github-secret"))
	if err != nil {
		log.Fatal(err)
	}
	n, err := auth.ResealTokens(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "tokens sealed anew")
	// Output: 0 tokens sealed anew
}
