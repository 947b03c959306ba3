package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

func TestProfilesThatAreNone(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	for body, reason := range map[string]string{
		`{"name":"x"}`: "profile_id", `{"id":null}`: "profile_id", `{"id":""}`: "profile_id", `{"id":{"canary":1}}`: "profile_id",
		`{"id":["canary"]}`: "profile_id", `{"id":true}`: "profile_id", `{"id":1.5}`: "profile_id", `{"id":1e30}`: "profile_id",
		`{"id":"` + strings.Repeat("x", 256) + `"}`: "profile_id", `{"id":"a\u0000"}`: "profile_id", `{"id":"a\nb"}`: "profile_id",
		`{"id":"\ud800"}`: "profile_id", "{\"id\":\"\xff\"}": "profile_invalid", `{}`: "profile_id",
		`{"error":"canary canary","id":1}`: "profile_invalid", `<html>canary</html>`: "profile_invalid", ``: "profile_invalid",
		`["canary"]`: "profile_invalid", `null`: "profile_invalid", `"canary"`: "profile_invalid", `7`: "profile_invalid",
		`{"id":1}{"id":2}`: "profile_invalid", `{"id":1,"id":2}`: "profile_invalid", `{"id":`: "profile_invalid",
	} {
		s.user = answer(200, body)
		_, _, err := login(t, p)
		rejected(t, err, "profile", reason)
	}
}

func TestProfileWithStatus(t *testing.T) {
	s := newService(t)
	p := s.make(t, nil)
	for _, status := range []int{400, 401, 403, 404, 429, 500, 503} {
		before := len(s.asked("/user"))
		s.user = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "0")
			answer(status, `{"id":1,"error":"some_code","error_description":"canary"}`)(w, r)
		}
		_, _, err := login(t, p)
		reason, down := "profile_http", status >= 500 || status == 429
		if down {
			reason = "provider_unavailable"
		}
		e := rejected(t, err, "profile", reason)
		if errors.Is(e, provider.ErrUnavailable) != down || e.Code != "some_code" {
			t.Errorf("%d: got %q, %v", status, e.Code, e)
		}
		if n := len(s.asked("/user")) - before; n != 1 {
			t.Errorf("%d: asked %d times, want once", status, n)
		}
	}
}

func TestUnverifiedAddresses(t *testing.T) {
	s := newService(t)
	for _, x := range []struct {
		body     string
		email    string
		verified bool
	}{
		{`{"id":1,"email":"a@x.example","verified":true}`, "a@x.example", true},
		{`{"id":1,"email":"a@x.example","verified":"true"}`, "a@x.example", false},
		{`{"id":1,"email":"a@x.example","verified":1}`, "a@x.example", false},
		{`{"id":1,"email":"a@x.example"}`, "a@x.example", false},
		{`{"id":1,"email":"","verified":true}`, "", false},
		{`{"id":1,"email":"a@x.example, b@x.example","verified":true}`, "", false},
		{`{"id":1,"email":"a@x@x.example","verified":true}`, "", false},
		{`{"id":1,"email":"a@x.example\n","verified":true}`, "", false},
		{`{"id":1,"email":["a@x.example"],"verified":true}`, "", false},
	} {
		s.user = answer(200, x.body)
		id, _, err := login(t, s.make(t, nil))
		if err != nil || id.Email != x.email || id.EmailVerified != x.verified {
			t.Errorf("%s: got %q %v, %v", x.body, id.Email, id.EmailVerified, err)
		}
	}
}

// github is a definition with a list of addresses in a call of its own.
func github(s *service, t testing.TB) provider.Provider {
	return s.make(t, func(d *provider.OAuth2) {
		d.Calls = []provider.Call{{Name: "emails", URL: s.URL + "/emails", Optional: true}}
		d.Fields.Email = "emails:[primary].email"
		d.Fields.EmailVerified = "emails:[primary&verified].verified"
	})
}

