package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

const wellKnown = "/.well-known/openid-configuration"

func (op *hostileOP) beginErr(t testing.TB, p provider.Provider) error {
	t.Helper()
	_, err := p.Begin(t.Context(), provider.Request{State: "state-1", CallbackURL: "https://app.example/cb"})
	return err
}

// Every address comes from the metadata, and New asks for none of it.
func TestDiscovery(t *testing.T) {
	op := newOP()
	p := op.provider()
	if op.count(wellKnown) != 0 {
		t.Error("New asked for metadata, want the first login to")
	}
	op.metadata = func(m map[string]any) {
		m["authorization_endpoint"] = opIssuer + "/a7?x=1"
		m["token_endpoint"] = opIssuer + "/t7"
		m["jwks_uri"] = opIssuer + "/j7"
		m["userinfo_endpoint"] = "https://elsewhere.example/u7"
		m["check_session_iframe"] = opIssuer + "/frame"
	}
	op.intercept["/t7"] = op.token
	op.intercept["/u7"] = op.userinfo
	op.intercept["/j7"] = func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"keys": []any{jwkOf(rsaKey(), "k1")}})
	}
	req, to := op.begin(t, p, provider.Request{})
	if !strings.HasPrefix(to.URL, opIssuer+"/a7?x=1&") {
		t.Errorf("got %s, want the authorization endpoint of the metadata", to.URL)
	}
	if _, _, err := op.complete(t, p, req, to.Memo); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{wellKnown: 1, "/t7": 1, "/u7": 1, "/j7": 1, "/token": 0, "/jwks": 0, "/userinfo": 0, "/frame": 0} {
		if got := op.count(path); got != want {
			t.Errorf("got %d requests to %s, want %d", got, path, want)
		}
	}
}

func TestDiscoveryAddress(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://op.example/t1":      wellKnown,
		"https://op.example/t1/":     wellKnown,
		"https://op.example/":        wellKnown,
		"https://op.example/t1/v2.0": wellKnown,
	} {
		op := newOP()
		op.issuer = issuer
		if err := op.beginErr(t, op.provider()); err != nil || op.count(want) != 1 {
			t.Errorf("%s: got %v and %d requests", issuer, err, op.count(want))
		}
	}
}

func TestDiscoveryElsewhere(t *testing.T) {
	op := newOP()
	op.intercept["/conf"] = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, op.meta()) }
	op.mustLogin(t, op.provider(func(d *provider.OIDC) { d.Discovery = opIssuer + "/conf" }))
	if op.count("/conf") != 1 || op.count(wellKnown) != 0 {
		t.Errorf("got %d requests there and %d below the issuer, want 1 and 0", op.count("/conf"), op.count(wellKnown))
	}
}

// With and without a slash are two issuers.
func TestDiscoveryIssuerIsComparedExactly(t *testing.T) {
	for name, iss := range map[string]any{
		"other":      "https://evil.example",
		"slash":      opIssuer + "/",
		"upper_case": "https://OP.example",
		"http":       "http://op.example",
		"empty":      "",
		"missing":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			op := newOP()
			op.metadata = set("issuer", iss)
			p := op.provider()
			wantReason(t, op.beginErr(t, p), "discovery_issuer")
			_, err := p.(provider.Refresher).Refresh(t.Context(), provider.Token{RefreshToken: "rt-1"})
			wantReason(t, err, "discovery_issuer")
			if op.count("/token") != 0 {
				t.Error("the token endpoint of another issuer was asked")
			}
		})
	}
}

func TestMetadataIssuer(t *testing.T) {
	const template = opIssuer + "/{tenantid}/v2.0"
	op := newOP()
	op.metadata = set("issuer", template)
	if err := op.beginErr(t, op.provider(func(d *provider.OIDC) { d.MetadataIssuer = template })); err != nil {
		t.Error(err)
	}
	wantReason(t, op.beginErr(t, op.provider()), "discovery_issuer")
}

