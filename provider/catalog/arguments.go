package catalog

import (
	"errors"
	"strings"

	"github.com/gatepass/gatepass/provider"
)

// at returns the URL of a customer's server. Developers copy its name or its
// whole address out of a browser, so both will do. An address may begin with
// http, for a server on the developer's own machine; for any other one
// provider.Check objects.
func at(host string) string {
	host = strings.TrimRight(host, "/")
	if strings.Contains(host, "://") {
		return host
	}
	return "https://" + host
}

// mistaken is a provider with an argument that cannot work in a way that its
// definition cannot tell.
type mistaken struct {
	provider.Provider
	err error
}

// Unwrap returns the provider as it was made.
func (m mistaken) Unwrap() provider.Provider { return m.Provider }

// Check returns the mistake and those of the definition.
func (m mistaken) Check() error { return errors.Join(m.err, provider.Check(m.Provider)) }
