package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatepass/gatepass/provider"
)

// nonsense is what a service may answer instead of what it should.
func nonsense() map[string]struct {
	status int
	body   string
} {
	return map[string]struct {
		status int
		body   string
	}{
		"500":            {http.StatusInternalServerError, `{"error":"server_error"}`},
		"401":            {http.StatusUnauthorized, `{"error":"invalid_token"}`},
		"403":            {http.StatusForbidden, `{"message":"forbidden"}`},
		"429":            {http.StatusTooManyRequests, ``},
		"nothing":        {http.StatusOK, ``},
		"HTML":           {http.StatusOK, `<!doctype html><title>Down for maintenance</title>`},
		"cut off":        {http.StatusOK, `{"sub":"7","id":"7","access_token":"x"`},
		"empty object":   {http.StatusOK, `{}`},
		"list":           {http.StatusOK, `[]`},
		"null":           {http.StatusOK, `null`},
		"error with 200": {http.StatusOK, `{"error":"invalid_request","error_description":"no"}`},
	}
}

// failureRules are the promises about errors.
func failureRules() []rule {
	return []rule{{
		"ProfileMustBeThere",
		"If the service does not say who the person is, Complete fails: it never returns an empty or a guessed Identity.",
		func(c *trial) {
			c.login(c.p, person(1))
			if c.srv.Requests("userinfo") == 0 {
				c.Skip("the provider asks for no profile")
			}
			for name, n := range nonsense() {
				cb := c.arrive(c.p, person(1))
				c.fault(broken(n.status, n.body, "userinfo"))
				c.fails(c.p, cb, "the profile is "+name)
				c.fault(nil)
			}
		},
	}, {
		"TokenMustBeThere",
		"If the service gives no token, Complete fails.",
		func(c *trial) {
			for name, n := range nonsense() {
				cb := c.arrive(c.p, person(1))
				c.fault(broken(n.status, n.body, "token", "access_token"))
				c.fails(c.p, cb, "the token answer is "+name)
				c.fault(nil)
			}
		},
	}, {
		"ErrorsAreTyped",
		"An error of Complete is an *Error that names the provider and the step.",
		func(c *trial) {
			for what, err := range c.failures() {
				var e *provider.Error
				if !errors.As(err, &e) {
					c.Errorf("%s: got a %T, want an *Error", what, err)
					continue
				}
				if e.Provider != c.p.Info().ID {
					c.Errorf("%s: Provider is %q, want %q", what, e.Provider, c.p.Info().ID)
				}
				if !slices.Contains([]string{"begin", "exchange", "verify", "profile"}, e.Op) {
					c.Errorf("%s: Op is %q, want exchange, verify or profile", what, e.Op)
				}
			}
		},
	}, {
		"ErrorsHoldNoSecrets",
		"No error holds a state, a code, a verifier, a token or the client secret: errors are logged.",
		func(c *trial) {
			for what, err := range c.failures() {
				if secret, ok := c.leak(err); ok {
					c.Errorf("%s: the error holds a secret, %.12s…", what, secret)
				}
			}
		},
	}, {
		"CompleteGivesUp",
		"Complete returns when its context is cancelled, however long the service takes.",
		func(c *trial) {
			for _, endpoint := range []string{"token", "access_token", "userinfo"} {
				before := c.srv.Requests(endpoint)
				c.login(c.p, person(1))
				if c.srv.Requests(endpoint) == before {
					continue
				}
				cb := c.arrive(c.p, person(1))
				arrived, release := c.srv.Hold(endpoint)
				ctx, cancel := context.WithCancel(c.Context())
				var err error
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _, err = c.p.Complete(ctx, cb)
				}()
				select {
				case <-arrived:
				case <-done:
				}
				cancel()
				quick := c.soon(done)
				release()
				<-done
				if !quick {
					c.Errorf("%s: Complete was still waiting %v after its context was cancelled", endpoint, c.patience)
				} else if err == nil {
					c.Errorf("%s: Complete returned no error", endpoint)
				}
			}
		},
	}}
}

// failures makes logins fail in many ways and returns the errors.
func (c *trial) failures() map[string]error {
	c.Helper()
	errs := map[string]error{}
	try := func(what string, cb provider.Callback) {
		c.keep(cb)
		if _, _, err := c.p.Complete(c.Context(), cb); err != nil {
			errs[what] = err
		}
		c.fault(nil)
	}
	req := c.request()
	rd := c.begin(c.p, req)
	try("the person said no", c.callback(req, rd.Memo, c.refusal(rd).params))

	// A service that says what it was told is the worst for whoever logs errors.
	for _, endpoint := range []string{"token", "access_token", "userinfo"} {
		for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusInternalServerError} {
			cb := c.arrive(c.p, person(1))
			c.fault(func(r *request, w http.ResponseWriter) bool {
				if r.endpoint != endpoint {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, r.secret(), r.everything())
				return true
			})
			try(fmt.Sprintf("%s answers %d and repeats the request", endpoint, status), cb)
		}
	}
	for _, endpoint := range []string{"token", "access_token", "userinfo"} {
		cb := c.arrive(c.p, person(1))
		c.fault(func(r *request, w http.ResponseWriter) bool {
			if r.endpoint == endpoint {
				panic(http.ErrAbortHandler) // closes the connection
			}
			return false
		})
		try(endpoint+" hangs up", cb)
	}
	cb := c.arrive(c.p, person(1))
	c.keep(cb)
	ctx, cancel := context.WithCancel(c.Context())
	cancel()
	if _, _, err := c.p.Complete(ctx, cb); err != nil {
		errs["the context is cancelled"] = err
	}
	cb = c.arrive(c.p, person(1))
	try("completed once", cb)
	try("completed twice", cb)
	if len(errs) == 0 {
		c.Fatal("no login failed, whatever the service did")
	}
	return errs
}

// secret is one that a request carries, alone, as a careless service might make
// it its error code.
func (r *request) secret() string {
	if code := r.form.Get("code"); code != "" {
		return code
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token
}

// keep notes what must not be in an error.
func (c *trial) keep(cb provider.Callback) {
	secrets := c.secrets(cb)
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	for _, s := range secrets {
		if !slices.Contains(c.srv.given, s) {
			c.srv.note(s)
		}
	}
}

// leak returns a secret that is in an error's text, or in that of an error that
// it wraps.
func (c *trial) leak(err error) (string, bool) {
	text := fmt.Sprintf("%v\n%+v\n%#v", err, err, err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		text += "\n" + e.Error()
	}
	for _, s := range c.secrets() {
		if s != "" && strings.Contains(text, s) {
			return s, true
		}
	}
	return "", false
}
