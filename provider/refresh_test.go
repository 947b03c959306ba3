package provider_test

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

func TestRefresh(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) { d.Dialect.Keep = []string{"openid"} })
	s.token = answer(200, `{"access_token":"at2","token_type":"Bearer"}`)
	old := provider.Token{AccessToken: "at1", RefreshToken: "rt1", Scopes: []string{"x"}, Memo: `{"openid":"7"}`, Type: "Bearer"}
	tok, err := provider.Refresh(t.Context(), p, old)
	want := provider.Token{AccessToken: "at2", RefreshToken: "rt1", Scopes: []string{"x"}, Memo: `{"openid":"7"}`, Type: "Bearer"}
	if err != nil || !reflect.DeepEqual(tok, want) {
		t.Errorf("got %#v, %v", tok, err)
	}
	wantForm := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt1"}, "client_id": {svcID}, "client_secret": {svcSecret}}
	if got := s.one(t, "/token").form; !reflect.DeepEqual(got, wantForm) {
		t.Errorf("got %v, want %v", got, wantForm)
	}
	s.token = answer(200, `{"access_token":"at3","token_type":"Bearer","refresh_token":"rt3","openid":"8"}`)
	if tok, err = provider.Refresh(t.Context(), p, old); err != nil || tok.RefreshToken != "rt3" || tok.Memo != `{"openid":"8"}` {
		t.Errorf("got %q %q, %v", tok.RefreshToken, tok.Memo, err)
	}
}

func TestRefreshOfAWithdrawnGrant(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	for _, x := range []struct {
		tok     provider.Token
		answer  http.HandlerFunc
		revoked bool
		asked   int
	}{
		{provider.Token{RefreshToken: "rt-canary"}, answer(400, `{"error":"invalid_grant","error_description":"rt-canary"}`), true, 1},
		{provider.Token{AccessToken: "at-canary"}, nil, true, 0},
		{provider.Token{RefreshToken: "rt-canary"}, answer(503, `{"error":"invalid_grant"}`), false, 1},
		{provider.Token{RefreshToken: "rt-canary"}, answer(401, `{"error":"invalid_client"}`), false, 1},
		{provider.Token{RefreshToken: "rt-canary"}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, 1},
	} {
		before := len(s.asked("/token"))
		s.token = x.answer
		_, err := provider.Refresh(t.Context(), p, x.tok)
		noCanary(t, err)
		if err == nil || errors.Is(err, provider.ErrRevoked) != x.revoked {
			t.Errorf("got %v, want revoked to be %v", err, x.revoked)
		}
		if n := len(s.asked("/token")) - before; n != x.asked {
			t.Errorf("%v: asked %d times, want %d", err, n, x.asked)
		}
	}
}

func TestRevoke(t *testing.T) {
	s := newService(t)
	s.more["/revoke"] = answer(200, "")
	p := s.make(t, func(d *provider.OAuth2) { d.RevokeURL, d.ClientIDAs = s.URL+"/revoke", "client_key" })
	tok := provider.Token{AccessToken: "at-canary", RefreshToken: "rt-canary"}
	if err := provider.Revoke(t.Context(), p, tok); err != nil {
		t.Fatal(err)
	}
	got := s.asked("/revoke")
	if len(got) != 2 || got[0].form.Get("token") != "rt-canary" || got[1].form.Get("token") != "at-canary" ||
		got[0].form.Get("token_type_hint") != "refresh_token" || got[0].form.Get("client_key") != svcID || got[0].form.Get("client_secret") != svcSecret {
		t.Errorf("got %v", got)
	}
	for _, x := range []struct {
		status int
		body   string
		fine   bool
	}{
		{400, `{"error":"invalid_token"}`, true},
		{400, `{"error":"invalid_grant"}`, true},
		{400, `{"error":"unsupported_token_type"}`, false},
		{401, `{"error":"invalid_client","error_description":"rt-canary"}`, false},
		{503, "", false},
		{302, "", false},
	} {
		s.more["/revoke"] = answer(x.status, x.body)
		err := provider.Revoke(t.Context(), p, tok)
		noCanary(t, err)
		if (err == nil) != x.fine || errors.Is(err, provider.ErrUnavailable) != (x.status == 503) {
			t.Errorf("%d %s: got %v", x.status, x.body, err)
		}
	}
	if err := provider.Revoke(t.Context(), s.make(t, nil), tok); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}

func TestRevokeOfOneKindOnly(t *testing.T) {
	s := newService(t)
	for _, refused := range []string{"at", "rt"} {
		s.more["/revoke"] = func(w http.ResponseWriter, r *http.Request) {
			got := s.asked("/revoke")
			if got[len(got)-1].form.Get("token") == refused {
				answer(400, `{"error":"unsupported_token_type"}`)(w, r)
			}
		}
		p := s.make(t, func(d *provider.OAuth2) { d.RevokeURL = s.URL + "/revoke" })
		if err := provider.Revoke(t.Context(), p, provider.Token{AccessToken: "at", RefreshToken: "rt"}); err != nil {
			t.Errorf("%s refused: %v", refused, err)
		}
	}
}

func TestRevokeByCall(t *testing.T) {
	s := newService(t)
	s.more["/applications/svc-client/token"] = answer(204, "")
	p := s.make(t, func(d *provider.OAuth2) {
		d.Revoke = provider.Call{
			Method: "DELETE", URL: s.URL + "/applications/{client_id}/token", Body: `{"access_token":"{access_token}"}`,
			Header: http.Header{"Authorization": {"Basic {client_basic}"}},
		}
	})
	if err := provider.Revoke(t.Context(), p, provider.Token{AccessToken: `a"t`}); err != nil {
		t.Fatal(err)
	}
	got := s.one(t, "/applications/svc-client/token")
	if got.method != "DELETE" || got.body != `{"access_token":"a\"t"}` || !strings.HasPrefix(got.header.Get("Authorization"), "Basic ") ||
		got.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v", got)
	}
	s.more["/applications/svc-client/token"] = answer(404, "")
	if err := provider.Revoke(t.Context(), p, provider.Token{AccessToken: "at"}); err != nil {
		t.Errorf("a token that is gone: %v", err)
	}
	s.more["/applications/svc-client/token"] = answer(500, "")
	if err := provider.Revoke(t.Context(), p, provider.Token{AccessToken: "at"}); !errors.Is(err, provider.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
