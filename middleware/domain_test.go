package middleware_test

import (
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store/memstore"
)

// Browsers take a cookie of a domain only from a host that is it, or below it.
func TestDomainOfBaseURL(t *testing.T) {
	for _, test := range []struct {
		base, domain string
		good         bool
	}{
		{"https://example.com", "example.com", true},
		{"https://app.example.com", "example.com", true},
		{"https://a.app.example.com", "example.com", true},
		{"https://App.Example.com:8443/shop", "example.com", true},
		{"https://example.com:443", "example.com", true},
		{"https://app.example.com", "", true},
		{"https://example.com", "app.example.com", false},
		{"https://badexample.com", "example.com", false},
		{"https://app.example.org", "example.com", false},
		{"https://example.com.example.org", "example.com", false},
		{"https://192.0.2.1", "example.com", false},
	} {
		cfg := middleware.Config{BaseURL: test.base, Secret: secret, Store: memstore.New()}
		cfg.Session.Domain = test.domain
		_, err := middleware.New(cfg, newFake("github"))
		if test.good && err != nil || !test.good && (err == nil || !strings.Contains(err.Error(), `Session.Domain: got "`+test.domain+`", want the host of BaseURL`)) {
			t.Errorf("%s with Domain %q: got %v, want good: %v", test.base, test.domain, err, test.good)
		}
	}
}
