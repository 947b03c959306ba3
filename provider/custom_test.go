package provider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

func customDefinition(id provider.Identity, err error) provider.Custom {
	return provider.Custom{
		Info:   provider.Info{ID: "svc", Name: "Service"},
		Issuer: "https://issuer.example",
		Begin: func(_ context.Context, _ *http.Client, req provider.Request) (provider.Redirect, error) {
			return provider.Redirect{URL: "https://s.example/?state=" + req.State, Memo: "memo"}, nil
		},
		Complete: func(context.Context, *http.Client, provider.Callback) (provider.Identity, provider.Token, error) {
			return id, provider.Token{AccessToken: "at-canary"}, err
		},
	}
}

func TestCustomFillsIn(t *testing.T) {
	p := customDefinition(provider.Identity{Subject: "7", Email: "nobody", EmailVerified: true, AvatarURL: "http://x.example/"}, nil).New(provider.WithID("two"))
	if err := provider.Check(p); err != nil {
		t.Fatal(err)
	}
	if i := p.Info(); i.ID != "two" || i.Name != "Service" {
		t.Errorf("got %+v", i)
	}
	id, _, err := login(t, p)
	if err != nil || id.Provider != "two" || id.Issuer != "https://issuer.example" || id.Email != "" || id.EmailVerified || id.AvatarURL != "" {
		t.Errorf("got %+v, %v", id, err)
	}
	id, _, err = login(t, customDefinition(provider.Identity{Subject: "7", Issuer: "https://own.example", Provider: "svc"}, nil).New(provider.WithID("two")))
	if err != nil || id.Provider != "two" || id.Issuer != "https://own.example" {
		t.Errorf("got %+v, %v", id, err)
	}
}

func TestCustomIsHeldToTheRules(t *testing.T) {
	for _, x := range []struct {
		id         provider.Identity
		err        error
		op, reason string
	}{
		{provider.Identity{}, nil, "profile", "profile_id"},
		{provider.Identity{Subject: strings.Repeat("x", 256)}, nil, "profile", "profile_id"},
		{provider.Identity{Subject: "7", Provider: "google"}, nil, "verify", "identity_provider"},
		{provider.Identity{Subject: "7"}, provider.ErrDenied, "verify", "denied"},
		{provider.Identity{Subject: "7"}, errors.New("bad signature"), "verify", "provider_error"},
		{provider.Identity{Subject: "7"}, &url.Error{Op: "Get", URL: "https://x.example/?t=canary", Err: context.DeadlineExceeded}, "verify", "provider_timeout"},
	} {
		_, _, err := login(t, customDefinition(x.id, x.err).New())
		e := rejected(t, err, x.op, x.reason)
		if errors.Is(e, provider.ErrDenied) != (x.reason == "denied") {
			t.Errorf("got %v", e)
		}
	}
}

