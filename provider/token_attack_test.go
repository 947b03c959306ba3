package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

func TestTokenAnswersThatAreNone(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	for name, h := range map[string]http.HandlerFunc{
		"no access_token":      answer(200, `{"token_type":"Bearer"}`),
		"empty access_token":   answer(200, `{"access_token":"","token_type":"Bearer"}`),
		"null access_token":    answer(200, `{"access_token":null,"token_type":"Bearer"}`),
		"access_token object":  answer(200, `{"access_token":{"canary":1},"token_type":"Bearer"}`),
		"access_token number":  answer(200, `{"access_token":7,"token_type":"Bearer"}`),
		"access_token newline": answer(200, `{"access_token":"canary\r\nX: y","token_type":"Bearer"}`),
		"token_type MAC":       answer(200, `{"access_token":"canary","token_type":"MAC"}`),
		"token_type DPoP":      answer(200, `{"access_token":"canary","token_type":"DPoP"}`),
		"token_type absent":    answer(200, `{"access_token":"canary"}`),
		"token_type number":    answer(200, `{"access_token":"canary","token_type":1}`),
		"a login page":         typed(200, "text/html", `<html>canary</html>`),
		"HTML named JSON":      answer(200, `<html>canary</html>`),
		"a form named HTML":    typed(200, "text/html", `access_token=canary&token_type=bearer`),
		"nothing":              answer(200, ``),
		"null":                 answer(200, `null`),
		"a list":               answer(200, `["canary"]`),
		"a text":               answer(200, `"canary"`),
		"two documents":        answer(200, `{"access_token":"canary","token_type":"Bearer"}{}`),
		"a member twice":       answer(200, `{"access_token":"canary","access_token":"canary2","token_type":"Bearer"}`),
		"a form member twice":  typed(200, "application/x-www-form-urlencoded", `access_token=canary&access_token=b&token_type=bearer`),
		"not UTF-8":            answer(200, "{\"access_token\":\"canary\xff\",\"token_type\":\"Bearer\"}"),
		"cut off":              answer(200, `{"access_token":"canary","token_ty`),
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.asked("/token"))
			s.token = h
			_, _, err := login(t, p)
			rejected(t, err, "exchange", "token_invalid")
			if n := len(s.asked("/token")) - before; n != 1 {
				t.Errorf("the code was sent %d times, want once", n)
			}
			if len(s.asked("/user")) != 0 {
				t.Error("the profile was asked for")
			}
		})
	}
}

func TestRefusedExchangeIsNotRepeated(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	for _, x := range []struct {
		status          int
		body            string
		reason, code    string
		down, withRetry bool
	}{
		{400, `{"error":"invalid_grant"}`, "exchange_failed", "invalid_grant", false, false},
		{401, `{"error":"invalid_client","error_description":"canary"}`, "exchange_failed", "invalid_client", false, false},
		{400, `canary`, "exchange_failed", "", false, false},
		{403, `<html>canary</html>`, "exchange_failed", "", false, false},
		{404, ``, "exchange_failed", "", false, false},
		{200, `{"error":"bad_verification_code","error_uri":"canary"}`, "exchange_failed", "bad_verification_code", false, false},
		{200, `{"error":"bad","access_token":"canary","token_type":"Bearer"}`, "exchange_failed", "bad", false, false},
		{200, `{"error":{"canary":1},"access_token":"canary","token_type":"Bearer"}`, "exchange_failed", "", false, false},
		{400, `{"error":"Canary canary"}`, "exchange_failed", "", false, false},
		{429, ``, "provider_unavailable", "", true, true},
		{500, `canary`, "provider_unavailable", "", true, false},
		{502, ``, "provider_unavailable", "", true, false},
		{503, ``, "provider_unavailable", "", true, true},
	} {
		before := len(s.asked("/token"))
		s.token = func(w http.ResponseWriter, r *http.Request) {
			if x.withRetry {
				w.Header().Set("Retry-After", "0")
			}
			answer(x.status, x.body)(w, r)
		}
		_, _, err := login(t, p)
		e := rejected(t, err, "exchange", x.reason)
		if e.Code != x.code || errors.Is(e, provider.ErrUnavailable) != x.down {
			t.Errorf("%d %s: got code %q, %v", x.status, x.body, e.Code, e)
		}
		if n := len(s.asked("/token")) - before; n != 1 {
			t.Errorf("%d %s: the code was sent %d times, want once", x.status, x.body, n)
		}
	}
}

