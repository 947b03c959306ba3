package providertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

// A trial is one test of one rule.
type trial struct {
	testing.TB
	effort
	srv  *Server
	make func() provider.Provider // makes another one like p
	p    provider.Provider
}

// person is someone with that number. Numbers of people who are not the same
// differ at their end, lest a Provider that cuts them gets away with it.
func person(number int) map[string]any {
	handle := fmt.Sprintf("person%d", number)
	return map[string]any{
		"sub":                fmt.Sprint(700000000000 + number),
		"name":               fmt.Sprintf("Person %d", number),
		"given_name":         "Person",
		"family_name":        fmt.Sprint(number),
		"preferred_username": handle,
		"email":              handle + "@example.test",
		"email_verified":     true,
		"picture":            "https://pictures.example.test/" + handle + ".png",
		"profile":            "https://people.example.test/" + handle,
		"locale":             "en-GB",
	}
}

// with returns a copy of p with another claim.
func with(p map[string]any, claim string, value any) map[string]any {
	c := maps.Clone(p)
	c[claim] = value
	return c
}

// without returns a copy of p that lacks claims.
func without(p map[string]any, claims ...string) map[string]any {
	c := maps.Clone(p)
	for _, claim := range claims {
		delete(c, claim)
	}
	return c
}

// request is what an app asks for, with a state of its own each time.
func (c *trial) request() provider.Request {
	return provider.Request{State: "state-" + rand.Text(), CallbackURL: callbackURL}
}

const callbackURL = "https://app.example.test/auth/callback/one"

func (c *trial) begin(p provider.Provider, req provider.Request) provider.Redirect {
	c.Helper()
	rd, err := p.Begin(c.Context(), req)
	if err != nil {
		c.Fatalf("Begin: %v", err)
	}
	return rd
}

// consent sends the person to the service and returns with what it says.
func (c *trial) consent(rd provider.Redirect, who map[string]any) back {
	c.Helper()
	b, err := c.srv.browse(rd.URL, visitor{profile: who, chosen: true})
	if err != nil {
		c.Fatalf("the service did not take the URL that Begin returned: %v", err)
	}
	return b
}

// refusal sends a person to the service who says no.
func (c *trial) refusal(rd provider.Redirect) back {
	c.Helper()
	b, err := c.srv.browse(rd.URL, visitor{deny: true})
	if err != nil {
		c.Fatalf("the service did not take the URL that Begin returned: %v", err)
	}
	return b
}

func (c *trial) callback(req provider.Request, memo string, params url.Values) provider.Callback {
	c.Helper()
	cb, err := provider.NewCallback(req, memo, params)
	if err != nil {
		c.Fatalf("the callback is not of this login: %v", err)
	}
	return cb
}

// arrive does all of a login up to Complete.
func (c *trial) arrive(p provider.Provider, who map[string]any, scopes ...string) provider.Callback {
	c.Helper()
	req := c.request()
	req.Scopes = scopes
	rd := c.begin(p, req)
	return c.callback(req, rd.Memo, c.consent(rd, who).params)
}

// login is a whole login.
func (c *trial) login(p provider.Provider, who map[string]any, scopes ...string) (provider.Identity, provider.Token) {
	c.Helper()
	id, tok, err := p.Complete(c.Context(), c.arrive(p, who, scopes...))
	if err != nil {
		c.Fatalf("Complete: %v", err)
	}
	return id, tok
}

// fails completes a login that must fail, and returns the error.
func (c *trial) fails(p provider.Provider, cb provider.Callback, why string) error {
	c.Helper()
	id, _, err := p.Complete(c.Context(), cb)
	if err == nil {
		c.Errorf("%s: Complete returned no error and the identity %q, want an error", why, id.Subject)
		return nil
	}
	return err
}

// bound reports whether the service can tell that a callback belongs to another
// login: by PKCE, a nonce or a request token.
func bound(rd provider.Redirect) bool {
	u, err := url.Parse(rd.URL)
	if err != nil {
		return false
	}
	q := u.Query()
	return q.Has("code_challenge") || q.Has("nonce") || q.Has("oauth_token")
}

// find returns p, or what it wraps, as a T.
func find[T any](p provider.Provider) (T, bool) {
	for p != nil {
		if t, ok := p.(T); ok {
			return t, true
		}
		w, ok := p.(interface{ Unwrap() provider.Provider })
		if !ok {
			break
		}
		p = w.Unwrap()
	}
	var none T
	return none, false
}

// unsupported skips the test if a Provider says that the service lacks what is
// tested.
func (c *trial) unsupported(err error) {
	c.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		c.Skip("the provider says that the service does not support it")
	}
}

// fault answers requests in place of the service's endpoints, until it is nil.
func (c *trial) fault(f func(r *request, w http.ResponseWriter) bool) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.srv.faults = f
}

// broken answers requests to the endpoints with a status and a body.
func broken(status int, body string, endpoints ...string) func(*request, http.ResponseWriter) bool {
	return func(r *request, w http.ResponseWriter) bool {
		for _, endpoint := range endpoints {
			if r.endpoint == endpoint {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				w.Write([]byte(body))
				return true
			}
		}
		return false
	}
}

// requests is how many requests of any kind the service has had.
func (c *trial) requests() int {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	n := 0
	for _, count := range c.srv.requests {
		n += count
	}
	return n
}

// secrets are all that no error may hold: what the service gave out, and what
// the app keeps.
func (c *trial) secrets(cbs ...provider.Callback) []string {
	c.srv.mu.Lock()
	all := append([]string{ClientSecret, url.QueryEscape(ClientSecret)}, c.srv.given...)
	c.srv.mu.Unlock()
	for _, cb := range cbs {
		all = append(all, cb.Param("state"))
		// A memo may hold several things, such as a verifier and a nonce.
		for _, part := range strings.FieldsFunc(cb.Memo(), func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r)
		}) {
			if len(part) >= 16 {
				all = append(all, part)
			}
		}
	}
	return all
}

// seen returns the requests to a host that hold the text.
func (c *trial) seen(host, text string) int {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	n := 0
	for _, s := range c.srv.saw {
		if s.host == host && strings.Contains(s.text, text) {
			n++
		}
	}
	return n
}

// soon reports whether done is closed while anyone has patience.
func (c *trial) soon(done <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// homely reports whether a URL is https, or http on this machine, and names no
// user.
func homely(u *url.URL) bool {
	return u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}
