package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Clienter makes its own authorized client, as OAuth 1.0a must.
// For any other Provider, [Client] sends the token as a bearer token.
type Clienter interface {
	Provider

	// Client returns a client that sends tok with every request, under the
	// rules of the function [Client].
	Client(ctx context.Context, tok Token) *http.Client
}

// The functions below ask p itself, then what its method Unwrap() Provider
// returns, so that a Provider that wraps another loses none of its abilities.

// find returns the first of p and what it wraps that can do what T says.
func find[T any](p Provider) (T, bool) {
	// A chain that bites its own tail must not hang the program.
	for range 100 {
		if t, ok := p.(T); ok {
			return t, true
		}
		w, ok := p.(interface{ Unwrap() Provider })
		if !ok {
			break
		}
		if p = w.Unwrap(); p == nil {
			break
		}
	}
	var none T
	return none, false
}

// Check returns every mistake that p knows of in itself.
func Check(p Provider) error {
	c, ok := find[Checker](p)
	if !ok {
		return nil
	}
	return c.Check()
}

// Refresh renews tok. If p is no [Refresher], the error is
// [errors.ErrUnsupported].
func Refresh(ctx context.Context, p Provider, tok Token) (Token, error) {
	r, ok := find[Refresher](p)
	if !ok {
		return Token{}, fmt.Errorf("provider %s: refresh: %w", p.Info().ID, errors.ErrUnsupported)
	}
	return r.Refresh(ctx, tok)
}

// Revoke withdraws tok. If p is no [Revoker], the error is
// [errors.ErrUnsupported].
func Revoke(ctx context.Context, p Provider, tok Token) error {
	r, ok := find[Revoker](p)
	if !ok {
		return fmt.Errorf("provider %s: revoke: %w", p.Info().ID, errors.ErrUnsupported)
	}
	return r.Revoke(ctx, tok)
}

// LogoutURL returns the page that ends the person's session at the service. If
// p is no [LogoutURLer], the error is [errors.ErrUnsupported].
func LogoutURL(ctx context.Context, p Provider, tok Token, returnTo, state string) (string, error) {
	l, ok := find[LogoutURLer](p)
	if !ok {
		return "", fmt.Errorf("provider %s: logout: %w", p.Info().ID, errors.ErrUnsupported)
	}
	return l.LogoutURL(ctx, tok, returnTo, state)
}

// VerifyLogout checks a logout token. If p is no [LogoutVerifier], the error is
// [errors.ErrUnsupported].
func VerifyLogout(ctx context.Context, p Provider, token string) (Logout, error) {
	l, ok := find[LogoutVerifier](p)
	if !ok {
		return Logout{}, fmt.Errorf("provider %s: logout: %w", p.Info().ID, errors.ErrUnsupported)
	}
	return l.VerifyLogout(ctx, token)
}

// VerifiesLogout reports whether [VerifyLogout] has a [LogoutVerifier] to ask,
// without asking it. A login with any other Provider need not look whether the
// service has ended it meanwhile.
func VerifiesLogout(p Provider) bool {
	_, ok := find[LogoutVerifier](p)
	return ok
}

// Client returns a client that sends tok with every request. It does not
// renew tok: package middleware does, because it can store the new one.
//
// The client puts Info.API before a URL without a host, such as "/user". It
// sends over https only, or to a loopback address; if Info.API is set, to its
// host and to Info.Hosts only; and it follows a redirect only of a GET or HEAD,
// within one origin. Anything else is an error before a byte is sent. A
// response is cut off with an error at ten megabytes, and after ten seconds
// unless [WithHTTPClient] says otherwise.
func Client(ctx context.Context, p Provider, tok Token) *http.Client {
	if c, ok := find[Clienter](p); ok {
		return c.Client(ctx, tok)
	}
	// Such a client may be made for each request, and nobody closes it.
	base := newTransport(nil)
	base.IdleConnTimeout = 5 * time.Second
	return bearerClient(p.Info(), newHTTPClient(options{client: &http.Client{Transport: unshared{base}}}), tok)
}

// unshared keeps newHTTPClient from copying the transport.
type unshared struct{ http.RoundTripper }

// bearerClient returns a client over c's transport that sends tok as the rules
// of [Client] say.
func bearerClient(info Info, c *http.Client, tok Token) *http.Client {
	return guardedClient(info, c, func(base http.RoundTripper) http.RoundTripper {
		return &bearer{base: base, value: tok.scheme() + " " + tok.AccessToken}
	})
}

// guardedClient returns a client that sends through what with returns, where
// the rules of [Client] allow it.
func guardedClient(info Info, c *http.Client, with func(http.RoundTripper) http.RoundTripper) *http.Client {
	h := &homebound{next: with(apiTransport(c))}
	h.api, _ = url.Parse(strings.TrimSuffix(info.API, "/"))
	if info.API != "" && h.api != nil {
		h.hosts = []string{hostPort(h.api)}
		for _, host := range info.Hosts {
			h.hosts = append(h.hosts, hostPort(&url.URL{Scheme: "https", Host: host}))
		}
	}
	return &http.Client{Transport: h, Timeout: c.Timeout, CheckRedirect: h.checkRedirect}
}

// apiTransport returns c's transport with more room for answers and slots of its
// own, so that an app's requests do not hold up logins.
func apiTransport(c *http.Client) http.RoundTripper {
	l, ok := c.Transport.(*limits)
	if !ok {
		return c.Transport
	}
	return &limits{base: l.base, slots: l.apiSlots, apiSlots: l.apiSlots, max: maxAPIBody}
}

// homebound lets requests through to where the token belongs.
type homebound struct {
	next  http.RoundTripper
	api   *url.URL
	hosts []string // nil if any will do
}

func (h *homebound) RoundTrip(req *http.Request) (*http.Response, error) {
	u, err := h.resolve(req.URL)
	if err == nil {
		err = h.allow(u)
	}
	if err != nil {
		closeBody(req)
		return nil, err
	}
	out := req.Clone(req.Context())
	out.URL, out.Host = u, ""
	return h.next.RoundTrip(out)
}

// resolve puts the API's URL before one without a host.
func (h *homebound) resolve(u *url.URL) (*url.URL, error) {
	if u.Host != "" || u.Scheme != "" {
		return u, nil
	}
	if h.api == nil || h.api.Host == "" {
		return nil, errNoHost
	}
	s := h.api.String() + "/" + strings.TrimPrefix(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		s += "?" + u.RawQuery
	}
	return url.Parse(s)
}

func (h *homebound) allow(u *url.URL) error {
	if err := checkHTTPS(u); err != nil {
		return err
	}
	if u.User != nil || h.hosts != nil && !slices.Contains(h.hosts, hostPort(u)) {
		return errForeignHost
	}
	return nil
}

func (h *homebound) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 || req.Method != http.MethodGet && req.Method != http.MethodHead || via[0].Method != req.Method {
		return errRedirect
	}
	from, err := h.resolve(via[len(via)-1].URL)
	if err != nil {
		return err
	}
	to, err := h.resolve(req.URL)
	if err != nil {
		return err
	}
	if from.Scheme != to.Scheme || hostPort(from) != hostPort(to) {
		return errRedirect
	}
	return nil
}

// bearer adds the token, to a request that homebound has copied.
type bearer struct {
	base  http.RoundTripper
	value string
}

func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", b.value)
	return b.base.RoundTrip(req)
}
