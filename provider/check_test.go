package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

func TestCheckFindsEveryMistake(t *testing.T) {
	s := newService(t)
	for _, x := range []struct {
		want   string
		change func(*provider.OAuth2)
	}{
		{"Info.ID", func(d *provider.OAuth2) { d.Info.ID = "" }},
		{"Info.ID", func(d *provider.OAuth2) { d.Info.ID = "Git/Hub" }},
		{"Info.ID", func(d *provider.OAuth2) { d.Info.ID = "-a" }},
		{"Info.ID", func(d *provider.OAuth2) { d.Info.ID = strings.Repeat("a", 41) }},
		{"Info.ID", func(d *provider.OAuth2) { d.Info.ID = "ä" }},
		{"Info.Name", func(d *provider.OAuth2) { d.Info.Name = " " }},
		{"Info.Setup", func(d *provider.OAuth2) { d.Info.Setup = "http://x.example" }},
		{"Info.API", func(d *provider.OAuth2) { d.Info.API = "api.example" }},
		{"Info.API", func(d *provider.OAuth2) { d.Info.API = "https://api.example?x=1" }},
		{"Info.Hosts", func(d *provider.OAuth2) { d.Info.Hosts = []string{"https://x.example"} }},
		{"Info.Hosts", func(d *provider.OAuth2) { d.Info.Hosts = []string{"*.example"} }},
		{"Info.Hosts", func(d *provider.OAuth2) { d.Info.Hosts = []string{"x.example/path"} }},
		{"Info.FormerIDs", func(d *provider.OAuth2) { d.Info.FormerIDs = []string{"svc"} }},
		{"Endpoint.AuthURL", func(d *provider.OAuth2) { d.Endpoint.AuthURL = "" }},
		{"Endpoint.AuthURL", func(d *provider.OAuth2) { d.Endpoint.AuthURL = "http://x.example" }},
		{"Endpoint.AuthURL", func(d *provider.OAuth2) { d.Endpoint.AuthURL = "https://u:p@x.example" }},
		{"Endpoint.AuthURL", func(d *provider.OAuth2) { d.Endpoint.AuthURL = "https://x.example/#f" }},
		{"Endpoint.AuthURL", func(d *provider.OAuth2) { d.Endpoint.AuthURL = "https://" }},
		{"Endpoint.AuthURL", func(d *provider.OAuth2) { d.Endpoint.AuthURL = "https://{tenant}.example/" }},
		{"Endpoint.TokenURL", func(d *provider.OAuth2) { d.Endpoint.TokenURL = "ftp://x.example" }},
		{"Issuer", func(d *provider.OAuth2) { d.Issuer = "x" }},
		{"RevokeURL", func(d *provider.OAuth2) { d.RevokeURL = "http://x.example" }},
		{"Revoke", func(d *provider.OAuth2) { d.Revoke = provider.Call{URL: "https://x.example/{what}"} }},
		{"UserURL", func(d *provider.OAuth2) { d.UserURL = "" }},
		{"UserURL", func(d *provider.OAuth2) { d.UserURL = "https://x.example/{what}" }},
		{"UserURL", func(d *provider.OAuth2) { d.UserURL = "https://{callback.host}/" }},
		{"Header", func(d *provider.OAuth2) { d.Header = http.Header{"X": {"{what}"}} }},
		{"Method", func(d *provider.OAuth2) { d.User = provider.Call{URL: "https://x.example/", Method: "FETCH"} }},
		{"Fail", func(d *provider.OAuth2) { d.User = provider.Call{URL: "https://x.example/", Fail: "=="} }},
		{"Query", func(d *provider.OAuth2) {
			d.User = provider.Call{URL: "https://x.example/", Query: url.Values{"a": {"{b}"}}}
		}},
		{"Calls", func(d *provider.OAuth2) { d.Calls = []provider.Call{{URL: "https://x.example/"}} }},
		{"Calls", func(d *provider.OAuth2) { d.Calls = []provider.Call{{Name: "token", URL: "https://x.example/"}} }},
		{"Calls", func(d *provider.OAuth2) {
			d.Calls = []provider.Call{{Name: "a", URL: "https://x.example/"}, {Name: "a", URL: "https://x.example/"}}
		}},
		{"Subject", func(d *provider.OAuth2) { d.Fields.Subject = "" }},
		{"Subject", func(d *provider.OAuth2) { d.Fields.Subject = "a|b" }},
		{"Fields.Email:", func(d *provider.OAuth2) { d.Fields.Email = "emails:0.email" }},
		{"ID token", func(d *provider.OAuth2) { d.Fields.Email = "id_token:email" }},
		{"EmailVerified", func(d *provider.OAuth2) { d.Fields.EmailVerified = "int:x" }},
		{"Fields.Name", func(d *provider.OAuth2) { d.Fields.Name = "a..b" }},
		{"Active", func(d *provider.OAuth2) { d.Active = "==" }},
		{"Reauth", func(d *provider.OAuth2) { d.Info.Reauth = true }},
		{"state", func(d *provider.OAuth2) { d.ReauthParams = url.Values{"state": {"x"}} }},
		{"client_key", func(d *provider.OAuth2) { d.ClientIDAs, d.Params = "client_key", url.Values{"client_key": {"x"}} }},
		{"scopes", func(d *provider.OAuth2) { d.Scopes = []string{"a b"} }},
		{"scopes", func(d *provider.OAuth2) { d.Scopes, d.ScopeSep = []string{"a,b"}, "," }},
		{"Fragment", func(d *provider.OAuth2) { d.Fragment = "#x" }},
		{"Dialect.Method", func(d *provider.OAuth2) { d.Dialect.Method = "PUT" }},
		{"Dialect.Method", func(d *provider.OAuth2) { d.Dialect.RefreshMethod = "PUT" }},
		{"Dialect.Header", func(d *provider.OAuth2) { d.Dialect.Header = http.Header{"X": {"{what}"}} }},
		{"Dialect.Params", func(d *provider.OAuth2) { d.Dialect.Params = url.Values{"x": {"{callback.}"}} }},
		{"Dialect.RefreshParams", func(d *provider.OAuth2) { d.Dialect.RefreshParams = url.Values{"x": {"{"}} }},
		{"Dialect.RefreshURL", func(d *provider.OAuth2) { d.Dialect.RefreshURL = "http://x.example" }},
		{"Dialect.Root", func(d *provider.OAuth2) { d.Dialect.Root = "a." }},
		{"Dialect.Reply", func(d *provider.OAuth2) { d.Dialect.Reply = map[string]string{"access": "x"} }},
		{"Dialect.Reply", func(d *provider.OAuth2) { d.Dialect.Reply = map[string]string{"access_token": ""} }},
		{"Dialect.Keep", func(d *provider.OAuth2) { d.Dialect.Keep = []string{"a["} }},
		{"Dialect.Fail", func(d *provider.OAuth2) { d.Dialect.Fail = "!" }},
		{"Dialect.FailCode", func(d *provider.OAuth2) { d.Dialect.FailCode = "." }},
	} {
		d := s.definition()
		x.change(&d)
		p := d.New(svcID, svcSecret)
		err := provider.Check(p)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("got %v, which does not name %s", err, x.want)
			continue
		}
		// What is set up wrongly logs nobody in, and does not panic.
		if _, err := p.Begin(t.Context(), provider.Request{State: svcState, CallbackURL: svcBack}); err == nil {
			t.Errorf("%s: Begin went through", x.want)
		}
		if _, _, err := p.Complete(t.Context(), callback(t, provider.Request{State: svcState}, strings.Repeat("a", 43))); err == nil {
			t.Errorf("%s: Complete went through", x.want)
		}
		if _, err := provider.Refresh(t.Context(), p, provider.Token{AccessToken: "a", RefreshToken: "b"}); err == nil {
			t.Errorf("%s: Refresh went through", x.want)
		}
		if err := provider.Revoke(t.Context(), p, provider.Token{AccessToken: "a", RefreshToken: "b"}); err == nil {
			t.Errorf("%s: Revoke went through", x.want)
		}
	}
	if len(s.seen) != 0 {
		t.Errorf("the service was asked: %v", s.seen)
	}
}

func TestCheckNamesAllAtOnce(t *testing.T) {
	err := provider.Check(provider.OAuth2{}.New("", ""))
	for _, want := range []string{
		"Info.ID", "Info.Name", "client ID is empty: set it, for instance from an environment variable", "client secret is empty", "AuthURL", "TokenURL", "UserURL", "Subject",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, which does not name %s", err, want)
		}
	}
}

func TestCheckDoesNotPrintTheSecret(t *testing.T) {
	for _, secret := range []string{"canary\n", " canary", "can\x00ary-canary"} {
		err := provider.Check(newService(t).definition().New(svcID, secret))
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v", err)
		}
	}
}
