package catalog_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
)

// TestContract runs the contract of provider.Provider over each entry, at a
// server that stands in for the service's hosts and answers in its shapes.
func TestContract(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			f := readFixture(t, e.dir)
			providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
				f.impersonate(t, srv)
				return e.new(providertest.ClientID, providertest.ClientSecret,
					provider.WithHTTPClient(&http.Client{Transport: srv.Transport()}))
			})
		})
	}
}

// impersonate makes srv answer as the service of the fixture does, about whoever
// logs in.
func (f fixture) impersonate(t *testing.T, srv *providertest.Server) {
	s := f.script(t, variant{})
	srv.Claims = func(claims map[string]any) {
		for name, value := range f.about(s.Claims, map[string]any{"sub": claims["sub"]}).(map[string]any) {
			_, there := claims[name]
			made, _ := value.(string)
			// The server takes a host for an issuer. Auth0's end in a slash, and
			// Microsoft has one for each tenant.
			if !there && !strings.HasPrefix(made, "{") || name == "iss" {
				claims[name] = value
			}
		}
		if s.Claims["nonce"] == nil {
			delete(claims, "nonce")
		}
	}
	srv.Alter = func(a *providertest.Answer) {
		switch body := a.Body.(type) {
		case url.Values:
			if body.Has("code") {
				for name, value := range s.Callback {
					if !body.Has(name) {
						body.Set(name, value)
					}
				}
			}
		case map[string]any:
			switch {
			case a.Endpoint == "discovery":
				for _, doc := range s.Documents {
					a.Body = doc
				}
			case a.Endpoint == "token" && body["error"] == "invalid_grant" && s.Withdrawn != nil:
				a.Status, a.Body = s.Withdrawn.Status, s.Withdrawn.Body
			case a.Endpoint == "token" && s.Token.RefreshToken == "":
				delete(body, "refresh_token")
			}
			if a.Status != http.StatusOK || a.Person == nil {
				return
			}
			for _, c := range s.Calls {
				u, err := url.Parse(c.Request.URL)
				answer := c.Answer.Body
				if err != nil || u.Host != a.Request.Host || u.EscapedPath() != a.Request.URL.EscapedPath() {
					continue
				}
				about := f.about(answer, a.Person)
				if a.Endpoint == "userinfo" {
					a.Body = about
				} else if more, ok := about.(map[string]any); ok && a.Endpoint == "token" {
					for _, own := range []string{"access_token", "refresh_token", "expires_in", "id_token", "scope", "scopes", "token_type"} {
						delete(more, own)
					}
					maps.Copy(body, more)
				}
			}
		}
	}
}

// about returns a copy of what the fixture says of its person, said of another.
func (f fixture) about(v any, person map[string]any) any {
	text := func(claim string) string { s, _ := person[claim].(string); return s }
	said := map[string]string{}
	for member, claim := range map[string]string{
		"Username": "preferred_username", "Name": "name", "Email": "email", "AvatarURL": "picture", "ProfileURL": "profile", "Subject": "sub",
	} {
		if s, ok := f.identity[member].(string); ok && text(claim) != "" {
			said[s] = text(claim)
			if _, last, ok := strings.Cut(s, "/"); ok && member == "Subject" {
				said[last] = text(claim) // the person's half of tenant and person
			}
		}
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch x := v.(type) {
		case string:
			if s, ok := said[x]; ok {
				return s
			}
		case json.Number:
			if s, ok := said[x.String()]; ok {
				return json.Number(s)
			}
		case []any:
			var out []any
			for _, e := range x {
				out = append(out, walk(e))
			}
			return out
		case map[string]any:
			out := map[string]any{}
			for name, e := range x {
				out[name] = walk(e)
			}
			return out
		}
		return v
	}
	return walk(v)
}
