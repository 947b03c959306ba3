package providertest

import (
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// Run tests that a Provider does what the interface promises. NewProvider makes
// one that talks to srv alone, afresh for each test, and may be called more
// than once in a test. A test of an optional interface is skipped for a
// Provider that lacks it.
//
// The people who log in have claims of OpenID Connect, their "sub" being a
// number. For a Provider that reads profiles of another shape, newProvider sets
// [Server.Alter], which finds who an answer is about in [Answer.Person]. For one
// with fixed URLs, it uses [Server.Transport].
func Run(t *testing.T, newProvider func(t *testing.T, srv *Server) provider.Provider) {
	keys := new(keyring) // one for all tests, since a key takes long to make
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			srv := newWatched(t, keys)
			r.run(t, srv, usual(), func() provider.Provider { return newProvider(t, srv) })
		})
	}
}

// A rule is one promise of the interface.
type rule struct {
	name string
	says string // printed when a Provider breaks it
	test func(c *trial)
}

// rules are all promises.
func rules() []rule {
	all := beginRules()
	all = append(all, loginRules()...)
	all = append(all, bindingRules()...)
	all = append(all, failureRules()...)
	all = append(all, tokenRules()...)
	return append(all, furtherRules()...)
}

// effort is how much a test does.
type effort struct {
	patience time.Duration // how long a Provider may take to notice that nobody waits for it
	crowd    int           // how many people log in at once
}

func usual() effort { return effort{patience: 5 * time.Second, crowd: 50} }

func (r rule) run(t testing.TB, srv *Server, e effort, make func() provider.Provider) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the rule: %s", r.says)
		}
	}()
	r.test(&trial{TB: t, srv: srv, effort: e, make: make, p: make()})
}

// newWatched starts a Server that notes what passes through it.
func newWatched(t testing.TB, keys *keyring) *Server {
	t.Helper()
	s, err := start("127.0.0.1:0", keys, false)
	if err != nil {
		t.Fatalf("providertest: %v", err)
	}
	t.Cleanup(s.Close)
	s.watching = true
	return s
}