func TestAddressOfACall(t *testing.T) {
	s := newService(t)
	for _, x := range []struct {
		status   int
		body     string
		email    string
		verified bool
	}{
		{200, `[{"email":"b@x.example","primary":false,"verified":true},{"email":"a@x.example","primary":true,"verified":true}]`, "a@x.example", true},
		{200, `[{"email":"b@x.example","primary":false,"verified":true},{"email":"a@x.example","primary":true,"verified":false}]`, "a@x.example", false},
		{200, `[{"email":"b@x.example","primary":false,"verified":true}]`, "", false},
		{200, `[]`, "", false},
		{403, `{}`, "", false},
		{404, `{}`, "", false},
	} {
		s.more["/emails"] = answer(x.status, x.body)
		id, _, err := login(t, github(s, t))
		if err != nil || id.Email != x.email || id.EmailVerified != x.verified {
			t.Errorf("%s: got %q %v, %v", x.body, id.Email, id.EmailVerified, err)
		}
		var raw struct {
			ID     json.Number
			Emails []struct{ Email string }
		}
		if err := id.Claims(&raw); err != nil || raw.ID != "9007199254740993" || len(raw.Emails) != strings.Count(x.body, "email\"") {
			t.Errorf("%s: got the profile %s, %v", x.body, id.Raw, err)
		}
	}
	for status, reason := range map[int]string{401: "profile_http", 500: "provider_unavailable", 302: "profile_http"} {
		s.more["/emails"] = answer(status, `{}`)
		_, _, err := login(t, github(s, t))
		rejected(t, err, "profile", reason)
	}
	s.more["/emails"] = answer(200, `"canary"`)
	_, _, err := login(t, github(s, t))
	rejected(t, err, "profile", "profile_invalid")
}

func TestCalls(t *testing.T) {
	s := newService(t)
	s.token = answer(200, `{"access_token":"a/t","token_type":"Bearer","openid":"o 1","base":"`+s.URL+`"}`)
	s.user = answer(200, `{"data":{"user":{"id":"u 1"}},"error":{"code":"ok"}}`)
	s.more["/members/u 1"] = answer(200, `{"name":"Ada"}`)
	s.more["/graphql"] = answer(200, `{"data":{"email":"a@x.example"}}`)
	p := s.make(t, func(d *provider.OAuth2) {
		d.User = provider.Call{
			Method: "POST", URL: "{token.base}/user?access_token={access_token}&openid={token.openid}",
			Query: url.Values{"fields": {"id,name"}, "proof": {"{proof}"}}, Header: http.Header{"Client-Id": {"{client_id}"}},
			Body: "client_id={client_id}&device={callback.device_id}", Fail: "error.code!=ok",
		}
		d.Calls = []provider.Call{
			{Name: "member", URL: s.URL + "/members/{profile.data.user.id}", Header: http.Header{"X-Token": {"{access_token}"}}},
			{Name: "graph", Method: "POST", URL: s.URL + "/graphql", Body: `{"query":"{me{id}}"}`},
		}
		d.Fields = provider.Fields{Subject: "data.user.id", Name: "member:name", Email: "graph:data.email", Username: "token:openid"}
	})
	id, _, err := login(t, p, "code", svcCode, "device_id", "d&1")
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != "u 1" || id.Name != "Ada" || id.Email != "a@x.example" || id.Username != "o 1" {
		t.Errorf("got %+v", id)
	}
	user := s.one(t, "/user")
	if user.method != "POST" || user.query.Get("access_token") != "a/t" || user.query.Get("openid") != "o 1" || user.query.Get("fields") != "id,name" ||
		len(user.query.Get("proof")) != 64 || user.header.Get("Client-Id") != svcID || user.header.Get("Authorization") != "" ||
		user.form.Get("device") != "d&1" || user.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("got %+v", user)
	}
	if m := s.one(t, "/members/u 1"); m.header.Get("X-Token") != "a/t" || m.header.Get("Authorization") != "" {
		t.Errorf("got %+v", m)
	}
	if g := s.one(t, "/graphql"); g.body != `{"query":"{me{id}}"}` || g.header.Get("Content-Type") != "application/json" || g.header.Get("Authorization") != "Bearer a/t" {
		t.Errorf("got %+v", g)
	}
	// Without the parameter the call cannot be made.
	_, _, err = login(t, p)
	rejected(t, err, "profile", "profile_invalid")
	s.user = answer(200, `{"data":{"user":{"id":"u1"}},"error":{"code":"access_token_invalid"}}`)
	_, _, err = login(t, p, "code", svcCode, "device_id", "d")
	rejected(t, err, "profile", "profile_invalid")
}

