package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

var (
	// ErrNotAdmitted means that Config.Admit said no, or that the user is
	// disabled.
	ErrNotAdmitted = errors.New("not admitted")

	// ErrEmailTaken means that a user has that verified address already and
	// must log in as before, and then link.
	ErrEmailTaken = errors.New("address belongs to a user")

	// ErrLinked means that the account belongs to another user.
	ErrLinked = errors.New("account belongs to another user")

	// ErrNoUser means that nobody is logged in.
	ErrNoUser = errors.New("not logged in")

	// ErrNoToken means that the user has no token of that provider, or none
	// that still works, and must log in with it again.
	ErrNoToken = errors.New("no usable token")

	// ErrNotFresh means that it was too long ago that the person last proved
	// who they are.
	ErrNotFresh = errors.New("login is too old for this")

	// ErrSwitched means that somebody else has logged in to this browser since
	// the login began.
	ErrSwitched = errors.New("somebody else is logged in")

	errUnknownProvider = errors.New("no such provider")
	errRefused         = errors.New("request does not come from this app")
	errLimited         = errors.New("too many attempts")
	errMethod          = errors.New("method not allowed")
	errTooLarge        = errors.New("request is too large")
	errBadRequest      = errors.New("bad request")
	errPanic           = errors.New("panic")
)

// An Error is a request to an [Auth] that failed.
type Error struct {
	// Op is "login", "callback", "link", "unlink", "reauth", "account", "revoke",
	// "logout", "session", "backchannel", "load", "client", "delete" or "reseal". A
	// callback that is known to be of a link or a reauth has that Op.
	Op       string
	Provider string // its ID, if one was involved
	Reason   string // what went wrong, as one word of a fixed list such as "state_mismatch"; see [Reason]
	ID       string // stands on the page and in the log, so that one leads to the other
	Err      error
}

// Error names the step and the cause, but never a token, a code or a state.
func (e *Error) Error() string {
	s := "middleware: " + e.Op
	if e.Provider != "" {
		s += " with " + e.Provider
	}
	if e.Err == nil {
		return s
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// reasoned is an error with a word of the list that [Reason] documents.
type reasoned struct {
	reason string
	err    error
}

func (r *reasoned) Error() string {
	if r.err == nil {
		return r.reason
	}
	return r.reason + ": " + r.err.Error()
}
func (r *reasoned) Unwrap() error { return r.err }

func because(reason string, err error) error { return &reasoned{reason, err} }

// storeFailure is a store that did not answer, which says nothing about who is
// asking.
type storeFailure struct{ err error }

func (s *storeFailure) Error() string { return "store: " + s.err.Error() }
func (s *storeFailure) Unwrap() error { return s.err }

func storeFailed(err error) error {
	if err == nil {
		return nil
	}
	return &storeFailure{err}
}

func panicked(v any) error {
	// The value may hold anything, a token as well: only its type is told.
	return fmt.Errorf("%w: %T", errPanic, v)
}

// Reason returns the word for why err happened, for logs and counters, or "".
// Beside the words of provider.Error and session.Error they are:
//
//	not_admitted, user_disabled, email_taken, email_ambiguous, identity_in_use,
//	last_method, no_user, no_token, not_fresh, user_switched, tx_user,
//	tx_provider, tx_purpose, tx_too_big, state_missing, state_mismatch,
//	unexpected_response, auth_time, identity_provider, profile_id,
//	profile_invalid, issuer_changed, duplicate_param, bad_request, too_large,
//	not_a_page, redirect_invalid, csrf, limited, unknown_provider,
//	unknown_account, method, hook, panic, store, token_expired, needs_reauth,
//	token_unreadable, token_too_big, logout_token, logout_subject,
//	logout_replay, logged_out, backchannel_unsupported
func Reason(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Reason != "" {
		return e.Reason
	}
	var r *reasoned
	if errors.As(err, &r) {
		return r.reason
	}
	var pe *provider.Error
	if errors.As(err, &pe) {
		switch {
		case errors.Is(err, provider.ErrDenied):
			return "denied"
		case pe.Reason != "":
			return pe.Reason
		}
		return "provider_error"
	}
	var sf *storeFailure
	if errors.As(err, &sf) {
		return "store"
	}
	var se *session.Error
	if errors.As(err, &se) && se.Reason != "" {
		return se.Reason
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.reason
		}
	}
	return ""
}

var sentinels = [...]struct {
	err    error
	reason string
	status int
}{
	{provider.ErrState, "state_mismatch", http.StatusBadRequest},
	{session.ErrFlow, "tx_invalid", http.StatusBadRequest},
	{ErrNotAdmitted, "not_admitted", http.StatusForbidden},
	{provider.ErrDenied, "denied", http.StatusForbidden},
	{ErrEmailTaken, "email_taken", http.StatusConflict},
	{ErrLinked, "identity_in_use", http.StatusConflict},
	{store.ErrLastAccount, "last_method", http.StatusConflict},
	{ErrSwitched, "user_switched", http.StatusConflict},
	{ErrNotFresh, "not_fresh", http.StatusForbidden},
	{ErrNoToken, "no_token", http.StatusForbidden},
	{ErrNoUser, "no_user", http.StatusUnauthorized},
	{session.ErrNone, "no_user", http.StatusUnauthorized},
	{errUnknownProvider, "unknown_provider", http.StatusNotFound},
	{errRefused, "csrf", http.StatusForbidden},
	{errLimited, "limited", http.StatusTooManyRequests},
	{errMethod, "method", http.StatusMethodNotAllowed},
	{errTooLarge, "too_large", http.StatusRequestEntityTooLarge},
	{errBadRequest, "bad_request", http.StatusBadRequest},
	{store.ErrBadText, "profile_invalid", http.StatusBadGateway},
	{errPanic, "panic", http.StatusInternalServerError},
}

// browserCaused are reasons of a provider.Error that the browser can bring
// about, with a callback that was made up or that belongs to another login.
var browserCaused = map[string]bool{
	"iss_mismatch": true, "iss_missing": true, "nonce_mismatch": true, "code_missing": true,
	"oauth1_token": true, "oauth1_verifier": true, "memo_invalid": true,
}

// badCode are services' words for a code that is not theirs, not of this login,
// or too old.
var badCode = map[string]bool{"invalid_grant": true, "bad_verification_code": true}

// StatusCode returns the HTTP status for an error of this package: 400 for
// provider.ErrState, session.ErrFlow and a callback that was made up, 401 for
// ErrNoUser, 403 for ErrNotAdmitted, ErrNotFresh, ErrNoToken, provider.ErrDenied
// and a request of another site, 404 for a provider that is not there, 405 for
// another method, 409 for ErrLinked, ErrEmailTaken, ErrSwitched and
// store.ErrLastAccount, 413 for a form that is too large, 429 for Limit, 502 for
// a provider that failed, 503 for a store that failed, 504 for a provider that
// did not answer, 500 otherwise.
func StatusCode(err error) int {
	var sf *storeFailure
	if errors.As(err, &sf) {
		return http.StatusServiceUnavailable
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	var pe *provider.Error
	if errors.As(err, &pe) {
		switch {
		case browserCaused[pe.Reason], pe.Op == "exchange" && badCode[pe.Code]:
			return http.StatusBadRequest
		case errors.Is(err, context.DeadlineExceeded):
			return http.StatusGatewayTimeout
		}
		return http.StatusBadGateway
	}
	var se *session.Error
	if errors.As(err, &se) && (se.Reason == "store" || se.Reason == "cookies") {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