func TestCustomWithoutFunctions(t *testing.T) {
	p := provider.Custom{Info: provider.Info{ID: "svc"}}.New()
	err := provider.Check(p)
	for _, want := range []string{"Name", "Begin", "Complete"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, which does not name %s", err, want)
		}
	}
	if _, err := p.Begin(t.Context(), provider.Request{}); err == nil {
		t.Error("Begin: no error")
	}
	if _, _, err := p.Complete(t.Context(), provider.Callback{}); err == nil {
		t.Error("Complete: no error")
	}
	if _, err := provider.Refresh(t.Context(), p, provider.Token{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}

func TestCustomOptionalFunctions(t *testing.T) {
	s := newService(t)
	d := customDefinition(provider.Identity{Subject: "7"}, nil)
	d.Refresh = func(_ context.Context, _ *http.Client, tok provider.Token) (provider.Token, error) {
		if tok.AccessToken == "" {
			return provider.Token{}, provider.ErrRevoked
		}
		return provider.Token{AccessToken: tok.AccessToken + "2"}, nil
	}
	tok, err := provider.Refresh(t.Context(), d.New(), provider.Token{AccessToken: "at", RefreshToken: "rt", Memo: "m"})
	if err != nil || tok.AccessToken != "at2" || tok.RefreshToken != "rt" || tok.Memo != "m" {
		t.Errorf("got %#v, %v", tok, err)
	}
	if _, err := provider.Refresh(t.Context(), d.New(), provider.Token{}); !errors.Is(err, provider.ErrRevoked) {
		t.Errorf("got %v, want ErrRevoked", err)
	}
	if _, err := get(t, provider.Client(t.Context(), d.New(), provider.Token{AccessToken: "at"}), s.URL+"/user"); err != nil || s.one(t, "/user").header.Get("Authorization") != "Bearer at" {
		t.Errorf("got %v", err)
	}
	d.Client = func(context.Context, *http.Client, provider.Token) *http.Client {
		return &http.Client{Transport: canned{200, "", "own"}}
	}
	if got, err := get(t, provider.Client(t.Context(), d.New(), provider.Token{}), "https://x.example/"); err != nil || got != "own" {
		t.Errorf("got %q, %v", got, err)
	}
	d.Begin = func(context.Context, *http.Client, provider.Request) (provider.Redirect, error) {
		return provider.Redirect{URL: "https://s.example/", Memo: strings.Repeat("x", 1025)}, nil
	}
	_, err = d.New().Begin(t.Context(), provider.Request{})
	rejected(t, err, "begin", "request_invalid")
}

func TestCustomGetsAClientWithLimits(t *testing.T) {
	s := newService(t)
	s.more["/big"] = answer(200, strings.Repeat("x", 1_000_001))
	s.more["/jump"] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/user", http.StatusFound) }
	d := customDefinition(provider.Identity{Subject: "7"}, nil)
	d.Begin = func(_ context.Context, c *http.Client, _ provider.Request) (provider.Redirect, error) {
		for _, url := range []string{"http://x.example/", "http://169.254.169.254/", "ftp://x.example/", "https:///x", s.URL + "/jump", s.URL + "/big"} {
			if _, err := get(t, c, url); err == nil {
				t.Errorf("%s: no error", url)
			} else if strings.HasPrefix(url, "http://x") && !strings.Contains(err.Error(), "neither https") {
				t.Errorf("%s: %v, so that a byte was sent or a name looked up", url, err)
			}
		}
		return provider.Redirect{URL: "https://s.example/"}, nil
	}
	begin(t, d.New(), provider.Request{})
}

func TestBodiesLeftOpenDoNotStopLogins(t *testing.T) {
	s := newService(t)
	d := customDefinition(provider.Identity{Subject: "7"}, nil)
	d.Begin = func(ctx context.Context, c *http.Client, _ provider.Request) (provider.Redirect, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/user", nil)
		if err != nil {
			return provider.Redirect{}, err
		}
		_, err = c.Do(req) // and nobody closes the body
		return provider.Redirect{URL: "https://s.example/"}, err
	}
	p := d.New()
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := p.Begin(ctx, provider.Request{State: svcState, CallbackURL: svcBack})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestCustomClientIsHeldToItsHosts(t *testing.T) {
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the token has left for another host") }))
	defer evil.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("X-Token")) }))
	defer home.Close()
	p := provider.Custom{
		Info: provider.Info{ID: "club", Name: "The club", API: strings.Replace(home.URL, "127.0.0.1", "localhost", 1)},
		Client: func(_ context.Context, c *http.Client, tok provider.Token) *http.Client {
			return &http.Client{Transport: header{c.Transport, "X-Token", tok.AccessToken}}
		},
	}.New()
	c := provider.Client(context.Background(), p, provider.Token{AccessToken: "secret"})
	res, err := c.Get("/me")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "secret" {
		t.Errorf("got %q, %v, want the token", body, err)
	}
	if res, err := c.Get(evil.URL); err == nil {
		res.Body.Close()
		t.Error("another host: got no error")
	}
}

type header struct {
	next        http.RoundTripper
	name, value string
}

func (h header) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(h.name, h.value)
	return h.next.RoundTrip(r)
}

func TestCustomOptionsReachBegin(t *testing.T) {
	var got provider.Request
	p := provider.Custom{
		Info: provider.Info{ID: "club", Name: "The club"},
		Begin: func(_ context.Context, _ *http.Client, req provider.Request) (provider.Redirect, error) {
			got = req
			return provider.Redirect{URL: "https://club.example/"}, nil
		},
		Complete: func(context.Context, *http.Client, provider.Callback) (provider.Identity, provider.Token, error) {
			return provider.Identity{}, provider.Token{}, &provider.Error{Op: "verify", Reason: "provider_error"}
		},
	}.New(provider.WithScopes("news"), provider.WithParam("lang", "no"))
	req := provider.Request{State: "s", CallbackURL: "https://app.example/", Scopes: []string{"more"}}
	if _, err := p.Begin(context.Background(), req); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got.Scopes, " ") != "news more" || got.Params.Get("lang") != "no" {
		t.Errorf("got scopes %q and parameters %v", got.Scopes, got.Params)
	}
	cb, err := provider.NewCallback(req, "", map[string][]string{"state": {"s"}})
	if err != nil {
		t.Fatal(err)
	}
	var e *provider.Error
	if _, _, err := p.Complete(context.Background(), cb); !errors.As(err, &e) || e.Provider != "club" {
		t.Errorf("got %v, want an error that names the provider", err)
	}
}