func TestDiscoveryInvalid(t *testing.T) {
	raw := func(body string) func(op *hostileOP) {
		return func(op *hostileOP) {
			op.intercept[wellKnown] = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
		}
	}
	member := func(name string, v any) func(op *hostileOP) {
		return func(op *hostileOP) { op.metadata = set(name, v) }
	}
	tests := []struct {
		name  string
		setup func(op *hostileOP)
		field string // that the error names
	}{
		{"html", raw("<html></html>"), ""},
		{"empty", raw(""), ""},
		{"truncated", raw(`{"issuer":"https://op.exam`), ""},
		{"list", raw(`[]`), ""},
		{"null", raw(`null`), ""},
		{"issuer_number", member("issuer", 1), "issuer"},
		{"authorization_endpoint_missing", member("authorization_endpoint", nil), "authorization_endpoint"},
		{"token_endpoint_missing", member("token_endpoint", nil), "token_endpoint"},
		{"jwks_uri_missing", member("jwks_uri", nil), "jwks_uri"},
		{"token_endpoint_number", member("token_endpoint", 5), "token_endpoint"},
		{"userinfo_endpoint_list", member("userinfo_endpoint", []int{}), "userinfo_endpoint"},
		{"http", member("token_endpoint", "http://op.example/token"), "token_endpoint"},
		{"javascript", member("authorization_endpoint", "javascript:alert(1)"), "authorization_endpoint"},
		{"file", member("jwks_uri", "file:///etc/passwd"), "jwks_uri"},
		{"relative", member("jwks_uri", "/jwks"), "jwks_uri"},
		{"no_scheme", member("userinfo_endpoint", "//op.example/u"), "userinfo_endpoint"},
		{"fragment", member("authorization_endpoint", opIssuer+"/a#x"), "authorization_endpoint"},
		{"empty_fragment", member("authorization_endpoint", opIssuer+"/a#"), "authorization_endpoint"},
		{"user_name", member("token_endpoint", "https://user:pw@op.example/token"), "token_endpoint"},
		{"loopback", member("jwks_uri", "https://127.0.0.1/jwks"), "jwks_uri"},
		{"loopback_http", member("userinfo_endpoint", "http://localhost:8080/admin"), "userinfo_endpoint"},
		{"end_session_http", member("end_session_endpoint", "http://op.example/bye"), "end_session_endpoint"},
		{"revocation_http", member("revocation_endpoint", "http://op.example/revoke"), "revocation_endpoint"},
		{"pkce_plain_only", member("code_challenge_methods_supported", []string{"plain"}), "code_challenge_methods_supported"},
		{"pkce_none", member("code_challenge_methods_supported", []string{}), "code_challenge_methods_supported"},
		{"pkce_text", member("code_challenge_methods_supported", "S256"), "code_challenge_methods_supported"},
		{"algs_only_none_and_hs256", member("id_token_signing_alg_values_supported", []string{"none", "HS256"}), "id_token_signing_alg_values_supported"},
		{"algs_numbers", member("id_token_signing_alg_values_supported", []int{1}), "id_token_signing_alg_values_supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			tt.setup(op)
			err := op.beginErr(t, op.provider())
			wantReason(t, err, "discovery_invalid")
			if err != nil && !strings.Contains(err.Error(), tt.field) {
				t.Errorf("got %v, want the field %s named", err, tt.field)
			}
		})
	}
}

// Without PKCE by the definition's own word, plain alone is no obstacle, and is
// not used either.
func TestPlainIsNeverUsed(t *testing.T) {
	op := newOP()
	op.metadata = set("code_challenge_methods_supported", []string{"plain"})
	_, to := op.begin(t, op.provider(func(d *provider.OIDC) { d.NoPKCE = true }), provider.Request{})
	if strings.Contains(to.URL, "code_challenge") {
		t.Errorf("got %s, want no code_challenge", to.URL)
	}
	op.metadata = drop("code_challenge_methods_supported")
	_, to = op.begin(t, op.provider(), provider.Request{})
	if !strings.Contains(to.URL, "code_challenge_method=S256") {
		t.Errorf("got %s, want S256 where metadata says nothing", to.URL)
	}
}

// What metadata offers is never more than the library's own list.
func TestAlgorithmsAreNotWidenedByMetadata(t *testing.T) {
	op := newOP()
	op.metadata = set("id_token_signing_alg_values_supported", []string{"none", "HS256", "RS256", "ES256K", "XS256"})
	for _, alg := range []string{"none", "HS256", "ES256K", "XS256", "ES256"} {
		op.rawToken = resign(alg, nil, nil)
		_, _, err := op.login(t, op.provider())
		wantReason(t, err, "id_token_alg")
	}
	op.rawToken = nil
	op.mustLogin(t, op.provider())
}

