package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

// rejectedBeforeExchange goes through a login whose callback has params, which
// must fail without a word to the service.
func rejectedBeforeExchange(t *testing.T, s *service, p provider.Provider, reason string, params ...string) *provider.Error {
	t.Helper()
	_, _, err := login(t, p, params...)
	e := rejected(t, err, "exchange", reason)
	if n := len(s.seen); n != 0 {
		t.Errorf("the service was asked %d times, want not at all", n)
	}
	return e
}

func TestCallbackOfAnotherIssuer(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	exact := s.make(t, func(d *provider.OAuth2) { d.Issuer = "https://issuer.example" })
	for _, iss := range []string{"https://evil.example", s.URL + ".evil.example", "evil", ""} {
		rejectedBeforeExchange(t, s, p, "iss_mismatch", "code", svcCode, "iss", iss)
		rejectedBeforeExchange(t, s, exact, "iss_mismatch", "code", svcCode, "iss", iss)
	}
	rejectedBeforeExchange(t, s, exact, "iss_mismatch", "code", svcCode, "iss", "https://issuer.example/")
	// An error of another service is none of this login.
	rejectedBeforeExchange(t, s, p, "iss_mismatch", "error", "access_denied", "iss", "https://evil.example")
	for _, x := range []struct {
		p   provider.Provider
		iss string
	}{{p, s.URL}, {p, s.URL + "/"}, {exact, "https://issuer.example"}} {
		if _, _, err := login(t, x.p, "code", svcCode, "iss", x.iss); err != nil {
			t.Errorf("%s: %v", x.iss, err)
		}
	}
}

func TestIssTwice(t *testing.T) {
	req := provider.Request{State: "s"}
	_, err := provider.NewCallback(req, "", url.Values{"state": {"s"}, "iss": {"a", "b"}})
	if !errors.Is(err, provider.ErrState) {
		t.Errorf("got %v, want ErrState", err)
	}
}

func TestPersonSaysNo(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	for _, code := range []string{"access_denied", "user_denied", "user_cancelled_authorize", "user_cancelled_login"} {
		e := rejectedBeforeExchange(t, s, p, "denied", "error", code, "error_description", "<script>canary", "code", svcCode)
		if e.Code != code || !errors.Is(e, provider.ErrDenied) {
			t.Errorf("got %q, %v", e.Code, e)
		}
	}
}

func TestCallbackErrorIsSanitised(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	for in, want := range map[string]string{
		"login_required": "login_required", "<script>alert(1)</script>": "", "a\r\nb": "", "Canary-Canary-canary": "",
	} {
		e := rejectedBeforeExchange(t, s, p, "provider_error", "error", in)
		if e.Code != want || errors.Is(e, provider.ErrDenied) {
			t.Errorf("%q: got %q, %v", in, e.Code, e)
		}
	}
	e := rejectedBeforeExchange(t, s, p, "provider_unavailable", "error", "temporarily_unavailable")
	if !errors.Is(e, provider.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", e)
	}
}

func TestCallbackWithoutCode(t *testing.T) {
	s := newService(t)
	rejectedBeforeExchange(t, s, s.make(t, nil), "code_missing", "x", "y")
	rejectedBeforeExchange(t, s, s.make(t, nil), "code_missing", "code", "")
}

func TestCallbackWithTokens(t *testing.T) {
	s := newService(t)
	for _, name := range []string{"access_token", "id_token"} {
		rejectedBeforeExchange(t, s, s.make(t, nil), "unexpected_response", "code", svcCode, name, "canary")
	}
}

func TestCodeIsNeverSentWithoutVerifier(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	req, _, _ := begin(t, p, provider.Request{})
	for _, memo := range []string{"", " ", " a b", "short", "bad verifier!"} {
		_, _, err := p.Complete(t.Context(), callback(t, req, memo))
		rejected(t, err, "exchange", "memo_invalid")
	}
	if len(s.seen) != 0 {
		t.Errorf("the service was asked: %v", s.seen)
	}
}

func TestCallbackCannotOverrideTheExchange(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	req, to, _ := begin(t, p, provider.Request{})
	cb := callback(t, req, to.Memo, "code", svcCode, "code_verifier", "evil", "redirect_uri", "https://evil.example", "client_id", "evil", "scope", "admin")
	if _, _, err := p.Complete(t.Context(), cb); err != nil {
		t.Fatal(err)
	}
	form := s.one(t, "/token").form
	if form.Get("code_verifier") != to.Memo || form.Get("redirect_uri") != svcBack || form.Get("client_id") != svcID || form.Has("scope") {
		t.Errorf("got %v", form)
	}
}

// A code that another login got is refused by the service, for its verifier is
// not ours. Nothing else may be tried with it.
func TestInjectedCode(t *testing.T) {
	s := newService(t)
	s.token = answer(400, `{"error":"invalid_grant","error_description":"canary"}`)
	_, _, err := login(t, s.make(t, nil))
	e := rejected(t, err, "exchange", "exchange_failed")
	if e.Code != "invalid_grant" || errors.Is(e, provider.ErrRevoked) {
		t.Errorf("got %q, %v", e.Code, e)
	}
	s.one(t, "/token")
	if len(s.asked("/user")) != 0 {
		t.Error("the profile was asked for")
	}
}

func FuzzCallback(f *testing.F) {
	f.Add("state=state-canary&code=x")
	f.Add("state=state-canary&error=access_denied&iss=https://evil.example")
	f.Add("state=state-canary&code=x&code=y")
	f.Add("code=x&iss=%zz")
	s := newService(f)
	d := s.definition()
	// Nothing is asked for, so that the fuzzer's time goes to parsing.
	d.Fields.Subject = "token:id"
	d.UserURL = ""
	d.Dialect.Params = url.Values{"device_id": {"{callback.device_id}"}}
	d.Exchange = func(context.Context, *http.Client, url.Values) (provider.Token, error) {
		return provider.Token{}, errors.New("no")
	}
	p := d.New(svcID, svcSecret)
	req, to, _ := begin(f, p, provider.Request{})
	f.Fuzz(func(t *testing.T, query string) {
		params, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		cb, err := provider.NewCallback(req, to.Memo, params)
		if err != nil {
			if !errors.Is(err, provider.ErrState) {
				t.Fatalf("got %v, want ErrState", err)
			}
			return
		}
		_, _, err = p.Complete(t.Context(), cb)
		var e *provider.Error
		if !errors.As(err, &e) || e.Reason == "" {
			t.Fatalf("got %v, want an *Error", err)
		}
	})
}

// What a provider that wraps another adds to one parameter is not in the next.
func TestCallbackParamsStandApart(t *testing.T) {
	given := url.Values{"state": {"s"}}
	for c := 'a'; c <= 'z'; c++ {
		given.Set(string(c), "own")
	}
	cb, err := provider.NewCallback(provider.Request{State: "s", CallbackURL: "https://app.example/back"}, "", given)
	if err != nil {
		t.Fatal(err)
	}
	params := cb.Params()
	given.Set("a", "given")
	for name := range params {
		params.Add(name, "added")
	}
	for name, values := range params {
		if len(values) != 2 || values[0] == "added" || values[1] != "added" || cb.Param(name) != values[0] || values[0] == "given" {
			t.Errorf("%s: got %q, of %q", name, values, cb.Param(name))
		}
	}
}
