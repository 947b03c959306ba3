package gologin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
	"golang.org/x/oauth2"
)

func TestServiceThatFails(t *testing.T) {
	const canary = "canary-7f3a"
	quote := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			w.Write([]byte(`{"error":"` + canary + ` ","x":"` + canary + `"}`))
		}
	}
	for _, test := range []struct {
		name, path string
		answer     func(w http.ResponseWriter)
		op, reason string
		is         error
	}{
		{"token 400", "/oauth2/token", quote(400), "exchange", "exchange_failed", nil},
		{"token 200 with an error", "/oauth2/token", quote(200), "exchange", "exchange_failed", nil},
		{"token 503", "/oauth2/token", quote(503), "exchange", "provider_unavailable", provider.ErrUnavailable},
		{"token is no JSON", "/oauth2/token", func(w http.ResponseWriter) { w.Write([]byte("{" + canary)) }, "exchange", "token_invalid", nil},
		{"token of another type", "/oauth2/token", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"access_token":"` + canary + `","token_type":"mac"}`))
		}, "profile", "profile_http", nil},
		{"profile 403", "/oauth2/user", quote(403), "profile", "profile_http", nil},
		{"profile 500", "/oauth2/user", quote(500), "profile", "provider_unavailable", provider.ErrUnavailable},
		{"profile is no JSON", "/oauth2/user", func(w http.ResponseWriter) { w.Write([]byte("<" + canary)) }, "profile", "profile_invalid", nil},
		{"profile without ID", "/oauth2/user", func(w http.ResponseWriter) { w.Write([]byte(`{"name":"` + canary + `"}`)) }, "profile", "profile_id", nil},
		{"profile too large", "/oauth2/user", func(w http.ResponseWriter) {
			w.Write([]byte(`{"id":1,"x":"` + strings.Repeat(canary, 200_000) + `"}`))
		}, "profile", "profile_invalid", nil},
		{"profile moved", "/oauth2/user", func(w http.ResponseWriter) {
			w.Header().Set("Location", "/oauth2/user?"+canary)
			w.WriteHeader(http.StatusFound)
		}, "profile", "profile_invalid", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := providertest.NewServer(t)
			p := house(srv).New()
			b := begin(t, srv, p, "state-1")
			var asked atomic.Int32
			srv.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != test.path {
					return false
				}
				asked.Add(1)
				test.answer(w)
				return true
			}
			id, tok, err := p.Complete(t.Context(), b.callback(t))
			if err == nil {
				t.Fatalf("got %+v, want an error", id)
			}
			wantError(t, err, test.op, test.reason)
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if asked.Load() != 1 {
				t.Errorf("endpoint was asked %d times, want once", asked.Load())
			}
			if id.Subject != "" || tok.AccessToken != "" {
				t.Error("an identity or a token came beside the error")
			}
			for _, secret := range []string{canary, b.back.Get("code"), srv.URL + "/"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error quotes %q: %v", secret, err)
				}
			}
		})
	}
}

// The token request carries a code and a secret: neither follows a redirect.
func TestTokenRequestIsNotRedirected(t *testing.T) {
	var leaked atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(evil.Close)
	srv := providertest.NewServer(t)
	p := house(srv).New()
	b := begin(t, srv, p, "state-1")
	srv.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Location", evil.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	_, _, err := p.Complete(t.Context(), b.callback(t))
	wantError(t, err, "exchange", "exchange_failed")
	if leaked.Load() != 0 {
		t.Error("the code went to another host")
	}
}

// Neither gologin nor what it builds on passes a context to the profile's
// request; the login ends all the same.
func TestCancelWhileTheProfileIsRead(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New()
	cb := begin(t, srv, p, "state-1").callback(t)
	arrived, release := srv.Hold("userinfo")
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, _, err := p.Complete(ctx, cb)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestProfileThatHangs(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New(provider.WithHTTPClient(&http.Client{Timeout: 100 * time.Millisecond}))
	cb := begin(t, srv, p, "state-1").callback(t)
	_, release := srv.Hold("userinfo")
	defer release()
	_, _, err := p.Complete(t.Context(), cb)
	wantError(t, err, "profile", "provider_timeout")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, provider.ErrUnavailable) {
		t.Errorf("got %v, want a deadline that is exceeded and a service that is unavailable", err)
	}
}

func TestProfileThatStopsHalfway(t *testing.T) {
	srv := providertest.NewServer(t)
	p := house(srv).New(provider.WithHTTPClient(&http.Client{Timeout: 100 * time.Millisecond}))
	cb := begin(t, srv, p, "state-1").callback(t)
	srv.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/oauth2/user" {
			return false
		}
		w.Write([]byte(`{"id":`))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	_, _, err := p.Complete(t.Context(), cb)
	if wantError(t, err, "profile", "provider_timeout"); !errors.Is(err, provider.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// A chain is believed only if it says once, and by its success handler alone,
// that someone has logged in.
func TestChainThatSaysBothOrNothing(t *testing.T) {
	srv := providertest.NewServer(t)
	d := house(srv)
	chain := d.Callback
	for name, callback := range map[string]func(*oauth2.Config, http.Handler, http.Handler) http.Handler{
		"both": func(config *oauth2.Config, success, failure http.Handler) http.Handler {
			return chain(config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				failure.ServeHTTP(w, r)
				success.ServeHTTP(w, r)
			}), failure)
		},
		"nothing": func(config *oauth2.Config, _, failure http.Handler) http.Handler {
			return chain(config, http.NotFoundHandler(), failure)
		},
	} {
		d.Callback = callback
		p := d.New()
		_, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
		if err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
