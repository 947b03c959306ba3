package provider

import (
	"fmt"
	"time"
)

// expiryDelta is how long before its expiry a token counts as expired, so that
// it does not expire on the way.
const expiryDelta = 10 * time.Second

// A Token is what a service lets the app do in the person's name.
// It is plain data, so that a store keeps all of it.
type Token struct {
	AccessToken  string
	RefreshToken string    // empty if the service gave none
	Type         string    // "Bearer" if empty
	Expiry       time.Time // zero: it does not expire, or the service did not say
	Scopes       []string  // as granted, which may be fewer than asked for
	IDToken      string    // OpenID Connect
	Secret       string    // OAuth 1.0a token secret
	Memo         string    // what Refresh, Revoke and Client need again: a DPoP key, an instance, a tenant's URL
}

// Valid reports whether t has an access token that is not about to expire.
func (t Token) Valid() bool {
	return t.AccessToken != "" && (t.Expiry.IsZero() || time.Now().Add(expiryDelta).Before(t.Expiry))
}

// String hides the secrets, so that a logged Token gives nothing away.
func (t Token) String() string {
	return fmt.Sprintf("provider.Token{Type: %q, Expiry: %v, Scopes: %q, …}", t.Type, t.Expiry, t.Scopes)
}

// GoString is String, for %#v.
func (t Token) GoString() string { return t.String() }
