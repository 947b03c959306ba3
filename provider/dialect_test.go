package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// Each dialect is one that a service speaks; the data is cut down to it.
func TestDialectWithGETAndOwnNames(t *testing.T) {
	s := newService(t)
	s.token = typed(200, "text/plain", `{"access_token":"at","expires_in":7200,"refresh_token":"rt","openid":"o1","scope":"x,y"}`)
	p := s.make(t, func(d *provider.OAuth2) {
		d.ClientIDAs, d.NoPKCE, d.UserURL = "appid", true, ""
		d.Fields = provider.Fields{Subject: "token:openid"}
		d.Dialect = provider.Dialect{
			Method: "GET", Names: map[string]string{"client_secret": "secret", "redirect_uri": ""}, NoTokenType: true,
			Fail: "errcode!=0", FailCode: "errcode", RefreshURL: s.URL + "/refresh", Keep: []string{"openid"}, Revoked: []string{"42002"},
		}
	})
	id, tok, err := login(t, p)
	if err != nil || id.Subject != "o1" || tok.Memo != `{"openid":"o1"}` || !reflect.DeepEqual(tok.Scopes, []string{"x", "y"}) {
		t.Fatalf("got %+v, %q, %v", id, tok.Memo, err)
	}
	want := url.Values{"grant_type": {"authorization_code"}, "code": {svcCode}, "appid": {svcID}, "secret": {svcSecret}}
	if got := s.one(t, "/token"); got.method != "GET" || !reflect.DeepEqual(got.query, want) || got.body != "" || got.header.Get("Content-Type") != "" {
		t.Errorf("got %s %v %q", got.method, got.query, got.body)
	}
	s.more["/refresh"] = answer(200, `{"errcode":42002,"errmsg":"canary"}`)
	_, err = provider.Refresh(t.Context(), p, tok)
	if e := rejected(t, err, "refresh", "exchange_failed"); e.Code != "42002" || !errors.Is(e, provider.ErrRevoked) {
		t.Errorf("got %q, %v", e.Code, e)
	}
	want = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt"}, "appid": {svcID}, "secret": {svcSecret}}
	if got := s.one(t, "/refresh"); got.method != "GET" || !reflect.DeepEqual(got.query, want) {
		t.Errorf("got %v", got.query)
	}
	s.token = answer(200, `{"errcode":40029,"errmsg":"canary"}`)
	_, _, err = login(t, p)
	if e := rejected(t, err, "exchange", "exchange_failed"); e.Code != "40029" {
		t.Errorf("got %q", e.Code)
	}
	s.token = answer(200, `{"errcode":0,"access_token":"at","openid":"o1"}`)
	if _, _, err := login(t, p); err != nil {
		t.Errorf("errcode 0: %v", err)
	}
	s.token = answer(200, `{"access_token":"at","token_type":"mac","openid":"o1"}`)
	_, _, err = login(t, p)
	rejected(t, err, "exchange", "token_invalid")
}

// One thing that is other than in RFC 6749 is enough.
func TestDialectsOfOneWord(t *testing.T) {
	for name, change := range map[string]func(*provider.OAuth2){
		"the client's name":        func(d *provider.OAuth2) { d.ClientIDAs = "appid" },
		"a name":                   func(d *provider.OAuth2) { d.Dialect.Names = map[string]string{"client_id": "appid"} },
		"a parameter":              func(d *provider.OAuth2) { d.Dialect.Params = url.Values{"appid": {"{client_id}"}} },
		"a parameter of a renewal": func(d *provider.OAuth2) { d.Dialect.RefreshParams = url.Values{"appid": {"{client_id}"}} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.token = answer(200, `{"access_token":"at","token_type":"Bearer","refresh_token":"rt"}`)
			p := s.make(t, change)
			_, tok, err := login(t, p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.Refresh(t.Context(), p, tok); err != nil {
				t.Fatal(err)
			}
			asked := s.asked("/token")
			form, err := url.ParseQuery(asked[len(asked)-1].body)
			if err != nil || len(asked) != 2 || form.Get("appid") != svcID || form.Get("refresh_token") != "rt" {
				t.Errorf("got %d requests, the last with %v, %v", len(asked), form, err)
			}
			if got := asked[1].header.Get("User-Agent"); got == "" || got == "Go-http-client/1.1" {
				t.Errorf("got User-Agent %q, want ours", got)
			}
		})
	}
}

