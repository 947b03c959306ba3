package provider_test

import (
	"errors"
	"net/http"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatepass/gatepass/provider"
)

// A definition with all that is needed makes no request for metadata.
func TestPinnedEndpoints(t *testing.T) {
	op := newOP()
	p := op.provider(func(d *provider.OIDC) {
		d.Endpoint = oauth2.Endpoint{AuthURL: opIssuer + "/a", TokenURL: opIssuer + "/token", AuthStyle: oauth2.AuthStyleInParams}
		d.KeysURL = opIssuer + "/jwks"
	})
	op.mustLogin(t, p)
	if op.count(wellKnown) != 0 || op.count("/userinfo") != 0 {
		t.Errorf("got %d requests for metadata and %d for userinfo, want none", op.count(wellKnown), op.count("/userinfo"))
	}
	if op.lastAuth != "" || op.lastForm.Get("client_secret") != opSecret {
		t.Errorf("got Authorization %q, want the secret in the form", op.lastAuth)
	}
	if _, err := provider.LogoutURL(t.Context(), p, provider.Token{}, "", ""); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("LogoutURL: got %v, want ErrUnsupported", err)
	}
	if err := provider.Revoke(t.Context(), p, provider.Token{AccessToken: "a"}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Revoke: got %v, want ErrUnsupported", err)
	}
}

// The definition's endpoints go before those of the metadata.
func TestEndpointsOverMetadata(t *testing.T) {
	op := newOP()
	op.metadata = set("userinfo_endpoint", "http://insecure.example/u") // not looked at
	p := op.provider(func(d *provider.OIDC) { d.UserURL = opIssuer + "/userinfo" })
	op.mustLogin(t, p)
	if op.count("/userinfo") != 1 {
		t.Error("UserURL was not used")
	}
}

// The secret goes one way, once: as the definition says, else the metadata, else
// the specification.
func TestTokenEndpointAuthStyle(t *testing.T) {
	inForm := func(d *provider.OIDC) { d.Endpoint.AuthStyle = oauth2.AuthStyleInParams }
	tests := []struct {
		name    string
		methods any
		change  func(*provider.OIDC)
		header  bool
		secret  bool
	}{
		{"unsaid", nil, nil, true, true},
		{"basic", []string{"client_secret_basic"}, nil, true, true},
		{"both", []string{"client_secret_post", "client_secret_basic"}, nil, true, true},
		{"post", []string{"client_secret_post"}, nil, false, true},
		{"other", []string{"private_key_jwt"}, nil, false, true},
		{"definition", []string{"client_secret_basic"}, inForm, false, true},
		{"public", []string{"client_secret_basic"}, func(d *provider.OIDC) { d.PublicClient = true }, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			op.metadata = set("token_endpoint_auth_methods_supported", tt.methods)
			p := op.provider()
			if tt.change != nil {
				p = op.provider(tt.change)
			}
			op.mustLogin(t, p)
			header := op.lastAuth
			if (header != "") != tt.header {
				t.Errorf("got Authorization %q, want one: %v", header, tt.header)
			}
			if tt.header && header != "Basic Y2xpZW50LTE6czNjcjN0JTNBKyUyNSUyQiUyNiVDMyVCQw==" {
				t.Errorf("got %q, want both parts form-encoded", header)
			}
			if got, want := op.lastForm.Has("client_secret"), tt.secret && !tt.header; got != want {
				t.Errorf("client_secret in the form: got %v, want %v", got, want)
			}
		})
	}
	for _, methods := range []any{nil, []string{"client_secret_basic"}, []string{"client_secret_post"}} {
		op := newOP()
		op.metadata = set("token_endpoint_auth_methods_supported", methods)
		op.intercept["/token"] = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			writeJSON(w, map[string]any{"error": "invalid_client"})
		}
		_, _, err := op.login(t, op.provider())
		wantReason(t, err, "exchange_failed")
		if got := op.count("/token"); got != 1 {
			t.Errorf("got %d token requests after a refusal, want 1", got)
		}
	}
}

// A test server on this machine may have endpoints on this machine.
func TestLoopbackIssuer(t *testing.T) {
	op := newOP()
	op.issuer = "http://127.0.0.1:9"
	op.mustLogin(t, op.provider())
}
