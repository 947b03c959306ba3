package catalog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
)

// An entry is a constructor with every argument but the client's.
type entry struct {
	dir string // below testdata
	new func(id, secret string, opts ...provider.Option) provider.Provider
}

// entries are all constructors. Those of All come by their IDs.
func entries() []entry {
	var all []entry
	for id, create := range catalog.All() {
		all = append(all, entry{id, create})
	}
	return append(all,
		entry{"apple", func(id, secret string, opts ...provider.Option) provider.Provider {
			key := appleKey()
			if secret == "" {
				key.PEM = ""
			}
			return catalog.Apple(key, id, opts...)
		}},
		entry{"auth0", with(catalog.Auth0, "acme.eu.auth0.example")},
		entry{"github-enterprise", with(catalog.GitHubEnterprise, "git.corp.example")},
		entry{"gitlab-self-managed", with(catalog.GitLabAt, "https://code.corp.example:8443/")},
		entry{"keycloak", func(id, secret string, opts ...provider.Option) provider.Provider {
			return catalog.Keycloak("login.corp.example", "staff room", id, secret, opts...)
		}},
		entry{"microsoft-tenant", with(catalog.MicrosoftTenant, "4C1F6D0E-1234-4222-8333-0A0B0C0D0E0F")},
		entry{"oidc", with(catalog.OIDC, "https://idp.corp.example/tenant")},
		entry{"okta", with(catalog.Okta, "acme.okta.example")},
	)
}

func with(create func(host, id, secret string, opts ...provider.Option) provider.Provider, host string) func(id, secret string, opts ...provider.Option) provider.Provider {
	return func(id, secret string, opts ...provider.Option) provider.Provider {
		return create(host, id, secret, opts...)
	}
}

func entryOf(t *testing.T, dir string) entry {
	t.Helper()
	for _, e := range entries() {
		if e.dir == dir {
			return e
		}
	}
	t.Fatalf("no entry %s", dir)
	return entry{}
}

// appleSigner is the developer's key in all tests.
var appleSigner = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func appleKey() catalog.AppleKey {
	return catalog.AppleKey{TeamID: "TEAM777777", KeyID: "KEY7777777", PEM: pkcs8(appleSigner())}
}

func pkcs8(key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// client makes a provider talk to s alone.
func client(s *service) provider.Option {
	return provider.WithHTTPClient(&http.Client{Transport: s})
}
