package gologin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

var (
	errOwnWay   = errors.New("chain did not get its token with the Config and the context that it was given")
	errRefused  = errors.New("service refused the code")
	errUnclear  = errors.New("answer was not understood")
	errAuthURL  = errors.New("authorization URL is malformed")
	errRedirect = errors.New("service answered with a redirect, which is not followed")
)

// A statusError is an answer with a status that means failure.
type statusError struct {
	host   string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answered with status %d", e.host, e.status)
}

// Is lets a status that says "later" be taken for what it is.
func (e *statusError) Is(target error) bool {
	return target == provider.ErrUnavailable &&
		(e.status >= 500 || e.status == http.StatusTooManyRequests)
}

// explain says why a chain failed, by what went over the wire. The chain's own
// texts quote bodies and URLs, and stay out.
func (w *wire) explain(err error) *provider.Error {
	op, failure := w.progress()
	var chain *chainError
	if !errors.As(err, &chain) {
		return &provider.Error{Op: op, Reason: "config", Err: err} // our own
	}
	e := &provider.Error{Op: op, Err: failure}
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(chain.cause, &refused):
		e.Code = short(refused.ErrorCode)
		if failure == nil { // some services refuse with status 200
			e.Err = errRefused
		}
	case failure == nil:
		e.Err = errUnclear
	}
	e.Reason = reason(op, e.Err)
	return e
}

// reason returns the word for what kept a step from its end.
func reason(op string, failure error) string {
	var status *statusError
	switch {
	case errors.Is(failure, context.DeadlineExceeded):
		return "provider_timeout"
	case errors.Is(failure, provider.ErrUnavailable):
		return "provider_unavailable"
	case errors.Is(failure, provider.ErrDenied):
		return "denied"
	case errors.As(failure, &status) && op == "profile":
		return "profile_http"
	case op == "profile":
		return "profile_invalid"
	case failure == errUnclear:
		return "token_invalid"
	}
	return "exchange_failed"
}

// profileError wraps what Identity returned.
func profileError(err error) *provider.Error {
	var own *provider.Error
	if errors.As(err, &own) {
		return own
	}
	err = plain(err)
	return &provider.Error{Op: "profile", Reason: reason("profile", err), Err: err}
}

// plain returns err, or if it comes from the network another one in its place:
// what net/http says quotes URLs, and now and then the answer.
func plain(err error) error {
	var (
		asked   *url.Error
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: %w", provider.ErrUnavailable, context.DeadlineExceeded)
	case errors.As(err, &asked):
		return fmt.Errorf("%w: no valid answer", provider.ErrUnavailable)
	}
	return err
}

// named puts the provider's name into an error of this package.
func named(id string, err error) error {
	var own *provider.Error
	if errors.As(err, &own) && own.Provider == "" {
		own.Provider = id
	}
	return err
}

// short returns a service's error code if it may stand in a log, and else
// nothing. A service that makes one up could put there what it was sent; codes
// and tokens have capitals or digits, and the words of RFC 6749 have neither.
func short(code string) string {
	strange := func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' && r != '-' && r != '.' }
	if len(code) > 64 || strings.ContainsFunc(code, strange) {
		return ""
	}
	return code
}
