package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// poster adds a provider that posts its callbacks.
func poster(a *app, change func(*middleware.Config)) *fakeProvider {
	apple := newFake("apple")
	apple.info.PostsBack = true
	a.remount(change, apple)
	return apple
}

// formPost is the service's page, from which Lax cookies do not come along.
func (b *browser) formPost(path string, form url.Values) *http.Response {
	bare := b.app.browser()
	resp := bare.post(path, form, crossSite, header("Origin", "https://apple.example"))
	for name, c := range bare.cookies {
		b.cookies[name] = c
	}
	return resp
}

func TestPostedTokens(t *testing.T) {
	for _, name := range []string{"access_token", "id_token", "response"} {
		a := newApp(t, nil)
		apple := poster(a, nil)
		apple.person("ada", ada)
		b := a.browser()
		state := b.begin("apple")
		resp := b.formPost("/auth/callback/apple", url.Values{"state": {state}, "code": {"ada"}, name: {"x"}})
		requireRejected(t, a, b, resp, 400, "unexpected_response")
		if apple.completions() != 0 {
			t.Errorf("%s: the code was sent", name)
		}
	}
}

// Where the callback is posted: what came must wait for the store.
func TestPostedCallbackWhileTheStoreFails(t *testing.T) {
	broken := &brokenStore{Store: memstore.New()}
	a := newApp(t, nil)
	a.store = broken
	apple := poster(a, nil)
	apple.person("ada", ada)
	b := a.browser()
	resp := b.formPost("/auth/callback/apple", url.Values{"state": {b.begin("apple")}, "code": {"ada"}})
	back := resp.Header.Get("Location")
	op := "Mark"
	broken.broken.Store(&op)
	requireRejected(t, a, b, b.get(back, crossSite), 503, "store")
	if apple.completions() != 0 {
		t.Error("the code was sent")
	}
	op = ""
	if resp := b.get(back, crossSite); resp.StatusCode != 303 || resp.Header.Get("Location") != "/private" {
		t.Errorf("the same callback once the store is back: got %d: %s", resp.StatusCode, body(t, resp))
	}
}

// The browser did not keep the cookie of the POST.
func TestPostedCallbackWithoutCookies(t *testing.T) {
	a := newApp(t, nil)
	poster(a, nil)
	b := a.browser()
	state := b.begin("apple")
	resp := b.get("/auth/callback/apple?state="+state, crossSite)
	if text := body(t, resp); resp.StatusCode != 400 || !strings.Contains(text, "cookies") {
		t.Errorf("got %d, want 400 and a word on cookies: %s", resp.StatusCode, text)
	}
}

