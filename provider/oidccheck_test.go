package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

func TestOIDCCheck(t *testing.T) {
	op := newOP()
	if err := provider.Check(op.provider()); err != nil {
		t.Errorf("a good definition: %v", err)
	}
	tests := map[string]struct {
		change func(d *provider.OIDC)
		opts   []provider.Option
		want   string
	}{
		"no_issuer":            {func(d *provider.OIDC) { d.Issuer = "" }, nil, "Issuer"},
		"http_issuer":          {func(d *provider.OIDC) { d.Issuer = "http://op.example" }, nil, "Issuer"},
		"issuer_with_query":    {func(d *provider.OIDC) { d.Issuer += "?x=1" }, nil, "Issuer"},
		"issuer_with_mark":     {func(d *provider.OIDC) { d.Issuer += "?" }, nil, "Issuer"},
		"issuer_with_fragment": {func(d *provider.OIDC) { d.Issuer += "#x" }, nil, "Issuer"},
		"issuer_with_user":     {func(d *provider.OIDC) { d.Issuer = "https://u:p@op.example" }, nil, "Issuer"},
		"issuer_template":      {func(d *provider.OIDC) { d.Issuer = "https://op.example/{tenant}" }, nil, "Issuer"},
		"http_keys":            {func(d *provider.OIDC) { d.KeysURL = "http://op.example/keys" }, nil, "KeysURL"},
		"http_discovery":       {func(d *provider.OIDC) { d.Discovery = "http://op.example/" }, nil, "Discovery"},
		"alg_none":             {func(d *provider.OIDC) { d.Algs = []string{"none"} }, nil, "Algs"},
		"alg_hs256":            {func(d *provider.OIDC) { d.Algs = []string{"RS256", "HS256"} }, nil, "Algs"},
		"no_pkce_and_no_nonce": {func(d *provider.OIDC) { d.NoPKCE, d.InsecureNoNonce = true, true }, nil, "InsecureNoNonce"},
		"empty_audience":       {func(d *provider.OIDC) { d.Audiences = []string{""} }, nil, "Audiences"},
		"empty_alternative":    {func(d *provider.OIDC) { d.Issuers = []string{""} }, nil, "Issuers"},
		"no_userinfo_and_url":  {func(d *provider.OIDC) { d.NoUserInfo, d.UserURL = true, opIssuer+"/u" }, nil, "NoUserInfo"},
		"bad_path":             {func(d *provider.OIDC) { d.Fields.Name = "a..b" }, nil, "Fields.Name"},
		"subject_alternatives": {func(d *provider.OIDC) { d.Fields.Subject = "oid|sub" }, nil, "Fields.Subject"},
		"bad_active":           {func(d *provider.OIDC) { d.Active = "a..b" }, nil, "condition"},
		"reserved_param":       {func(d *provider.OIDC) { d.Params = url.Values{"nonce": {"x"}} }, nil, "nonce"},
		"reserved_option":      {nil, []provider.Option{provider.WithParam("state", "x")}, "state"},
		"no_id":                {func(d *provider.OIDC) { d.Info.ID = "" }, nil, "Info.ID"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := op.definition()
			if tt.change != nil {
				tt.change(&d)
			}
			err := provider.Check(d.New(opClient, opSecret, tt.opts...))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a mistake that names %s", err, tt.want)
			}
		})
	}
	d := op.definition()
	err := provider.Check(d.New("", ""))
	if err == nil || !strings.Contains(err.Error(), "client ID") || !strings.Contains(err.Error(), "client secret") {
		t.Errorf("got %v, want both named", err)
	}
	d.PublicClient = true
	if err := provider.Check(d.New(opClient, "")); err != nil {
		t.Errorf("a public client without a secret: %v", err)
	}
	if op.count(wellKnown) != 0 {
		t.Error("Check made a request")
	}
}

// An audience of "" must not fit a client ID that someone forgot.
func TestOIDCEmptyClientID(t *testing.T) {
	op := newOP()
	op.claims = set("aud", "")
	_, _, err := op.login(t, op.definition().New("", opSecret, provider.WithHTTPClient(&http.Client{Transport: op})))
	wantReason(t, err, "id_token_aud")
}

// What one caller does to the answer of Info does not reach another.
func TestOIDCInfoIsACopy(t *testing.T) {
	p := newOP().provider(func(d *provider.OIDC) { d.Info.Hosts = []string{"a.example"} })
	p.Info().Hosts[0] = "evil.example"
	if got := p.Info().Hosts[0]; got != "a.example" {
		t.Errorf("got %q, want a.example", got)
	}
}