func TestTokenEndpointThatRedirects(t *testing.T) {
	evil := newService(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{evil.URL + "/token", "/other"} {
			s := newService(t)
			s.token = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) }
			_, _, err := login(t, s.make(t, nil))
			rejected(t, err, "exchange", "exchange_failed")
			if len(evil.seen) != 0 || len(s.asked("/other")) != 0 {
				t.Fatalf("%d to %s: the redirect was followed", status, to)
			}
			s.one(t, "/token")
		}
	}
}

func TestConnectionThatBreaksAfterTheCodeWasSent(t *testing.T) {
	for _, method := range []string{"POST", "GET"} {
		s := newService(t)
		p := s.make(t, func(d *provider.OAuth2) { d.Dialect.Method = method })
		// The first login leaves a connection, which net/http would take for
		// stale and try again on another.
		if _, _, err := login(t, p); err != nil {
			t.Fatal(err)
		}
		s.token = func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		}
		_, _, err := login(t, p)
		e := rejected(t, err, "exchange", "provider_unavailable")
		if !errors.Is(e, provider.ErrUnavailable) || errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("got %v", e)
		}
		if n := len(s.asked("/token")); n != 2 {
			t.Errorf("%s: asked %d times in two logins", method, n)
		}
	}
}

func TestTokenTypeInAnyCase(t *testing.T) {
	s := newService(t)
	for _, kind := range []string{"bearer", "BEARER", "Bearer"} {
		s.token = answer(200, fmt.Sprintf(`{"access_token":"at","token_type":%q}`, kind))
		if _, tok, err := login(t, s.make(t, nil)); err != nil || tok.Type != "Bearer" {
			t.Errorf("%s: got %q, %v", kind, tok.Type, err)
		}
	}
}

func TestExpiresIn(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	const unknown, expired = -1, 0
	for text, want := range map[string]time.Duration{
		`3600`: time.Hour, `"3600"`: time.Hour, `3600.0`: time.Hour, `"3.6e3"`: time.Hour,
		`-5`: expired, `0`: expired, `"0"`: expired, `"-5"`: expired,
		`1e18`: 87600 * time.Hour, `"1e999"`: 87600 * time.Hour, `99999999999999999999`: 87600 * time.Hour,
		`"abc"`: unknown, `null`: unknown, `{}`: unknown, `"NaN"`: unknown, `"Inf"`: unknown, `"0x10"`: unknown, `true`: unknown, `""`: unknown,
	} {
		s.token = answer(200, `{"access_token":"at","token_type":"Bearer","expires_in":`+text+`}`)
		_, tok, err := login(t, p)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if want == unknown {
			if !tok.Expiry.IsZero() || !tok.Valid() {
				t.Errorf("%s: got %v, want no expiry", text, tok.Expiry)
			}
			continue
		}
		if got := time.Until(tok.Expiry); got > want || got < want-time.Minute || tok.Valid() != (want > 0) {
			t.Errorf("%s: expires in %v, want %v", text, got, want)
		}
	}
}

func TestScopesOfTheAnswer(t *testing.T) {
	s := newService(t)
	for _, x := range []struct {
		sep, text string
		want      []string
	}{
		{"", `"x y"`, []string{"x", "y"}},
		{"", `"x,y"`, []string{"x", "y"}},
		{",", `"x,y z"`, []string{"x", "y", "z"}},
		{"|", `"x|y"`, []string{"x", "y"}},
		{"", `["x","y"]`, []string{"x", "y"}},
		{"", `["x",1,""]`, []string{"x"}},
		{"", `""`, []string{}},
		{"", `[]`, []string{}},
		{"", `null`, []string{"a"}},
		{"", `7`, []string{"a"}},
	} {
		s.token = answer(200, `{"access_token":"at","token_type":"Bearer","scope":`+x.text+`}`)
		_, tok, err := login(t, s.make(t, func(d *provider.OAuth2) { d.ScopeSep = x.sep }))
		if err != nil || len(tok.Scopes)+len(x.want) > 0 && !reflect.DeepEqual(tok.Scopes, x.want) {
			t.Errorf("%s: got %q, %v; want %q", x.text, tok.Scopes, err, x.want)
		}
	}
}

