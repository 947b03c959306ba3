package provider_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// everywhere runs f once for an answer of the token endpoint and once for the
// profile.
func everywhere(t *testing.T, h http.HandlerFunc, f func(t *testing.T, s *service, op string)) {
	t.Helper()
	t.Run("token", func(t *testing.T) {
		s := newService(t)
		s.token = h
		f(t, s, "exchange")
	})
	t.Run("profile", func(t *testing.T) {
		s := newService(t)
		s.user = h
		f(t, s, "profile")
	})
}

func TestEndlessBody(t *testing.T) {
	big := strings.Repeat("x", 1<<16)
	everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"`)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, big); err != nil {
				return
			}
		}
	}, func(t *testing.T, s *service, op string) {
		_, _, err := login(t, s.make(t, nil))
		if e := rejectedOp(t, err, op); !strings.Contains(e.Error(), "too large") {
			t.Errorf("got %v", e)
		}
	})
}

func TestGzipBomb(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Error("gzip is not asked for, so that nothing is tested")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		zeros := make([]byte, 1<<20)
		for range 64 { // 64 MB, which the wire carries in 64 KB
			z.Write(zeros)
		}
		z.Close()
	}, func(t *testing.T, s *service, op string) {
		_, _, err := login(t, s.make(t, nil))
		if e := rejectedOp(t, err, op); !strings.Contains(e.Error(), "too large") {
			t.Errorf("got %v", e)
		}
	})
}

func TestLargestBody(t *testing.T) {
	s := newService(t)
	head, tail := `{"id":1,"pad":"`, `"}`
	pad := func(n int) string { return head + strings.Repeat("x", n-len(head)-len(tail)) + tail }
	s.user = answer(200, pad(1_000_000))
	if _, _, err := login(t, s.make(t, nil)); err != nil {
		t.Errorf("a megabyte: %v", err)
	}
	s.user = answer(200, pad(1_000_001))
	_, _, err := login(t, s.make(t, nil))
	rejected(t, err, "profile", "profile_invalid")
}

func TestSlowDrip(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}, func(t *testing.T, s *service, op string) {
		began := time.Now()
		_, _, err := login(t, s.make(t, nil, provider.WithHTTPClient(&http.Client{Timeout: 100 * time.Millisecond})))
		e := rejected(t, err, op, "provider_timeout")
		if !errors.Is(e, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
			t.Errorf("got %v after %v", e, time.Since(began))
		}
	})
}

func TestHugeHeaders(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Big", strings.Repeat("canary", 100_000))
		io.WriteString(w, `{"id":1}`)
	}, func(t *testing.T, s *service, op string) {
		_, _, err := login(t, s.make(t, nil))
		rejectedOp(t, err, op)
	})
}

func TestNoHTTPAnswer(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "canary canary canary\r\n\r\n")
	}, func(t *testing.T, s *service, op string) {
		_, _, err := login(t, s.make(t, nil))
		if e := rejected(t, err, op, "provider_unavailable"); !errors.Is(e, provider.ErrUnavailable) {
			t.Errorf("got %v", e)
		}
	})
}

func TestProfileThatRedirects(t *testing.T) {
	evil := newService(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{evil.URL + "/user", "/other", "/user"} {
			s := newService(t)
			s.user = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) }
			_, _, err := login(t, s.make(t, nil))
			rejectedOp(t, err, "profile")
			if len(evil.seen) != 0 || len(s.asked("/other")) != 0 {
				t.Fatalf("%d to %s: the redirect was followed", status, to)
			}
			s.one(t, "/user")
		}
	}
}

