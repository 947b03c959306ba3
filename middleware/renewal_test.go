package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// expire makes the next logins' tokens end after d.
func (a *app) expire(code string, d time.Duration) {
	a.github.mu.Lock()
	defer a.github.mu.Unlock()
	tok := a.github.tokens[code]
	tok.Expiry = a.clock.Now().Add(d)
	a.github.tokens[code] = tok
}

// loginForAnHour logs ada in with a token that lasts an hour.
func (a *app) loginForAnHour() (b *browser, id string) {
	a.t.Helper()
	a.github.person("ada", ada)
	a.expire("ada", time.Hour)
	b = a.browser()
	b.login("github", "ada")
	return b, b.whoami()
}

func TestRenewalIsKeptAndDoneOnce(t *testing.T) {
	a := newApp(t, nil)
	var renewed atomic.Int32
	withAPI(a, api(t), func(c *middleware.Config) {
		c.OnRenew = func(_ context.Context, u *store.User, acct store.Account) error {
			renewed.Add(1)
			return nil
		}
	})
	_, id := a.loginForAnHour()
	var calls atomic.Int32
	a.github.refresh = func(_ context.Context, tok provider.Token) (provider.Token, error) {
		n := calls.Add(1)
		if want := fmt.Sprintf("rt-%d", n-1); n > 1 && tok.RefreshToken != want || n == 1 && tok.RefreshToken != "rt-ada" {
			t.Errorf("refresh %d: got refresh token %q", n, tok.RefreshToken)
		}
		return provider.Token{AccessToken: fmt.Sprintf("at-%d", n), RefreshToken: fmt.Sprintf("rt-%d", n), Expiry: a.clock.Now().Add(time.Hour)}, nil
	}
	for round := 1; round <= 2; round++ {
		a.clock.advance(2 * time.Hour)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				got, err := a.call(id, "/user")
				if want := fmt.Sprintf("/user Bearer at-%d", round); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			})
		}
		wg.Wait()
		if n := calls.Load(); n != int32(round) || renewed.Load() != n {
			t.Errorf("round %d: got %d renewals and %d calls of OnRenew, want one each", round, n, renewed.Load())
		}
	}
}

func TestRenewalAmongProcesses(t *testing.T) {
	a := newApp(t, nil)
	srv := api(t)
	withAPI(a, srv, nil)
	_, id := a.loginForAnHour()
	a.clock.advance(2 * time.Hour)
	var calls atomic.Int32
	a.github.refresh = func(_ context.Context, tok provider.Token) (provider.Token, error) {
		calls.Add(1)
		return provider.Token{AccessToken: "at-new", Expiry: a.clock.Now().Add(time.Hour)}, nil
	}
	processes := make([]*app, 5)
	for i := range processes {
		processes[i] = newApp(t, func(c *middleware.Config) { c.Store = a.store })
		processes[i].github, processes[i].clock = a.github, a.clock
		withAPI(processes[i], srv, nil)
	}
	var wg sync.WaitGroup
	for _, other := range processes {
		wg.Go(func() {
			if got, err := other.call(id, "/user"); err != nil || got != "/user Bearer at-new" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("got %d renewals, want 1", calls.Load())
	}
}

func TestGrantThatIsGone(t *testing.T) {
	a := newApp(t, nil)
	withAPI(a, api(t), nil)
	b, id := a.loginForAnHour()
	a.clock.advance(2 * time.Hour)
	calls := 0
	a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) {
		calls++
		return provider.Token{}, &provider.Error{Provider: "github", Op: "refresh", Err: provider.ErrRevoked}
	}
	for range 3 {
		if _, err := a.call(id, "/user"); !errors.Is(err, middleware.ErrNoToken) {
			t.Errorf("got %v, want ErrNoToken", err)
		}
	}
	if calls != 1 {
		t.Errorf("the service was asked %d times, want once", calls)
	}
	if b.whoami() != id {
		t.Error("the session ended with the token")
	}
}

func TestProviderDownAtRenewal(t *testing.T) {
	a := newApp(t, nil)
	withAPI(a, api(t), nil)
	_, id := a.loginForAnHour()
	down, calls := true, 0
	a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) {
		calls++
		if down {
			return provider.Token{}, &provider.Error{Provider: "github", Op: "refresh", Err: errors.New("unreachable")}
		}
		return provider.Token{AccessToken: "at-new", Expiry: a.clock.Now().Add(time.Hour)}, nil
	}
	a.clock.advance(58 * time.Minute) // due, but not expired
	for range 3 {
		if got, err := a.call(id, "/user"); err != nil || got != "/user Bearer at-ada" {
			t.Errorf("a token that still works: got %q, %v", got, err)
		}
	}
	a.clock.advance(10 * time.Minute)
	if _, err := a.call(id, "/user"); err == nil || errors.Is(err, middleware.ErrNoToken) || middleware.StatusCode(err) != 502 {
		t.Errorf("got %v, want a provider that failed and not ErrNoToken", err)
	}
	if calls != 2 {
		t.Errorf("got %d tries, want 2: one, and one after half a minute", calls)
	}
	down = false
	a.clock.advance(time.Minute)
	if got, err := a.call(id, "/user"); err != nil || got != "/user Bearer at-new" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLateRenewalAgainstAFreshLogin(t *testing.T) {
	a := newApp(t, nil)
	withAPI(a, api(t), nil)
	_, id := a.loginForAnHour()
	a.clock.advance(2 * time.Hour)
	a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) {
		a.github.person("again", ada)
		a.expire("again", time.Hour)
		a.browser().login("github", "again")
		return provider.Token{AccessToken: "at-late", Expiry: a.clock.Now().Add(time.Hour)}, nil
	}
	if got, err := a.call(id, "/user"); err != nil || got != "/user Bearer at-again" {
		t.Errorf("got %q, %v; want the login's token", got, err)
	}
	if len(a.github.revoked) != 0 {
		t.Error("the late token was withdrawn, and with it perhaps the grant")
	}
}

// swapless is a store that will not take a renewed token for a while.
type swapless struct {
	store.Store
	down atomic.Bool
}

func (s *swapless) SwapToken(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
	if s.down.Load() {
		return errors.New("disk full")
	}
	return s.Store.SwapToken(ctx, k, old, t)
}

func TestRenewedTokenThatCannotBeStored(t *testing.T) {
	s := &swapless{Store: memstore.New()}
	a := newApp(t, func(c *middleware.Config) { c.Store = s })
	withAPI(a, api(t), nil)
	_, id := a.loginForAnHour()
	a.clock.advance(2 * time.Hour)
	calls := 0
	a.github.refresh = func(context.Context, provider.Token) (provider.Token, error) {
		calls++
		return provider.Token{AccessToken: "at-new", RefreshToken: "rt-new", Expiry: a.clock.Now().Add(time.Hour)}, nil
	}
	s.down.Store(true)
	for range 2 {
		if got, err := a.call(id, "/user"); err != nil || got != "/user Bearer at-new" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	s.down.Store(false)
	if got, err := a.call(id, "/user"); err != nil || got != "/user Bearer at-new" || calls != 1 {
		t.Errorf("got %q, %v after %d renewals, want at-new after 1", got, err, calls)
	}
	other := newApp(t, func(c *middleware.Config) { c.Store = s })
	other.github, other.clock = a.github, a.clock
	withAPI(other, api(t), nil)
	if got, err := other.call(id, "/user"); err != nil || got != "/user Bearer at-new" || calls != 1 {
		t.Errorf("another process: got %q, %v after %d renewals", got, err, calls)
	}
}