// A proof that does not count leaves no trace.
func TestRefusedReauthenticationWritesNothing(t *testing.T) {
	a := newApp(t, nil)
	a.github.info.Reauth = true
	a.remount(nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	was, err := a.store.Account(context.Background(), githubAda)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := a.store.Token(context.Background(), githubAda)
	if err != nil {
		t.Fatal(err)
	}
	a.clock.advance(6 * time.Minute)
	state := b.stateOf(b.post("/auth/reauth/github", nil))
	key := b.sessionCookie()
	resp := b.callback("github", state, "ada") // without auth_time
	if text := body(t, resp); resp.StatusCode != 403 || !strings.Contains(text, "did not ask you again") || !strings.Contains(a.log.String(), "reason=auth_time ") {
		t.Errorf("got %d, want 403 and the reason: %s", resp.StatusCode, text)
	}
	is, err := a.store.Account(context.Background(), githubAda)
	if err != nil || !is.UpdatedAt.Equal(was.UpdatedAt) {
		t.Errorf("the account was written: %v, %v", is, err)
	}
	if now, err := a.store.Token(context.Background(), githubAda); err != nil || string(now.Sealed) != string(tok.Sealed) {
		t.Errorf("the token was written: %v", err)
	}
	if b.sessionCookie() != key {
		t.Error("the session has a new key")
	}
}

// The answer to a click is the same when it comes twice, also of a link.
func TestLinkCallbackTwice(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1"})
	b := a.browser()
	b.login("github", "ada")
	a.clock.advance(time.Second)
	state := b.stateOf(b.post("/auth/link/other", nil))
	flows := make(map[string]*http.Cookie)
	for name, c := range b.cookies {
		flows[name] = c
	}
	b.callback("other", state, "ada")
	session := b.sessionCookie()
	for name, c := range flows {
		if strings.Contains(name, "-flow-") {
			b.cookies[name] = c
		}
	}
	if resp := b.callback("other", state, "ada"); resp.StatusCode != 303 || resp.Header.Get("Location") != "/auth/account" {
		t.Errorf("got %d to %q, want 303 to the account page", resp.StatusCode, resp.Header.Get("Location"))
	}
	if a.other.completions() != 1 || b.sessionCookie() != session {
		t.Errorf("got %d exchanges, or a new session", a.other.completions())
	}
	b.cookies = flows // of before: the session key that the link ended
	if resp := b.callback("other", state, "ada"); resp.StatusCode != 400 {
		t.Errorf("replayed with the old session: got %d, want 400", resp.StatusCode)
	}
}

// In a store without transactions as well, a first login that
// fails is a first login the next time.
func TestFirstLoginThatFailsHalfway(t *testing.T) {
	fails := &tokenStore{Store: memstore.New()}
	signUps, links := 0, 0
	a := newApp(t, func(c *middleware.Config) {
		c.Store = fails
		c.OnSignUp = func(context.Context, *store.User, provider.Identity) error { signUps++; return nil }
		c.OnLink = func(context.Context, *store.User, provider.Identity) error { links++; return nil }
	})
	a.github.person("ada", ada)
	a.other.person("ada", provider.Identity{Subject: "o-1"})
	b := a.browser()
	fails.err = errDisk
	requireRejected(t, a, b, b.callback("github", b.begin("github"), "ada"), 503, "store")
	if a.users(githubAda) != 0 {
		t.Error("half a user is left")
	}
	fails.err = nil
	b.login("github", "ada")
	if signUps != 1 {
		t.Errorf("OnSignUp ran %d times, want 1", signUps)
	}
	link := func() *http.Response { return b.callback("other", b.stateOf(b.post("/auth/link/other", nil)), "ada") }
	fails.err = errDisk
	if resp := link(); resp.StatusCode != 503 || a.users(store.Key{Provider: "other", Subject: "o-1"}) != 0 {
		t.Errorf("link: got %d, want 503 and nothing left", resp.StatusCode)
	}
	fails.err = nil
	if resp := link(); resp.StatusCode != 303 || links != 1 {
		t.Errorf("second link: got %d, and OnLink ran %d times", resp.StatusCode, links)
	}
}

// A tokenStore fails to keep tokens.
type tokenStore struct {
	store.Store
	err error
}

func (s *tokenStore) PutToken(ctx context.Context, k store.Key, t *store.Token) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.PutToken(ctx, k, t)
}

// A hook that takes all the time there is leaves none to undo.
func TestSlowHookIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := true
		hook := func(ctx context.Context, _ *store.User, _ provider.Identity) error {
			if slow {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		// A store that, as a database would, gives up when its context is done.
		a := newApp(t, func(c *middleware.Config) { c.Store, c.OnSignUp, c.OnLink = &strictStore{memstore.New()}, hook, hook })
		a.github.person("ada", ada)
		a.other.person("ada", provider.Identity{Subject: "o-1"})
		b := a.browser()
		resp := b.callback("github", b.begin("github"), "ada")
		if resp.StatusCode < 500 || a.users(githubAda) != 0 {
			t.Errorf("got %d, want a failure that leaves no user", resp.StatusCode)
		}
		slow = false
		b.login("github", "ada")
		slow = true
		resp = b.callback("other", b.stateOf(b.post("/auth/link/other", nil)), "ada")
		if resp.StatusCode < 500 || a.users(store.Key{Provider: "other", Subject: "o-1"}) != 0 {
			t.Errorf("link: got %d, want a failure that leaves no account", resp.StatusCode)
		}
	})
}

type strictStore struct{ store.Store }

func (s *strictStore) DeleteUser(ctx context.Context, id string) error {
	return errors.Join(ctx.Err(), s.Store.DeleteUser(ctx, id))
}

func (s *strictStore) UserAccounts(ctx context.Context, id string) ([]store.Account, error) {
	list, err := s.Store.UserAccounts(ctx, id)
	return list, errors.Join(ctx.Err(), err)
}

func (s *strictStore) RemoveAccount(ctx context.Context, k store.Key, usable []string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Store.RemoveAccount(ctx, k, usable)
}

