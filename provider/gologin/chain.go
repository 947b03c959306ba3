package gologin

import (
	"context"
	"errors"
	"net/http"

	login "github.com/dghubble/gologin/v2"
	"github.com/gatepass/gatepass/provider"
)

var errSilent = errors.New("chain called neither its success nor its failure handler")

// A chainError is what the failure handler was given. Its text is not passed
// on: gologin and what lies below it quote bodies and URLs.
type chainError struct{ cause error }

func (e *chainError) Error() string { return "chain failed" }

// run leads the callback cb through the chain that build makes, and returns the
// context that the success handler was given.
//
// The chain sees a GET request with the callback's parameters and no cookies,
// and what it answers goes nowhere: the browser gets its answer from whoever
// called Complete.
func run(ctx context.Context, cb provider.Callback, build func(success, failure http.Handler) http.Handler) (context.Context, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cb.URL(), nil)
	if err != nil {
		return nil, errors.New("callback URL is malformed")
	}
	req.URL.RawQuery = cb.Params().Encode()
	req.RequestURI = req.URL.RequestURI()

	var (
		done   context.Context
		failed error
	)
	success := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { done = r.Context() })
	failure := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		failed = &chainError{login.ErrorFromContext(r.Context())}
	})
	build(success, failure).ServeHTTP(nowhere{}, req)
	switch {
	case failed != nil:
		return nil, failed
	case done == nil:
		return nil, errSilent
	}
	return done, nil
}

// nowhere is a response that nobody reads.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
