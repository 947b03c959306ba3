package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// A variant is a service that answers otherwise, and what then is expected.
// Set and Remove name places such as "profile:body.email", "emails:status",
// "claims:iss", "callback:user" or "discovery:issuer".
type variant struct {
	Name     string
	Set      map[string]any
	Remove   []string
	Trusted  bool           // provider.WithTrustedEmails is given
	Identity map[string]any // members that differ from identity.json
	Token    map[string]any // members that differ
	Alg      string         // by which ID tokens are signed, if not RS256
	Error    string         // provider.Error.Op, or several parted by "|"
	Denied   bool
	Down     bool // provider.ErrUnavailable is expected
}

// A fixture is testdata/<id>.
type fixture struct {
	login, profile, identity map[string]any
}

func readFixture(t *testing.T, dir string) fixture {
	t.Helper()
	var f fixture
	for name, to := range map[string]*map[string]any{"login": &f.login, "profile": &f.profile, "identity": &f.identity} {
		data, err := os.ReadFile(filepath.Join("testdata", dir, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		decode(t, data, to)
	}
	return f
}

// script returns the login as v changes it.
func (f fixture) script(t *testing.T, v variant) script {
	t.Helper()
	doc := clone(t, f.login)
	for _, c := range doc["calls"].([]any) {
		if a := c.(map[string]any)["answer"].(map[string]any); a["body"] == "{profile}" {
			a["body"] = clone(t, f.profile)
		}
	}
	for place, value := range v.Set {
		change(t, doc, place, value, false)
	}
	for _, place := range v.Remove {
		change(t, doc, place, nil, true)
	}
	var s script
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, data, &s)
	s.alg = v.Alg
	return s
}

func (f fixture) variants(t *testing.T) []variant { return f.script(t, variant{}).Variants }

func clone(t *testing.T, m map[string]any) map[string]any {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	decode(t, data, &out)
	return out
}

// change sets or removes what is at place.
func change(t *testing.T, doc map[string]any, place string, value any, remove bool) {
	t.Helper()
	name, path, _ := strings.Cut(place, ":")
	var at any
	switch name {
	case "claims", "callback":
		at = doc[name]
	case "discovery":
		for _, d := range doc["documents"].(map[string]any) {
			at = d
		}
	default:
		for _, c := range doc["calls"].([]any) {
			if c.(map[string]any)["name"] == name {
				at = c.(map[string]any)["answer"]
			}
		}
	}
	keys := []string{path}
	if name != "claims" {
		keys = strings.Split(path, ".")
	}
	for i, key := range keys {
		last := i == len(keys)-1
		switch x := at.(type) {
		case map[string]any:
			if !last {
				at = x[key]
			} else if remove {
				if _, ok := x[key]; !ok {
					t.Fatalf("%s: nothing to remove", place)
				}
				delete(x, key)
			} else {
				x[key] = value
			}
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n >= len(x) {
				t.Fatalf("%s: no such place", place)
			}
			if last {
				x[n] = value
			}
			at = x[n]
		default:
			t.Fatalf("%s: no such place", place)
		}
	}
}

// logIn logs in at a service that follows the script.
func logIn(t *testing.T, e entry, s script, opts ...provider.Option) (*service, provider.Provider, provider.Identity, provider.Token, error) {
	t.Helper()
	srv := newService(t, s)
	p := e.new(clientID, clientSecret, append(opts, client(srv))...)
	req := provider.Request{State: stateValue, CallbackURL: redirectURI}
	to, err := p.Begin(context.Background(), req)
	if err != nil {
		return srv, p, provider.Identity{}, provider.Token{}, err
	}
	srv.begun(to.URL, nil)
	params := url.Values{"state": {stateValue}}
	for name, value := range s.Callback {
		params.Set(name, srv.fill(value))
	}
	cb, err := provider.NewCallback(req, to.Memo, params)
	if err != nil {
		t.Fatal(err)
	}
	id, tok, err := p.Complete(context.Background(), cb)
	if err == nil && srv.next != len(srv.script.Calls) {
		t.Errorf("%d of %d requests were made", srv.next, len(srv.script.Calls))
	}
	return srv, p, id, tok, err
}

// TestLogin logs in with each entry at a service that gives the service's own
// answers and expects what the service expects.
func TestLogin(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			t.Parallel()
			f := readFixture(t, e.dir)
			for _, v := range append([]variant{{Name: "as usual"}}, f.variants(t)...) {
				t.Run(v.Name, func(t *testing.T) { testVariant(t, e, f, v) })
			}
		})
	}
}