// What comes with an error status is not metadata, even if it looks like it.
func TestDiscoveryStatus(t *testing.T) {
	for _, status := range []int{201, 204, 400, 401, 404, 429, 500} {
		op := newOP()
		op.intercept[wellKnown] = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			writeJSON(w, op.meta())
		}
		wantReason(t, op.beginErr(t, op.provider()), "discovery_unavailable")
	}
}

func TestDiscoveryOversized(t *testing.T) {
	op := newOP()
	op.metadata = set("x", strings.Repeat("x", 5<<20))
	wantReason(t, op.beginErr(t, op.provider()), "discovery_unavailable")
}

func TestDiscoveryRedirectIsRefused(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		for _, to := range []string{"https://evil.example/conf", opIssuer + "/conf"} {
			op := newOP()
			op.intercept[wellKnown] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) }
			wantReason(t, op.beginErr(t, op.provider()), "discovery_unavailable")
			if op.count("/conf") != 0 {
				t.Errorf("%d to %s was followed", status, to)
			}
		}
	}
}

// A service that is down when the first person comes is tried again, at growing
// intervals, and people are told at once meanwhile.
func TestDiscoveryBackoff(t *testing.T) {
	op := newOP()
	op.intercept[wellKnown] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	p := op.provider()
	requests := 0
	for _, step := range []struct {
		wait time.Duration
		asks bool
	}{
		{0, true}, {0, false}, {3 * time.Second, false}, {2 * time.Second, true},
		{7 * time.Second, false}, {3 * time.Second, true},
		{14 * time.Second, false}, {6 * time.Second, true},
		{29 * time.Second, false}, {11 * time.Second, true},
		{44 * time.Second, false}, {16 * time.Second, true},
		{44 * time.Second, false}, {16 * time.Second, true},
	} {
		op.clock.add(step.wait)
		if step.asks {
			requests++
		}
		for range 3 {
			err := op.beginErr(t, p)
			wantReason(t, err, "discovery_unavailable")
			if !errors.Is(err, provider.ErrUnavailable) {
				t.Errorf("got %v, want one that wraps ErrUnavailable", err)
			}
		}
		if got := op.count(wellKnown); got != requests {
			t.Fatalf("%v later: got %d requests, want %d", step.wait, got, requests)
		}
	}
	delete(op.intercept, wellKnown)
	op.clock.add(time.Minute)
	op.mustLogin(t, p)
}

// Metadata is renewed each hour; the last good copy is used for a day.
func TestDiscoveryGrowsOld(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.clock.add(59 * time.Minute)
	op.mustLogin(t, p)
	if got := op.count(wellKnown); got != 1 {
		t.Errorf("got %d requests in the first hour, want 1", got)
	}
	op.metadata = set("token_endpoint", opIssuer+"/token2")
	op.intercept["/token2"] = op.token
	op.clock.add(time.Minute)
	op.mustLogin(t, p)
	if op.count("/token2") != 1 {
		t.Error("new metadata was not used after an hour")
	}
	op.metadata = set("issuer", "https://evil.example")
	op.clock.add(23*time.Hour + 59*time.Minute)
	op.mustLogin(t, p)
	op.clock.add(time.Minute)
	wantReason(t, op.beginErr(t, p), "discovery_issuer")
}

// A clock that is put back neither makes metadata old nor locks anyone out.
func TestDiscoveryClockPutBack(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.clock.add(-48 * time.Hour)
	op.mustLogin(t, p)

	op = newOP()
	op.intercept[wellKnown] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	p = op.provider()
	wantReason(t, op.beginErr(t, p), "discovery_unavailable")
	delete(op.intercept, wellKnown)
	op.clock.add(-48 * time.Hour)
	op.mustLogin(t, p)
}

// The first caller may go away; the metadata still arrives for the others.
func TestDiscoveryHerd(t *testing.T) {
	op := newOP()
	p := op.provider()
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	op.intercept[wellKnown] = func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(arrived) })
		<-release
		writeJSON(w, op.meta())
	}
	begin := func(ctx context.Context) error {
		_, err := p.Begin(ctx, provider.Request{State: "s", CallbackURL: "https://app.example/cb"})
		return err
	}
	first, cancel := context.WithCancel(t.Context())
	firstDone := make(chan error, 1)
	go func() { firstDone <- begin(first) }()
	<-arrived
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := begin(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	if err := <-firstDone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's own cancellation", err)
	}
	close(release)
	all.Wait()
	if got := op.count(wellKnown); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}
