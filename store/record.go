package store

import (
	"encoding/json"
	"time"
)

// A User is a person, as this app knows them. After sign-up the library never
// writes one again: what a service says later goes to the Account.
type User struct {
	ID            string // chosen by the store; opaque, at most 64 bytes, never used again
	Username      string // a handle to show; two users may have the same
	Name          string // never empty after sign-up: name, else handle, else "Someone"
	Email         string
	EmailVerified bool
	AvatarURL     string
	Locale        string
	Disabled      bool // refused at every login and at every request
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// A Key names an account at a provider, or one of the app's own ways to log in.
// For those, Provider is an ID that no provider has, such as "password", and
// Subject is what the app finds the account by.
type Key struct {
	Provider string // provider.Info.ID
	Subject  string // provider.Identity.Subject
}

// An Account is a way for a User to log in. Its Key belongs to one User only.
type Account struct {
	Key
	Issuer    string // as at sign-up; a login from another issuer is refused
	UserID    string
	Email     string // as the provider last told it
	Name      string
	Username  string
	AvatarURL string
	Profile   json.RawMessage // the profile as the service last sent it, for what scopes added (country, language, …)
	CreatedAt time.Time
	UpdatedAt time.Time // when it last logged its user in
}

// A Session is a browser in which a User is logged in. One without a UserID is
// a visitor's, of which the app remembers something: see [SessionValuer].
type Session struct {
	ID        string // hash of the key that the browser holds
	UserID    string
	Key                 // the account that the person logged in with
	Issuer    string    // of that account
	SID       string    // the service's own session, if it named one
	Family    string    // ID of the Remembered that may take its place, if any
	AuthTime  time.Time // when they last proved who they are; zero if a Remembered began the session and they have not since
	Reauthed  bool      // the service itself vouched for AuthTime
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	UserAgent string
	IP        string
}

// A Token is what a provider lets the app do in a person's name, sealed by
// package middleware: a copy of the table is of no use, and nobody can send it
// to a provider by mistake.
type Token struct {
	Sealed []byte
	Expiry time.Time // zero: none, or not known
	Scopes []string
}