func testVariant(t *testing.T, e entry, f fixture, v variant) {
	s := f.script(t, v)
	var opts []provider.Option
	if v.Trusted {
		opts = append(opts, provider.WithTrustedEmails())
	}
	_, _, id, tok, err := logIn(t, e, s, opts...)
	if v.Error != "" {
		checkFailure(t, s, err, v)
		if id.Subject != "" || tok.AccessToken != "" {
			t.Errorf("an identity or a token beside the error")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := clone(t, f.identity)
	for name, value := range v.Identity {
		want[name] = value
	}
	checkIdentity(t, id, want)
	var raw map[string]any
	decode(t, id.Raw, &raw)
	if profile := profileOf(s, f); !contains(raw, profile) {
		t.Errorf("Raw: got %s, want all of %v", id.Raw, profile)
	}
	checkToken(t, tok, s.Token, v.Token)
}

// profileOf returns the members of the profile that the script answers with.
func profileOf(s script, f fixture) map[string]any {
	for _, c := range s.Calls {
		if body, ok := c.Answer.Body.(map[string]any); ok && c.Name == "profile" {
			return body
		}
	}
	profile := map[string]any{}
	for name := range f.profile {
		if value, ok := s.Claims[name]; ok {
			profile[name] = value
		}
	}
	return profile
}

func checkIdentity(t *testing.T, id provider.Identity, want map[string]any) {
	t.Helper()
	got := map[string]any{}
	v := reflect.ValueOf(id)
	for i := range v.NumField() {
		switch x := v.Field(i).Interface().(type) {
		case string:
			got[v.Type().Field(i).Name] = x
		case bool:
			got[v.Type().Field(i).Name] = x
		}
	}
	for name := range got {
		w, ok := want[name]
		if !ok {
			w = reflect.Zero(reflect.TypeOf(got[name])).Interface()
		}
		if got[name] != w {
			t.Errorf("Identity.%s: got %v, want %v", name, got[name], w)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("identity.json: Identity has no %s", name)
		}
	}
}

func checkToken(t *testing.T, tok provider.Token, want wantToken, differ map[string]any) {
	t.Helper()
	if r, ok := differ["RefreshToken"]; ok {
		want.RefreshToken = r.(string)
	}
	kind := want.Type
	if kind == "" {
		kind = "Bearer"
	}
	if tok.AccessToken != want.AccessToken || tok.RefreshToken != want.RefreshToken || tok.Secret != want.Secret {
		t.Errorf("token: got %q %q %q, want %q %q %q", tok.AccessToken, tok.RefreshToken, tok.Secret, want.AccessToken, want.RefreshToken, want.Secret)
	}
	if tok.Type != "" && !strings.EqualFold(tok.Type, kind) {
		t.Errorf("Token.Type: got %q, want %q", tok.Type, kind)
	}
	if want.Scopes != nil && !slices.Equal(tok.Scopes, want.Scopes) {
		t.Errorf("Token.Scopes: got %q, want %q", tok.Scopes, want.Scopes)
	}
	if want.Expires != tok.Expiry.After(time.Now()) {
		t.Errorf("Token.Expiry: got %v, want one: %v", tok.Expiry, want.Expires)
	}
}

func checkFailure(t *testing.T, s script, err error, v variant) {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want a *provider.Error", err)
	}
	if !slices.Contains(strings.Split(v.Error, "|"), e.Op) {
		t.Errorf("Error.Op: got %q, want %q: %v", e.Op, v.Error, err)
	}
	if v.Denied != errors.Is(err, provider.ErrDenied) {
		t.Errorf("denied: got %v, want %v: %v", !v.Denied, v.Denied, err)
	}
	if v.Down != errors.Is(err, provider.ErrUnavailable) {
		t.Errorf("unavailable: got %v, want %v: %v", !v.Down, v.Down, err)
	}
	for _, secret := range []string{clientSecret, s.Token.AccessToken, s.Token.RefreshToken, s.Callback["code"], stateValue} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}