// Every refusal has a word for why, whatever the app's own code says.
func TestHookErrorsHaveAReason(t *testing.T) {
	var failing string
	fail := func(name string) error {
		if failing == name {
			return fmt.Errorf("%s: %w", name, session.ErrNone)
		}
		return nil
	}
	a := newApp(t, func(c *middleware.Config) {
		c.OnBegin = func(context.Context, string, *provider.Request) error { return fail("OnBegin") }
		c.OnLoad = func(ctx context.Context, _ *store.User) (context.Context, error) { return ctx, fail("OnLoad") }
	})
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	// Nor is whoever OnLoad refuses taken for a visitor.
	for name, path := range map[string]string{"OnBegin": "/auth/login/other", "OnLoad": "/"} {
		failing = name
		resp := b.get(path)
		if text := body(t, resp); resp.StatusCode < 400 || strings.Contains(text, "visitor") {
			t.Errorf("%s: got %d %s", name, resp.StatusCode, text)
		}
	}
	if n := strings.Count(a.log.String(), "reason=hook "); n != 2 {
		t.Errorf("got %d times the reason hook, want 2:\n%s", n, a.log)
	}
}

// What a hook returns from Client is the hook's failure, told whole.
func TestErrorOfAHookKeepsItsPlace(t *testing.T) {
	var got error
	inner := &middleware.Error{Op: "client", Reason: "no_token", Err: middleware.ErrNoToken}
	a := newApp(t, func(c *middleware.Config) {
		c.OnSignUp = func(context.Context, *store.User, provider.Identity) error { return inner }
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			got = err
			w.WriteHeader(middleware.StatusCode(err))
		}
	})
	a.github.person("ada", ada)
	b := a.browser()
	b.callback("github", b.begin("github"), "ada")
	var e *middleware.Error
	if !errors.As(got, &e) || e.Op != "callback" || e.Provider != "github" || e.Reason != "hook" || !errors.Is(got, middleware.ErrNoToken) {
		t.Errorf("got %#v", got)
	}
	if inner.ID != "" || inner.Reason != "no_token" {
		t.Errorf("the app's own error was changed: %#v", inner)
	}
}

// One attempt counts once.
func TestLimitIsAskedOnce(t *testing.T) {
	var asked []string
	a := newApp(t, func(c *middleware.Config) {
		c.Limit = func(_ *http.Request, op string) error { asked = append(asked, op); return nil }
	})
	a.github.person("ada", ada)
	b := a.browser()
	for _, tc := range []struct {
		op string
		do func()
	}{
		{"login", func() { b.begin("github") }},
		{"callback", func() { b.callback("github", b.begin("github"), "ada"); asked = asked[1:] }},
		{"link", func() { b.post("/auth/link/other", nil) }},
		{"reauth", func() { b.post("/auth/reauth/github", nil) }},
		{"unlink", func() { b.post("/auth/unlink/github", nil) }},
		{"revoke", func() { b.post("/auth/sessions/revoke", nil) }},
		{"backchannel", func() { b.post("/auth/backchannel/github", nil) }},
		{"logout", func() { b.post("/auth/logout", nil) }},
	} {
		asked = nil
		if tc.do(); len(asked) != 1 || asked[0] != tc.op {
			t.Errorf("%s: got %q, want it once", tc.op, asked)
		}
	}
}

// A link that was cancelled must not be tried again as a login, which would
// make a second user.
func TestCancelledLinkLeadsBackToTheAccount(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	for path, want := range map[string]string{"/auth/link/other": "/auth/account", "/auth/reauth/github": "/auth/reauth"} {
		state := b.stateOf(b.post(path, nil))
		id := path[strings.LastIndexByte(path, '/')+1:]
		resp := b.get("/auth/callback/"+id+"?error=access_denied&state="+state, crossSite)
		if text := body(t, resp); resp.StatusCode != 403 || !strings.Contains(text, `href="`+want+`"`) || strings.Contains(text, "/auth/login") {
			t.Errorf("%s: got %d, want a link to %s: %s", path, resp.StatusCode, want, text)
		}
	}
}

// What a provider says and no store can keep is not the store's failure.
func TestTextThatCannotBeKept(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { c.Store = &badTextStore{memstore.New()} })
	a.github.person("ada", ada)
	b := a.browser()
	requireRejected(t, a, b, b.callback("github", b.begin("github"), "ada"), 502, "profile_invalid")
}

type badTextStore struct{ store.Store }

func (s *badTextStore) CreateUser(context.Context, *store.User, *store.Account) error {
	return fmt.Errorf("name: %w", store.ErrBadText)
}
