package provider_test

import (
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

func eitherEngine() map[string]provider.Provider {
	const page = "https://op.example/authorize"
	info := provider.Info{ID: "op", Name: "OP"}
	return map[string]provider.Provider{
		"OAuth2": provider.OAuth2{
			Info: info, Endpoint: oauth2.Endpoint{AuthURL: page, TokenURL: "https://op.example/token"}, Scopes: []string{"openid", "a"},
			Params: url.Values{"own": {"1"}}, UserURL: "https://op.example/me", Fields: provider.Fields{Subject: "id"},
		}.New("client", "secret"),
		"OIDC": provider.OIDC{
			Info: info, Issuer: "https://op.example", Endpoint: oauth2.Endpoint{AuthURL: page, TokenURL: "https://op.example/token"},
			KeysURL: "https://op.example/keys", Scopes: []string{"a"}, Params: url.Values{"own": {"1"}},
		}.New("client", "secret"),
	}
}

// Logins of one provider that differ in what they ask for, in turn and at once:
// none gets what another asked for.
func TestAuthorizationURLIsOfItsOwnLogin(t *testing.T) {
	every := ""
	for c := 1; c < 256; c++ {
		every += string([]byte{byte(c)})
	}
	requests := []provider.Request{
		{State: "one", CallbackURL: "https://app.example/back"},
		{State: "two", CallbackURL: "https://app.example/back"},
		{State: every, CallbackURL: "https://other.example/back?x=" + url.QueryEscape(every)},
		{State: "four", CallbackURL: "https://app.example/back", Scopes: []string{"b"}},
		{State: "five", CallbackURL: "https://app.example/back", Params: url.Values{"own": {"2"}, "more": {"a b"}, "state": {"forged"}, "nonce": {"forged"}, "redirect_uri": {"https://evil.example"}}},
		{State: "six", CallbackURL: "https://app.example/back"},
	}
	for name, p := range eitherEngine() {
		seen := make(map[string]bool)
		judge := func(req provider.Request) {
			to, err := p.Begin(t.Context(), req)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			u, err := url.Parse(to.URL)
			if err != nil || strings.ContainsFunc(to.URL, func(c rune) bool { return c <= ' ' || c > '~' }) {
				t.Errorf("%s: got %q, %v", name, to.URL, err)
				return
			}
			// What needs no escape has none, as RFC 3986 section 2.3 asks.
			for _, plain := range []string{"-.", "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "_", "abcdefghijklmnopqrstuvwxyz", "~"} {
				if _, state, _ := strings.Cut(u.RawQuery, "&state="); req.State == every && !strings.Contains(state, plain) {
					t.Errorf("%s: got %q, want %q in it", name, state, plain)
				}
			}
			q := u.Query()
			for _, once := range []string{"code_challenge", "nonce"} {
				if v := q.Get(once); v != "" && seen[v] {
					t.Errorf("%s: got %s of another login", name, once)
				} else if v != "" {
					seen[v] = true
				}
			}
			if len(q["nonce"]) > 1 || (q.Get("nonce") != "") != (name == "OIDC") || !strings.Contains(to.Memo, q.Get("nonce")) || q.Get("code_challenge") == "" {
				t.Errorf("%s: got nonces %q", name, q["nonce"])
			}
			want := url.Values{
				"response_type": {"code"}, "client_id": {"client"}, "redirect_uri": {req.CallbackURL}, "state": {req.State},
				"scope": {strings.Join(append([]string{"openid", "a"}, req.Scopes...), " ")}, "own": {"1"}, "code_challenge_method": {"S256"},
			}
			if req.Params != nil {
				want["own"], want["more"] = req.Params["own"], req.Params["more"]
			}
			q.Del("code_challenge")
			q.Del("nonce")
			if !reflect.DeepEqual(q, want) {
				t.Errorf("%s: got %v, want %v", name, q, want)
			}
		}
		for range 2 {
			for _, req := range requests {
				judge(req)
			}
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				req := requests[i%len(requests)]
				to, err := p.Begin(t.Context(), req)
				u, _ := url.Parse(to.URL)
				mu.Lock()
				defer mu.Unlock()
				if err != nil || u == nil || u.Query().Get("state") != req.State || u.Query().Get("redirect_uri") != req.CallbackURL {
					t.Errorf("%s: got %q, %v", name, to.URL, err)
				}
			})
		}
		wg.Wait()
	}
}

// Check reports a parameter of the protocol's own, of the definition or an option.
// Who does not ask it has none that stands twice, nor one in place of ours.
func TestDefinitionAndOptionsSetNothingOfTheProtocol(t *testing.T) {
	evil := url.Values{"state": {"evil"}, "nonce": {"evil"}, "response_mode": {"query"}, "response_type": {"token"}, "own": {"1"}}
	p := provider.OIDC{
		Info: provider.Info{ID: "op", Name: "OP"}, Issuer: "https://op.example", KeysURL: "https://op.example/keys", PostsBack: true, Params: evil,
		Endpoint: oauth2.Endpoint{AuthURL: "https://op.example/authorize?tenant=1", TokenURL: "https://op.example/token"},
	}.New("client", "secret", provider.WithParam("code_challenge", "evil"), provider.WithParam("own", "2"))
	if provider.Check(p) == nil {
		t.Error("Check says nothing of them")
	}
	for range 2 {
		to, err := p.Begin(t.Context(), provider.Request{State: "ours", CallbackURL: "https://app.example/back"})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(to.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for name, values := range q {
			if len(values) != 1 || values[0] == "evil" {
				t.Errorf("%s: got %q", name, values)
			}
		}
		if q.Get("state") != "ours" || q.Get("response_mode") != "form_post" || q.Get("response_type") != "code" || q.Get("own") != "2" || q.Get("tenant") != "1" {
			t.Errorf("got %v", q)
		}
	}
}

// A server may move its page; where people are sent follows its metadata.
func TestAuthorizationURLFollowsMetadata(t *testing.T) {
	op := newOP()
	p := op.provider()
	for _, page := range []string{opIssuer + "/authorize", opIssuer + "/authorize2"} {
		op.metadata = set("authorization_endpoint", page)
		op.clock.add(time.Hour)
		to, err := p.Begin(t.Context(), provider.Request{State: "state", CallbackURL: "https://app.example/back"})
		if err != nil || !strings.HasPrefix(to.URL, page+"?") {
			t.Errorf("got %.60q, %v", to.URL, err)
		}
	}
}
