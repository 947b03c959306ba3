// Package provider defines what a way to log in is, and makes most of them
// from data.
//
// A [Provider] is one outside service: GitHub, Google, your company's server.
// Package [github.com/gatepass/gatepass/provider/catalog] has many ready to
// use. To add your own, fill in an [OIDC], [OAuth2] or [OAuth1] value and call
// its New method; only a service that speaks none of the three needs a
// [Custom] or a type of its own.
//
// Package [github.com/gatepass/gatepass/provider/providertest] tests a Provider.
package provider

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// A Provider logs people in with one outside service.
//
// Begin and Complete are the two halves of one login. A Provider keeps nothing
// between them: all that Complete needs travels in [Redirect.Memo], so that the
// callback may reach another process than the one that began.
//
// A Provider must be safe for concurrent use. It may do more than log people
// in: see [Refresher], [Revoker], [LogoutURLer], [LogoutVerifier], [Clienter]
// and [Checker]. A Provider that wraps another has a method Unwrap() Provider,
// so that none of these is lost.
//
// [github.com/gatepass/gatepass/provider/providertest.Run] tests a Provider.
type Provider interface {
	// Info describes the provider. It does no I/O and its answer never changes.
	Info() Info

	// Begin starts a login and says where to send the browser.
	// The URL must make the service return req.State to req.CallbackURL.
	Begin(ctx context.Context, req Request) (Redirect, error)

	// Complete finishes a login and says who the person is. An error is an
	// [*Error]; if the person said no, it wraps [ErrDenied].
	Complete(ctx context.Context, cb Callback) (Identity, Token, error)
}

// Info describes a [Provider] to people and to the store.
type Info struct {
	// ID is a short, lower-case name such as "github". It stands in URLs and
	// in every stored account, so it must never change.
	ID string

	// Name is what a button says, such as "GitHub".
	Name string

	// Setup is the page on which a developer registers an application.
	Setup string

	// API is put before a URL without a host, such as "/user", by a client that
	// acts in a person's name. Such a client sends the token to the host of API
	// and to Hosts, over https, and nowhere else.
	API   string
	Hosts []string

	// Asks is what a person must say before Begin, such as "Your handle". The
	// login page then shows a field, and Begin gets the answer as LoginHint.
	Asks string

	// Reauth reports that the service can be asked to prove the person again.
	Reauth bool

	// PostsBack reports that the callback is a cross-site POST (form_post).
	PostsBack bool

	// FormerIDs are IDs under which accounts of this service were stored
	// before. See [WithFormerID].
	FormerIDs []string
}

// A Request says what is wanted of a login.
// Only State and CallbackURL are required.
type Request struct {
	State       string     // unguessable; the service returns it unchanged
	CallbackURL string     // absolute URL that the service returns the browser to
	Scopes      []string   // wanted beyond those the provider was made with
	LoginHint   string     // the account to suggest
	Reauth      bool       // ask for proof again, even of someone logged in there
	Params      url.Values // further parameters of the authorization URL
}

// A Redirect says where to send the browser, and what to remember until it
// comes back.
type Redirect struct {
	URL string

	// Memo is for Complete alone, such as a PKCE verifier or a nonce, and at
	// most 1,024 bytes. Keep it out of the page and out of logs.
	Memo string
}

// An Identity is who the service says the person is.
type Identity struct {
	Provider string // Info.ID; a login whose Identity names another is refused
	Issuer   string // who vouches for Subject: the ID token's iss, or the scheme and host of the authorization endpoint

	// Subject is the service's own name for the account. It is never empty,
	// never handed to another person, and never an email address or a handle
	// that can be renamed.
	Subject string

	Email         string
	EmailVerified bool // the service vouches for Email; false if it does not say

	Name       string // as people write it
	Username   string // handle; may be renamed
	AvatarURL  string // https only
	ProfileURL string // https only
	Locale     string

	AuthTime time.Time // when the person last proved who they are; zero if not said
	SID      string    // the service's own session, if it names one

	// Raw is the profile as the service sent it. See [Identity.Claims].
	Raw json.RawMessage
}

// Claims decodes the raw profile into v, for the fields that Identity lacks.
// Without a profile it changes nothing and returns nil.
func (id Identity) Claims(v any) error {
	if len(id.Raw) == 0 {
		return nil
	}
	return json.Unmarshal(id.Raw, v)
}

// A Refresher can renew a Token without the person.
type Refresher interface {
	Provider

	// Refresh trades tok's refresh token for a new Token, which carries the
	// old refresh token over if the service sent no other. If the service has
	// withdrawn the grant, or tok has no refresh token, the error wraps
	// [ErrRevoked].
	Refresh(ctx context.Context, tok Token) (Token, error)
}

// A Revoker can tell the service that a Token is no longer wanted.
type Revoker interface {
	Provider

	// Revoke withdraws tok, the refresh token first. Revoking one that is
	// already gone is no error.
	Revoke(ctx context.Context, tok Token) error
}

// A LogoutURLer can end the person's session at the service, too.
type LogoutURLer interface {
	Provider

	// LogoutURL returns the page to send the browser to, which comes back
	// to returnTo with state.
	LogoutURL(ctx context.Context, tok Token, returnTo, state string) (string, error)
}

// A LogoutVerifier can read the token with which a service says that someone
// has logged out there.
type LogoutVerifier interface {
	Provider

	// VerifyLogout checks a logout token of OpenID Connect Back-Channel Logout
	// 1.0 and says whose sessions have ended. It does not remember tokens: the
	// caller refuses a JTI that it has seen.
	VerifyLogout(ctx context.Context, token string) (Logout, error)
}

// A Logout says whose sessions have ended at the service. Subject or SID is set.
type Logout struct {
	Issuer, Subject, SID, JTI string
	IssuedAt                  time.Time
}

// A Checker can tell that it was set up wrongly before anyone logs in.
type Checker interface {
	Provider

	// Check returns every mistake it finds, joined. It does no I/O.
	Check() error
}
