package provider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

// wrapped is a Provider around another that adds nothing.
type wrapped struct{ provider.Provider }

func (w wrapped) Unwrap() provider.Provider { return w.Provider }

// plain is a Provider that can do nothing beyond logging in.
type plain struct{ info provider.Info }

func (p plain) Info() provider.Info { return p.info }
func (p plain) Begin(context.Context, provider.Request) (provider.Redirect, error) {
	return provider.Redirect{}, errors.New("not here")
}
func (p plain) Complete(context.Context, provider.Callback) (provider.Identity, provider.Token, error) {
	return provider.Identity{}, provider.Token{}, errors.New("not here")
}

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestClientPutsTheAPIBeforeAPath(t *testing.T) {
	s := newService(t)
	s.more["/v1/me"] = answer(200, "me")
	s.more["/v1/a b/c"] = answer(200, "abc")
	for name, p := range map[string]provider.Provider{
		"ours":    s.make(t, func(d *provider.OAuth2) { d.Info.API = s.URL + "/v1/" }),
		"wrapped": wrapped{wrapped{s.make(t, func(d *provider.OAuth2) { d.Info.API = s.URL + "/v1" })}},
		"foreign": plain{provider.Info{ID: "svc", API: s.URL + "/v1"}},
	} {
		c := provider.Client(t.Context(), p, provider.Token{AccessToken: "at"})
		for _, url := range []string{"/me?x=1", "me?x=1", s.URL + "/v1/me?x=1"} {
			if got, err := get(t, c, url); err != nil || got != "me" {
				t.Errorf("%s: %s: got %q, %v", name, url, got, err)
			}
		}
		if got, err := get(t, c, "/a%20b/c"); err != nil || got != "abc" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, x := range s.asked("/v1/me") {
		if x.header.Get("Authorization") != "Bearer at" || x.query.Get("x") != "1" {
			t.Errorf("got %v", x)
		}
	}
}

func TestBearerStaysHome(t *testing.T) {
	s, evil := newService(t), newService(t)
	s.more["/jump"] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL+"/user", http.StatusFound) }
	s.more["/near"] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/user", http.StatusTemporaryRedirect)
	}
	s.more["/loop"] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) }
	p := s.make(t, func(d *provider.OAuth2) { d.Info.API = s.URL })
	c := provider.Client(t.Context(), p, provider.Token{AccessToken: "at-canary"})
	for _, url := range []string{
		evil.URL + "/user", "//" + strings.TrimPrefix(evil.URL, "http://") + "/user", "/jump", "/loop",
		"http://api.example/", "https://api.example.evil.example/", "ftp://x.example/", "http://user@" + strings.TrimPrefix(s.URL, "http://") + "/user",
	} {
		if _, err := get(t, c, url); err == nil {
			t.Errorf("%s: no error", url)
		}
	}
	if len(evil.seen) != 0 {
		t.Errorf("the other server saw %v", evil.seen)
	}
	if n := len(s.asked("/loop")); n != 10 {
		t.Errorf("a loop was followed %d times", n)
	}
	if _, err := get(t, c, "/near"); err != nil {
		t.Errorf("a redirect within the origin: %v", err)
	}
	if got := s.asked("/user"); len(got) != 1 || got[0].header.Get("Authorization") != "Bearer at-canary" {
		t.Errorf("got %v", got)
	}
	if _, err := c.Post(s.URL+"/near", "text/plain", strings.NewReader("x")); err == nil {
		t.Error("a redirect of a POST was followed")
	}
	req, err := http.NewRequest("GET", s.URL+"/user", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	req.Header.Set("Authorization", "Bearer other")
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := s.asked("/user"); got[len(got)-1].host != strings.TrimPrefix(s.URL, "http://") {
		t.Errorf("the server was told that it is %s", got[len(got)-1].host)
	}
	if req.Header.Get("Authorization") != "Bearer other" {
		t.Error("the caller's request was changed")
	}
}