func TestPlainHTTPBeyondThisMachine(t *testing.T) {
	s := newService(t)
	var reached sync.Map
	through := provider.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
		reached.Store(r.URL.Host, true)
		return response(r, 200, "application/json", `{"access_token":"at","token_type":"Bearer","id":"1"}`), nil
	})})
	for _, host := range []string{"x.example", "169.254.169.254", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0"} {
		d := s.definition()
		d.Endpoint.TokenURL = "http://" + host + "/token"
		if err := provider.Check(d.New(svcID, svcSecret, through)); err == nil {
			t.Errorf("http to %s is no mistake", host)
		}
		d = s.definition()
		d.Endpoint.AuthURL, d.Endpoint.TokenURL = "https://s.example/authorize", "https://s.example/token"
		d.UserURL = "{token.id_url}"
		d.Dialect.Keep = []string{"id_url"}
		p := d.New(svcID, svcSecret, provider.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "s.example" {
				return response(r, 200, "application/json", `{"access_token":"at","token_type":"Bearer","id_url":"http://`+host+`/u"}`), nil
			}
			reached.Store(r.URL.Host, true)
			return response(r, 200, "application/json", `{"id":"1"}`), nil
		})}))
		_, _, err := login(t, p)
		rejected(t, err, "profile", "profile_invalid")
	}
	reached.Range(func(host, _ any) bool { t.Errorf("%v was reached", host); return true })
	for _, host := range []string{"localhost", "app.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "LOCALHOST"} {
		d := s.definition()
		d.Endpoint.TokenURL = "http://" + host + ":1/token"
		if err := provider.Check(d.New(svcID, svcSecret)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestOldTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(answer(200, `{"access_token":"at","token_type":"Bearer","id":"1"}`))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	// What an app's own client allows, ours does not.
	app := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10}}}
	if res, err := app.Get(s.URL); err != nil {
		t.Fatalf("the server does not speak TLS 1.1: %v", err)
	} else {
		res.Body.Close()
	}
	d := newService(t).definition()
	d.Endpoint.TokenURL = s.URL + "/token"
	_, _, err := login(t, d.New(svcID, svcSecret, provider.WithHTTPClient(app)))
	rejected(t, err, "exchange", "provider_unavailable")
}

func TestUnknownCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(answer(200, `{}`))
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	defer s.Close()
	d := newService(t).definition()
	d.Endpoint.TokenURL = s.URL + "/token"
	_, _, err := login(t, d.New(svcID, svcSecret))
	if e := rejected(t, err, "exchange", "provider_unavailable"); !strings.Contains(e.Error(), "certificate") {
		t.Errorf("the error does not say what is wrong: %v", e)
	}
}

// A service that hangs must not take all of the app's goroutines and sockets.
func TestRequestsInFlightAreBounded(t *testing.T) {
	const bound = 64
	s := newService(t)
	release := make(chan struct{})
	entered := make(chan struct{}, 4*bound)
	p := s.make(t, nil, provider.WithHTTPClient(&http.Client{Timeout: 30 * time.Second, Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
		entered <- struct{}{}
		<-release
		return response(r, 200, "application/json", `{"access_token":"at","token_type":"Bearer","id":"1"}`), nil
	})}))
	req, to, _ := begin(t, p, provider.Request{})
	cb := callback(t, req, to.Memo)
	var wg sync.WaitGroup
	for range 2 * bound {
		wg.Go(func() {
			if _, _, err := p.Complete(t.Context(), cb); err != nil {
				t.Errorf("after the wait: %v", err)
			}
		})
	}
	for range bound {
		<-entered
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _, err := p.Complete(ctx, cb)
	rejected(t, err, "exchange", "provider_timeout")
	if len(entered) != 0 {
		t.Errorf("more than %d requests are in flight", bound)
	}
	close(release)
	wg.Wait()
}

func TestEveryResponseIsClosed(t *testing.T) {
	var open sync.Map
	for _, status := range []int{200, 302, 400, 500} {
		for _, body := range []string{`{"access_token":"at","token_type":"Bearer","id":"1"}`, `{"error":"x"}`, strings.Repeat("x", 1_100_000), ""} {
			s := newService(t)
			p := s.make(t, nil, provider.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
				res := response(r, status, "application/json", body)
				key := new(int)
				open.Store(key, r.URL.Path)
				res.Body = &closing{res.Body, func() { open.Delete(key) }}
				return res, nil
			})}))
			login(t, p)
			provider.Refresh(t.Context(), p, provider.Token{RefreshToken: "rt"})
		}
	}
	open.Range(func(_, path any) bool { t.Errorf("an answer of %v is left open", path); return true })
}

type closing struct {
	io.ReadCloser
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
