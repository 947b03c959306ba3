package providertest

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// bent is a Provider that departs from another where a function is set.
type bent struct {
	provider.Provider
	info      func(i provider.Info) provider.Info
	begin     func(ctx context.Context, req provider.Request) (provider.Redirect, error)
	complete  func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error)
	refresh   func(ctx context.Context, tok provider.Token) (provider.Token, error)
	revoke    func(ctx context.Context, tok provider.Token) error
	logoutURL func(ctx context.Context, tok provider.Token, returnTo, state string) (string, error)
	verify    func(ctx context.Context, token string) (provider.Logout, error)
	client    func(ctx context.Context, tok provider.Token) *http.Client
	check     func() error
}

func (b *bent) Info() provider.Info {
	if b.info != nil {
		return b.info(b.Provider.Info())
	}
	return b.Provider.Info()
}

func (b *bent) Begin(ctx context.Context, req provider.Request) (provider.Redirect, error) {
	if b.begin != nil {
		return b.begin(ctx, req)
	}
	return b.Provider.Begin(ctx, req)
}

func (b *bent) Complete(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
	if b.complete != nil {
		return b.complete(ctx, cb)
	}
	return b.Provider.Complete(ctx, cb)
}

func (b *bent) Refresh(ctx context.Context, tok provider.Token) (provider.Token, error) {
	if b.refresh != nil {
		return b.refresh(ctx, tok)
	}
	return provider.Refresh(ctx, b.Provider, tok)
}

func (b *bent) Revoke(ctx context.Context, tok provider.Token) error {
	if b.revoke != nil {
		return b.revoke(ctx, tok)
	}
	return provider.Revoke(ctx, b.Provider, tok)
}

func (b *bent) LogoutURL(ctx context.Context, tok provider.Token, returnTo, state string) (string, error) {
	if b.logoutURL != nil {
		return b.logoutURL(ctx, tok, returnTo, state)
	}
	return provider.LogoutURL(ctx, b.Provider, tok, returnTo, state)
}

func (b *bent) VerifyLogout(ctx context.Context, token string) (provider.Logout, error) {
	if b.verify != nil {
		return b.verify(ctx, token)
	}
	return provider.VerifyLogout(ctx, b.Provider, token)
}

func (b *bent) Client(ctx context.Context, tok provider.Token) *http.Client {
	if b.client != nil {
		return b.client(ctx, tok)
	}
	return provider.Client(ctx, b.Provider, tok)
}

func (b *bent) Check() error {
	if b.check != nil {
		return b.check()
	}
	return provider.Check(b.Provider)
}

// A flaw is a mistake that someone could make in a Provider, and the rules that
// must notice it.
type flaw struct {
	name     string
	breaks   []string
	base     func(srv *Server) provider.Provider // OAuth2 if nil
	bend     func(srv *Server, b *bent)
	patience time.Duration
}

func oauth2Base(srv *Server) provider.Provider { return srv.OAuth2() }
func oidcBase(srv *Server) provider.Provider   { return srv.Provider() }

// noPKCE is the plain service for an app that leaves PKCE out.
func noPKCE(srv *Server) provider.Provider {
	d := provider.OAuth2{
		Info:      provider.Info{ID: "test-oauth2", Name: "Test"},
		Scopes:    []string{"email", "profile"},
		UserURL:   srv.URL + "/oauth2/user",
		Fields:    fields(),
		NoPKCE:    true,
		Params:    url.Values{},
		RevokeURL: srv.URL + "/oauth2/revoke",
	}
	d.Endpoint.AuthURL = srv.URL + "/oauth2/authorize"
	d.Endpoint.TokenURL = srv.URL + "/oauth2/token"
	return d.New(ClientID, ClientSecret)
}

// make returns a maker of flawed providers for one Server.
func (f flaw) make(srv *Server) provider.Provider {
	base := f.base
	if base == nil {
		base = oauth2Base
	}
	b := &bent{Provider: base(srv)}
	if f.bend != nil {
		f.bend(srv, b)
	}
	return b
}

// lighter is enough to show a flaw, in a suite that runs the suite many times.
func lighter() effort {
	e := usual()
	e.crowd = 24
	return e
}

// TestRunNoticesFlaws runs the whole suite over each flawed Provider: the rules
// that it breaks must fail, and no other.
func TestRunNoticesFlaws(t *testing.T) {
	keys := new(keyring)
	for _, f := range flaws() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			e := lighter()
			if f.patience != 0 {
				e.patience = f.patience
			}
			for _, r := range rules() {
				rec := try(t, r, keys, e, f.make)
				if want := slices.Contains(f.breaks, r.name); rec.failed != want {
					t.Errorf("%s: failed %v, want %v\n%s", r.name, rec.failed, want, rec.log.String())
				}
				if rec.failed && !strings.Contains(rec.log.String(), r.says) {
					t.Errorf("%s: the rule is not printed\n%s", r.name, rec.log.String())
				}
			}
		})
	}
}

// TestRunPassesSoundProviders shows that a Provider fails for its flaw and not
// for being wrapped.
func TestRunPassesSoundProviders(t *testing.T) {
	keys := new(keyring)
	for name, base := range map[string]func(srv *Server) provider.Provider{
		"OAuth2": oauth2Base, "OIDC": oidcBase, "no PKCE": noPKCE,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range rules() {
				if rec := try(t, r, keys, lighter(), flaw{base: base}.make); rec.failed {
					t.Errorf("%s failed:\n%s", r.name, rec.log.String())
				}
			}
		})
	}
}

// TestEveryRuleHasAFlaw keeps a rule from being added that nothing can break.
func TestEveryRuleHasAFlaw(t *testing.T) {
	broken := map[string]bool{}
	for _, f := range flaws() {
		for _, name := range f.breaks {
			broken[name] = true
		}
	}
	for _, r := range rules() {
		if !broken[r.name] {
			t.Errorf("no flaw breaks the rule %s", r.name)
		}
		delete(broken, r.name)
	}
	for name := range maps.Keys(broken) {
		t.Errorf("a flaw breaks %s, which is no rule", name)
	}
}

// withMemo returns cb with another memo.
func withMemo(cb provider.Callback, memo string) provider.Callback {
	c, err := provider.NewCallback(provider.Request{State: cb.Param("state"), CallbackURL: cb.URL()}, memo, cb.Params())
	if err != nil {
		panic(err) // cb was made by NewCallback
	}
	return c
}

// addParam adds a parameter to a URL.
func addParam(rd provider.Redirect, name, value string) provider.Redirect {
	rd.URL += "&" + url.Values{name: {value}}.Encode()
	return rd
}

// failing changes the errors of Complete.
func failing(b *bent, f func(cb provider.Callback, err error) error) {
	b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
		id, tok, err := b.Provider.Complete(ctx, cb)
		if err != nil {
			err = f(cb, err)
		}
		return id, tok, err
	}
}

// saying changes the Identity that Complete returns.
func saying(b *bent, f func(cb provider.Callback, id *provider.Identity, tok *provider.Token)) {
	b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
		id, tok, err := b.Provider.Complete(ctx, cb)
		if err == nil {
			f(cb, &id, &tok)
		}
		return id, tok, err
	}
}

// beginning changes what Begin is asked and returns.
func beginning(b *bent, before func(req *provider.Request), after func(req provider.Request, rd *provider.Redirect)) {
	b.begin = func(ctx context.Context, req provider.Request) (provider.Redirect, error) {
		asked := req
		if before != nil {
			before(&asked)
		}
		rd, err := b.Provider.Begin(ctx, asked)
		if err == nil && after != nil {
			after(req, &rd)
		}
		return rd, err
	}
}