func TestIdentityFromTheTokenAnswer(t *testing.T) {
	s := newService(t)
	s.token = answer(200, `{"status":0,"body":{"userid":77,"access_token":"at","token_type":"Bearer"}}`)
	p := s.make(t, func(d *provider.OAuth2) {
		d.UserURL, d.Fields = "", provider.Fields{Subject: "token:body.userid"}
		d.Dialect = provider.Dialect{Root: "body", Fail: "status!=0"}
	})
	id, tok, err := login(t, p)
	if err != nil || id.Subject != "77" || tok.AccessToken != "at" || id.Raw != nil {
		t.Errorf("got %+v, %v", id, err)
	}
}

func TestInactiveAccount(t *testing.T) {
	s := newService(t)
	p := s.make(t, func(d *provider.OAuth2) { d.Active = "state==active" })
	for body, active := range map[string]bool{
		`{"id":1,"state":"active"}`: true, `{"id":1,"state":"blocked"}`: false, `{"id":1}`: false, `{"id":1,"state":null}`: false,
	} {
		s.user = answer(200, body)
		_, _, err := login(t, p)
		if active {
			if err != nil {
				t.Errorf("%s: %v", body, err)
			}
			continue
		}
		if e := rejected(t, err, "profile", "inactive"); !errors.Is(e, provider.ErrDenied) {
			t.Errorf("%s: got %v, want ErrDenied", body, e)
		}
	}
}

func TestEmailsVerified(t *testing.T) {
	s := newService(t)
	s.user = answer(200, `{"id":1,"email":"a@x.example"}`)
	id, _, err := login(t, s.make(t, func(d *provider.OAuth2) { d.EmailsVerified, d.Fields.EmailVerified = true, "" }))
	if err != nil || !id.EmailVerified {
		t.Errorf("got %v, %v", id.EmailVerified, err)
	}
}

func FuzzProfile(f *testing.F) {
	for _, s := range []string{
		`{"id":9007199254740993,"email":"a@x.example","verified":true}`, `{"id":"x","emails":[{"email":"a@b","primary":true}]}`, `[]`, `{"id":"\u0000"}`, `{"id":1e3}`,
	} {
		f.Add(200, s)
	}
	d := provider.OAuth2{
		Info: provider.Info{ID: "svc", Name: "S"}, UserURL: "https://s.example/user", Active: "gone!=true;!gone",
		Fields: provider.Fields{
			Subject: "id", Email: "email|emails[primary].email", EmailVerified: "any:verified;all:a,b;in:list;state:s==x", Name: "first last|name",
			AvatarURL: "tmpl:https://i.example/{id}/{avatar}", ProfileURL: "url>noquery", Username: "login>strip:@>nohtml",
		},
	}
	d.Endpoint.AuthURL, d.Endpoint.TokenURL = "https://s.example/authorize", "https://s.example/token"
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 999 {
			return
		}
		p := d.New(svcID, svcSecret, provider.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/token" {
				return response(r, 200, "application/json", `{"access_token":"at","token_type":"Bearer"}`), nil
			}
			return response(r, status, "application/json", body), nil
		})}))
		req, to, _ := begin(t, p, provider.Request{})
		id, _, err := p.Complete(t.Context(), callback(t, req, to.Memo))
		if err != nil {
			rejectedOp(t, err, "profile")
			return
		}
		if status < 200 || status > 299 || id.Subject == "" || len(id.Subject) > 255 || id.Provider != "svc" || id.Issuer != "https://s.example" {
			t.Fatalf("status %d gave %+v", status, id)
		}
		if id.EmailVerified && strings.Count(id.Email, "@") != 1 {
			t.Fatalf("%q is verified", id.Email)
		}
		for _, u := range []string{id.AvatarURL, id.ProfileURL} {
			if u != "" && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(strings.ToLower(u), "https://") {
				t.Fatalf("got the URL %q", u)
			}
		}
		if !json.Valid(id.Raw) {
			t.Fatalf("the profile is not JSON: %q", id.Raw)
		}
	})
}