func TestFormEncodedAnswer(t *testing.T) {
	s := newService(t)
	for _, kind := range []string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "text/plain"} {
		s.token = typed(200, kind, "access_token=at&token_type=bearer&scope=x%2Cy&expires_in=60")
		_, tok, err := login(t, s.make(t, nil))
		if err != nil || tok.AccessToken != "at" || !reflect.DeepEqual(tok.Scopes, []string{"x", "y"}) || tok.Expiry.IsZero() {
			t.Errorf("%s: got %#v %v", kind, tok, err)
		}
		s.token = typed(200, kind, "error=bad_verification_code&error_description=canary")
		_, _, err = login(t, s.make(t, nil))
		if e := rejected(t, err, "exchange", "exchange_failed"); e.Code != "bad_verification_code" {
			t.Errorf("got %q", e.Code)
		}
	}
	for _, kind := range []string{"text/html", "text/javascript", "text/plain", ""} {
		s.token = typed(200, kind, `{"access_token":"at","token_type":"bearer"}`)
		if _, _, err := login(t, s.make(t, nil)); err != nil {
			t.Errorf("JSON named %q: %v", kind, err)
		}
	}
}

// Both failures make a login say what to do: wait, or see that the network is
// broken.
func TestSilentAndAbsentTokenEndpoint(t *testing.T) {
	s := newService(t)
	stop := make(chan struct{})
	defer close(stop)
	s.token = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}
	quick := provider.WithHTTPClient(&http.Client{Timeout: 50 * time.Millisecond})
	_, _, err := login(t, s.make(t, nil, quick))
	if e := rejected(t, err, "exchange", "provider_timeout"); !errors.Is(e, context.DeadlineExceeded) || !errors.Is(e, provider.ErrUnavailable) {
		t.Errorf("got %v", e)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p := s.make(t, nil)
	req, to, _ := begin(t, p, provider.Request{})
	_, _, err = p.Complete(ctx, callback(t, req, to.Memo))
	if e := rejected(t, err, "exchange", "provider_timeout"); !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("got %v", e)
	}
	gone := newService(t)
	gone.Close()
	_, _, err = login(t, gone.make(t, nil))
	if e := rejected(t, err, "exchange", "provider_unavailable"); errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("got %v", e)
	}
}

func TestCancelledLogin(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	req, to, _ := begin(t, p, provider.Request{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := p.Complete(ctx, callback(t, req, to.Memo))
	if !errors.Is(err, context.Canceled) || errors.Is(err, provider.ErrUnavailable) || len(s.seen) != 0 {
		t.Errorf("got %v after %d requests", err, len(s.seen))
	}
	noCanary(t, err)
}

func FuzzTokenAnswer(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"at","token_type":"bearer","expires_in":"60","scope":["a"]}`, `access_token=at&token_type=bearer`,
		`{"errcode":1,"error":"x"}`, `{"data":{"accessToken":"x"}}`, `[]`, `{"access_token":"\ud800","token_type":"bearer"}`,
	} {
		f.Add(200, "application/json", s)
		f.Add(400, "text/plain", s)
	}
	d := provider.OAuth2{
		Info:    provider.Info{ID: "svc", Name: "S"},
		UserURL: "https://s.example/user", Fields: provider.Fields{Subject: "id"},
		Dialect: provider.Dialect{Keep: []string{"openid", "a.b"}, Fail: "errcode!=0", Reply: map[string]string{"expires_at": "at"}},
	}
	d.Endpoint.AuthURL, d.Endpoint.TokenURL = "https://s.example/authorize", "https://s.example/token"
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		if status < 100 || status > 999 || strings.ContainsAny(kind, "\r\n") {
			return
		}
		p := d.New(svcID, svcSecret, provider.WithHTTPClient(&http.Client{Transport: canned{status, kind, body}}))
		tok, err := provider.Refresh(t.Context(), p, provider.Token{RefreshToken: "rt"})
		if err != nil {
			var e *provider.Error
			if !errors.As(err, &e) || e.Reason == "" || tok.AccessToken != "" {
				t.Fatalf("got %v with %v", err, tok)
			}
			return
		}
		if status < 200 || status > 299 || tok.AccessToken == "" || tok.RefreshToken == "" || strings.ContainsFunc(tok.AccessToken, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("status %d gave %#v", status, tok.AccessToken)
		}
	})
}

// canned answers each request in the same way, without a network.
type canned struct {
	status     int
	kind, body string
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return response(req, c.status, c.kind, c.body), nil
}
