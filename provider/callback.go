package provider

import (
	"crypto/subtle"
	"fmt"
	"net/url"
)

// single lists the parameters that a callback may carry once at most. A service
// and the app must not read two different ones (RFC 6749 section 3.1).
var single = [...]string{
	"state", "code", "iss", "error", "error_description", "error_uri",
	"oauth_token", "oauth_verifier", "denied", "user", "id_token", "response",
}

// A Callback is what came back from the service for one login. Only
// [NewCallback] makes one, so that no Complete runs before the state is
// compared.
type Callback struct {
	params    url.Values
	url, memo string
}

// NewCallback compares the state in params, the query or the posted form, with
// the one in req, and returns [ErrState] if they differ, are empty, or if a
// parameter of the protocol is given twice. Req and memo are those of the
// login's Begin. The Callback keeps a copy of params.
func NewCallback(req Request, memo string, params url.Values) (Callback, error) {
	for _, name := range single {
		if len(params[name]) > 1 {
			return Callback{}, fmt.Errorf("parameter %s is given twice: %w", name, ErrState)
		}
	}
	got := params.Get("state")
	if req.State == "" || got == "" || subtle.ConstantTimeCompare([]byte(got), []byte(req.State)) != 1 {
		return Callback{}, ErrState
	}
	return Callback{params: clone(params), url: req.CallbackURL, memo: memo}, nil
}

// Param returns the first parameter of that name, or "".
func (c Callback) Param(name string) string { return c.params.Get(name) }

// Params returns a copy of all parameters, for services that sign them and for
// a Provider that wraps another.
func (c Callback) Params() url.Values { return clone(c.params) }

// URL returns the Request's CallbackURL.
func (c Callback) URL() string { return c.url }

// Memo returns the Redirect's Memo.
func (c Callback) Memo() string { return c.memo }

func clone(v url.Values) url.Values {
	n := 0
	for _, values := range v {
		n += len(values)
	}
	all := make([]string, 0, n)
	c := make(url.Values, len(v))
	for name, values := range v {
		first := len(all)
		all = append(all, values...)
		c[name] = all[first:len(all):len(all)] // nothing is appended to one over the next
	}
	return c
}
