package provider

import (
	"errors"
	"strings"
)

var (
	// ErrDenied means that the person, or the service, said no.
	ErrDenied = errors.New("access denied")

	// ErrState means that a callback does not belong to the login that it was
	// taken for: a stale tab, or a forgery.
	ErrState = errors.New("state does not match")

	// ErrRevoked means that a refresh token no longer works, so that the
	// person has to log in again.
	ErrRevoked = errors.New("grant revoked")

	// ErrUnavailable means that the service could not be reached, or answered
	// that it is out of order, so that trying later may help. If it took too
	// long, the error is [context.DeadlineExceeded], too.
	ErrUnavailable = errors.New("service is unavailable")
)

// An Error is a step of a login that failed at a provider.
//
// Reason is one of these words. Of the set-up: config, request_invalid. Of the
// callback: denied, provider_error, iss_mismatch, iss_missing,
// unexpected_response, code_missing, memo_invalid, oauth1_token. Of the token:
// exchange_failed, token_invalid, revoke_failed. Of metadata and keys:
// discovery_invalid, discovery_issuer, discovery_unavailable, jwks_unavailable.
// Of the profile: profile_http, profile_invalid, profile_id, inactive,
// userinfo_sub, userinfo_sig, identity_provider. Of a service that is out of
// order: provider_unavailable, provider_timeout. ID tokens have further ones,
// which are named for what is wrong in them, such as nonce_mismatch.
type Error struct {
	Provider string // Info.ID
	Op       string // "begin", "exchange", "verify", "profile", "refresh", "revoke" or "logout"
	Code     string // the service's own error code, if it gave one
	Reason   string // what went wrong, in one of the words above
	Err      error
}

// The words of Error.Reason, save for those of ID tokens.
const (
	reasonConfig     = "config"               // the provider is set up wrongly; see Check
	reasonRequest    = "request_invalid"      // the Request cannot be sent
	reasonDenied     = "denied"               // the person or the service said no
	reasonProvider   = "provider_error"       // the callback carries another error
	reasonIssuer     = "iss_mismatch"         // the callback comes from another service
	reasonIssMissing = "iss_missing"          // the callback does not say from which service it comes
	reasonUnexpected = "unexpected_response"  // the callback carries tokens, which nobody asked for there
	reasonCode       = "code_missing"         // the callback has no code
	reasonMemo       = "memo_invalid"         // what Begin wanted remembered is lost
	reasonExchange   = "exchange_failed"      // the service refused the code or the refresh token
	reasonToken      = "token_invalid"        // the token answer makes no sense
	reasonProfile    = "profile_invalid"      // the profile makes no sense
	reasonHTTP       = "profile_http"         // the profile came with a status that means failure
	reasonSubject    = "profile_id"           // the profile does not say, in a usable way, who it is
	reasonInactive   = "inactive"             // the account at the service is not active
	reasonOAuth1     = "oauth1_token"         // the callback belongs to another request token
	reasonIdentity   = "identity_provider"    // a custom provider names another provider
	reasonRevoke     = "revoke_failed"        // the service did not withdraw the token
	reasonDown       = "provider_unavailable" // the service could not be reached or is out of order
	reasonTimeout    = "provider_timeout"     // the service did not answer in time
)

// Error names the provider, the step, the reason and the service's code, but
// never a token, a code, a state or a body that the service sent.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("provider ")
	b.WriteString(e.Provider)
	b.WriteString(": ")
	b.WriteString(e.Op)
	if e.Reason != "" {
		b.WriteString(": ")
		b.WriteString(e.Reason)
	}
	if e.Code != "" {
		b.WriteString(" (")
		b.WriteString(e.Code)
		b.WriteString(")")
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