func TestDialectWithJSONAndMovedMembers(t *testing.T) {
	s := newService(t)
	s.token = answer(200, `{"data":{"accessToken":"at","refreshToken":"rt","expireIn":60},"token_type":"ignored"}`)
	p := s.make(t, func(d *provider.OAuth2) {
		d.Dialect = provider.Dialect{
			JSON: true, Code: "authCode", NoTokenType: true, Root: "data",
			Names:  map[string]string{"client_id": "clientId", "client_secret": "clientSecret", "grant_type": "grantType"},
			Reply:  map[string]string{"access_token": "accessToken", "refresh_token": "refreshToken", "expires_in": "expireIn"},
			Header: http.Header{"Client-Id": {"{client_id}"}, "accept": {"application/vnd.x+json"}},
		}
	})
	_, tok, err := login(t, p, "authCode", svcCode)
	if err != nil || tok.AccessToken != "at" || tok.RefreshToken != "rt" || tok.Expiry.IsZero() {
		t.Fatalf("got %#v, %v", tok, err)
	}
	got := s.one(t, "/token")
	var body map[string]string
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	if body["clientId"] != svcID || body["clientSecret"] != svcSecret || body["grantType"] != "authorization_code" || body["code"] != svcCode || body["client_id"] != "" {
		t.Errorf("got %v", body)
	}
	if h := got.header; h.Get("Content-Type") != "application/json" || h.Get("Client-Id") != svcID || h.Get("Accept") != "application/vnd.x+json" {
		t.Errorf("got %v", h)
	}
	_, _, err = login(t, p)
	rejected(t, err, "exchange", "code_missing")
	req, to, _ := begin(t, p, provider.Request{})
	cb, err := provider.NewCallback(req, to.Memo, url.Values{"state": {svcState}, "authCode": {svcCode, "other"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = p.Complete(t.Context(), cb)
	rejected(t, err, "exchange", "code_missing")
}

func TestDialectThatForwardsCallbackParameters(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) {
		d.Dialect = provider.Dialect{
			Params: url.Values{"device_id": {"{callback.device_id}"}, "state": {"{state}"}, "redirect_uri": {"{redirect_uri}"}, "scope": {"{scopes}"}},
			Keep:   []string{"callback.device_id", "redirect_uri"},
		}
	})
	_, tok, err := login(t, p, "code", svcCode, "device_id", "d 1")
	if err != nil {
		t.Fatal(err)
	}
	if f := s.one(t, "/token").form; f.Get("device_id") != "d 1" || f.Get("state") != svcState || f.Get("redirect_uri") != svcBack || f.Get("scope") != "a" {
		t.Errorf("got %v", f)
	}
	if _, err := provider.Refresh(t.Context(), p, tok); err != nil {
		t.Fatal(err)
	}
	if f := s.asked("/token")[1].form; f.Get("device_id") != "d 1" || f.Has("state") || f.Get("redirect_uri") != svcBack || f.Get("scope") != "a b" || f.Get("refresh_token") != "rt-canary" {
		t.Errorf("got %v", f)
	}
	if _, _, err := login(t, p); err != nil {
		t.Fatal(err)
	}
	if f := s.asked("/token")[2].form; f.Has("device_id") {
		t.Errorf("got %v", f)
	}
}

func TestDialectThatTradesTheAccessToken(t *testing.T) {
	s := newService(t)
	s.more["/exchange"] = answer(200, `{"access_token":"at2","token_type":"bearer","expires_in":5184000}`)
	p := s.make(t, func(d *provider.OAuth2) {
		d.Dialect = provider.Dialect{
			RefreshURL: s.URL + "/exchange", RefreshMethod: "GET",
			RefreshParams: url.Values{"grant_type": {"fb_exchange_token"}, "fb_exchange_token": {"{access_token}"}},
		}
	})
	tok, err := provider.Refresh(t.Context(), p, provider.Token{AccessToken: "at1"})
	if err != nil || tok.AccessToken != "at2" || tok.RefreshToken != "" {
		t.Fatalf("got %#v, %v", tok, err)
	}
	want := url.Values{"grant_type": {"fb_exchange_token"}, "fb_exchange_token": {"at1"}, "client_id": {svcID}, "client_secret": {svcSecret}}
	if got := s.one(t, "/exchange"); got.method != "GET" || !reflect.DeepEqual(got.query, want) {
		t.Errorf("got %s %v", got.method, got.query)
	}
	if _, err := provider.Refresh(t.Context(), p, provider.Token{}); !errors.Is(err, provider.ErrRevoked) {
		t.Errorf("got %v, want ErrRevoked", err)
	}
}

func TestDialectWithOtherTokenType(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) { d.Dialect.TokenType = "OAuth" })
	for _, kind := range []string{"bearer", "oauth"} {
		s.token = answer(200, `{"access_token":"at","token_type":"`+kind+`"}`)
		_, tok, err := login(t, p)
		if err != nil || tok.Type != "OAuth" {
			t.Errorf("%s: got %q, %v", kind, tok.Type, err)
		}
	}
	for _, x := range s.asked("/user") {
		if got := x.header.Get("Authorization"); got != "OAuth at" {
			t.Errorf("got %q", got)
		}
	}
}

func TestDialectOfExpiry(t *testing.T) {
	s := newService(t)
	at := time.Now().Add(time.Hour)
	for _, x := range []struct {
		dialect provider.Dialect
		answer  string
		hour    bool
	}{
		{provider.Dialect{NoExpiry: true}, `"expires_in":0`, false},
		{provider.Dialect{}, `"expires_at":` + at.Format("20060102"), false},
		{provider.Dialect{Reply: map[string]string{"expires_at": "expires_at"}}, `"expires_at":` + number(at.Unix()), true},
		{provider.Dialect{Reply: map[string]string{"expires_at": "expires_at"}}, `"expires_at":` + number(at.UnixMilli()), true},
		{provider.Dialect{Reply: map[string]string{"expires_at": "expires_at"}}, `"expires_at":"` + at.Format(time.RFC3339) + `"`, true},
		{provider.Dialect{Reply: map[string]string{"expires_at": "expires_at"}}, `"expires_at":"soon"`, false},
		{provider.Dialect{Reply: map[string]string{"expires_in": "expires"}}, `"expires":"3600"`, true},
	} {
		s.token = answer(200, `{"access_token":"at","token_type":"bearer",`+x.answer+`}`)
		_, tok, err := login(t, s.make(t, func(d *provider.OAuth2) { d.Dialect = x.dialect }))
		if err != nil || x.hour == tok.Expiry.IsZero() {
			t.Errorf("%s: got %v, %v", x.answer, tok.Expiry, err)
			continue
		}
		if off := at.Sub(tok.Expiry).Abs(); x.hour && off > time.Minute {
			t.Errorf("%s: got %v, want an hour from now", x.answer, tok.Expiry)
		}
	}
}

func number(n int64) string { b, _ := json.Marshal(n); return string(b) }
