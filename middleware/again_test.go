package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A rerunner is a store that runs what is in a transaction twice, as one does in
// which another transaction was quicker: the first time comes to nothing.
type rerunner struct {
	*memstore.Store
	between func()
}

var errQuicker = errors.New("another was quicker")

func (s *rerunner) Transact(ctx context.Context, f func(store.Store) error) error {
	between := s.between
	if s.between = nil; between != nil {
		err := s.Store.Transact(ctx, func(tx store.Store) error { return errors.Join(f(tx), errQuicker) })
		if !errors.Is(err, errQuicker) {
			return err
		}
		between()
	}
	return s.Store.Transact(ctx, f)
}

// Someone who signs up in two tabs at once signs up in one of them. In the other
// they come back, however their login began: its hook does not welcome them, and
// what goes wrong in it does not remove the user whom the first has made.
func TestSignUpThatAnotherWasQuickerWith(t *testing.T) {
	errHook := errors.New("the hook failed")
	for name, fails := range map[string]error{"and comes back": nil, "and is refused": errHook} {
		t.Run(name, func(t *testing.T) {
			s := &rerunner{Store: memstore.New()}
			signUps, logins := 0, 0
			a := newApp(t, func(c *middleware.Config) {
				c.Store = s
				c.OnSignUp = func(context.Context, *store.User, provider.Identity) error { signUps++; return nil }
				c.OnLogin = func(context.Context, *store.User, provider.Identity) error {
					if logins++; logins > 1 {
						return fails
					}
					return nil
				}
			})
			a.github.person("ada", ada)
			first, second := a.browser(), a.browser()
			state := second.begin("github")
			s.between = func() { first.login("github", "ada") }
			resp := second.callback("github", state, "ada")
			if fails == nil && resp.StatusCode != http.StatusSeeOther {
				t.Errorf("got %d", resp.StatusCode)
			}
			if signUps != 1 || a.users(githubAda) != 1 || first.whoami() == "" {
				t.Errorf("got %d sign-ups, %d users, and the first browser is %q", signUps, a.users(githubAda), first.whoami())
			}
		})
	}
}

// Neither does a link that came to nothing remove the account that another one of
// the same user has added meanwhile.
func TestLinkThatAnotherWasQuickerWith(t *testing.T) {
	s := &rerunner{Store: memstore.New()}
	links := 0
	a := newApp(t, func(c *middleware.Config) {
		c.Store = s
		c.OnLink = func(context.Context, *store.User, provider.Identity) error {
			if links++; links > 1 {
				return errors.New("the hook failed")
			}
			return nil
		}
	})
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1", Name: "Ada"})
	b := a.browser()
	b.login("github", "ada")
	id := b.whoami()
	one, two := b.stateOf(b.post("/auth/link/other", nil)), b.stateOf(b.post("/auth/link/other", nil))
	s.between = func() { b.callback("other", one, "ada") }
	b.callback("other", two, "ada")
	accounts, err := s.UserAccounts(t.Context(), id)
	if err != nil || len(accounts) != 2 || links != 1 {
		t.Errorf("got %d accounts, %d links, %v", len(accounts), links, err)
	}
}