func TestClientReachesHostsOfTheDefinition(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) {
		d.Info.API, d.Info.Hosts = "https://api.example", []string{"uploads.example"}
		d.Calls = []provider.Call{{Name: "more", URL: "https://more.example/x/{access_token}"}, {Name: "dyn", URL: "https://{token.h}/x"}}
	}, provider.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
		return response(r, 200, "", r.URL.String()+" "+r.Header.Get("Authorization")), nil
	})}))
	if got := strings.Join(p.Info().Hosts, " "); got != "uploads.example api.example "+strings.TrimPrefix(s.URL, "http://")+" more.example" {
		t.Errorf("got hosts %q", got)
	}
	c := provider.Client(t.Context(), p, provider.Token{AccessToken: "at", Type: "OAuth"})
	for url, want := range map[string]string{
		"/user": "https://api.example/user OAuth at", "https://uploads.example:443/": "https://uploads.example:443/ OAuth at",
		"https://MORE.example/": "https://MORE.example/ OAuth at", s.URL + "/x": s.URL + "/x OAuth at",
		"https://api.example:8443/": "", "https://x.uploads.example/": "", "http://api.example/": "", "https://uploads.example.evil.example": "",
	} {
		if got, err := get(t, c, url); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", url, got, err)
		}
	}
}

func TestClientWithoutAPI(t *testing.T) {
	p := plain{provider.Info{ID: "svc"}}
	c := provider.Client(t.Context(), p, provider.Token{AccessToken: "at"})
	if _, err := get(t, c, "/user"); err == nil {
		t.Error("a URL without a host: no error")
	}
	s, evil := newService(t), newService(t)
	s.more["/jump"] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL+"/user", http.StatusFound) }
	if _, err := get(t, c, s.URL+"/jump"); err == nil || len(evil.seen) != 0 {
		t.Errorf("a redirect to another origin: got %v, and it saw %v", err, evil.seen)
	}
	if _, err := get(t, c, s.URL+"/user"); err != nil || s.one(t, "/user").header.Get("Authorization") != "Bearer at" {
		t.Errorf("got %v", err)
	}
}

func TestClientAnswersHaveABound(t *testing.T) {
	s := newService(t)
	s.more["/big"] = answer(200, strings.Repeat("x", 2_000_000))
	s.more["/huge"] = answer(200, strings.Repeat("x", 10_000_001))
	c := provider.Client(t.Context(), s.make(t, nil), provider.Token{AccessToken: "at"})
	if b, err := get(t, c, s.URL+"/big"); err != nil || len(b) != 2_000_000 {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
	if b, err := get(t, c, s.URL+"/huge"); err == nil || len(b) > 10_000_000 {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
}

func TestUnwrap(t *testing.T) {
	s := newService(t)
	s.more["/revoke"] = answer(200, "")
	p := wrapped{wrapped{s.make(t, func(d *provider.OAuth2) { d.RevokeURL = s.URL + "/revoke" })}}
	if tok, err := provider.Refresh(t.Context(), p, provider.Token{RefreshToken: "rt"}); err != nil || tok.AccessToken != "at-canary" {
		t.Errorf("got %v, %v", tok, err)
	}
	if err := provider.Revoke(t.Context(), p, provider.Token{AccessToken: "at"}); err != nil || len(s.asked("/revoke")) != 1 {
		t.Errorf("got %v", err)
	}
	if err := provider.Check(wrapped{provider.OAuth2{}.New("", "")}); err == nil {
		t.Error("Check found nothing in an empty definition")
	}
	for name, p := range map[string]provider.Provider{"plain": plain{}, "wrapped": wrapped{plain{}}} {
		_, err1 := provider.Refresh(t.Context(), p, provider.Token{})
		err2 := provider.Revoke(t.Context(), p, provider.Token{})
		_, err3 := provider.LogoutURL(t.Context(), p, provider.Token{}, "", "")
		_, err4 := provider.VerifyLogout(t.Context(), p, "")
		for _, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: got %v, want ErrUnsupported", name, err)
			}
		}
		if err := provider.Check(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if provider.VerifiesLogout(p) {
			t.Errorf("%s: got one that verifies logouts", name)
		}
	}
	op := newOP().provider()
	for name, p := range map[string]provider.Provider{"itself": op, "wrapped": wrapped{wrapped{op}}} {
		if !provider.VerifiesLogout(p) {
			t.Errorf("%s: got none that verifies logouts", name)
		}
	}
}

// loop wraps itself.
type loop struct{ plain }

func (l loop) Unwrap() provider.Provider { return l }

func TestProviderThatWrapsItself(t *testing.T) {
	if err := provider.Check(loop{}); err != nil {
		t.Errorf("got %v", err)
	}
}
