package catalog_test

import (
	"fmt"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
)

// An app that offers whatever its configuration has keys for. Getenv is
// os.Getenv in a real app.
func ExampleAll() {
	config := map[string]string{
		"GITHUB_ID": "4711", "GITHUB_SECRET": "from github.com",
		"GOOGLE_ID": "0815", "GOOGLE_SECRET": "from google.com",
	}
	getenv := func(name string) string { return config[name] }

	var providers []provider.Provider
	for id, create := range catalog.All() {
		name := strings.ToUpper(id)
		if clientID := getenv(name + "_ID"); clientID != "" {
			providers = append(providers, create(clientID, getenv(name+"_SECRET")))
		}
	}
	for _, p := range providers {
		fmt.Println(p.Info().Name)
	}
	// Output:
	// GitHub
	// Google
}

// A company's own server, whose administrators are trusted to know who has
// which address.
func ExampleKeycloak() {
	p := catalog.Keycloak("login.example.com", "staff", "app", "secret",
		provider.WithName("Example Ltd."),
		provider.WithTrustedEmails())
	fmt.Println(p.Info().ID, p.Info().Name)
	// Output: keycloak Example Ltd.
}
