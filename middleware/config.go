package middleware

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// Config configures an [Auth]. BaseURL, Secret and Store are required; every
// other field's zero value is its default.
type Config struct {
	_ [0]func() // keyed literals only, so that fields can be added

	// BaseURL is where people reach the app, such as "https://app.example.com" or
	// "https://example.com/shop". Callback URLs begin with it and origins are
	// compared with it; the Host header is trusted with neither. Plain http is for
	// localhost, *.localhost, 127.0.0.0/8 and ::1 only.
	BaseURL string

	// Secret is at least 32 random bytes that all instances share. Keys for
	// signing and for encryption are derived from it.
	Secret string

	// OldSecrets are still accepted, while Secret is being changed.
	OldSecrets []string

	// Store keeps users, accounts, tokens and sessions.
	Store store.Store

	// Path is where Handler is mounted. The default is "/auth".
	Path string

	// LoginURL is where RequireUser sends visitors, with the parameter return_to
	// added. The default is Handler's own page or, with one provider only and
	// nothing to ask people, straight to that provider. With Session.Remember
	// there is something to ask.
	LoginURL string

	// AfterLogin and AfterLogout are where people go who were not on their
	// way anywhere. The default is "/".
	AfterLogin, AfterLogout string

	// DiscardTokens forgets providers' tokens once the person is known.
	// Otherwise they are kept, sealed, for [Auth.Client].
	DiscardTokens bool

	// Session holds package session's settings. Its Secret and OldSecrets are
	// this Config's, and so is its Store if it names none.
	Session session.Config

	// Admit, if not nil, decides who may log in. See [AdmitDomains].
	Admit AdmitFunc

	// LocalAccounts are provider IDs of accounts with which the app logs people
	// in itself, such as "password". They count when a way to log in is removed.
	LocalAccounts []string

	// OnBegin, if not nil, is called before a person is sent to a provider. It may
	// add to the request; State and CallbackURL are put back.
	OnBegin func(ctx context.Context, providerID string, req *provider.Request) error

	// OnSignUp, OnLink and OnLogin, if not nil, are called before the session
	// begins. If one fails, nobody is logged in, and what the login made (the new
	// user, the new account) is removed again. CurrentUser and CurrentSession
	// work in their context, and so does Client for the provider just used. The
	// session of a login has no ID yet.
	OnSignUp func(ctx context.Context, u *store.User, id provider.Identity) error
	OnLink   func(ctx context.Context, u *store.User, id provider.Identity) error
	OnLogin  func(ctx context.Context, u *store.User, id provider.Identity) error

	// OnUnlink, OnLogout and OnRenew, if not nil, are called after the fact. Their
	// errors are logged; what has ended stays ended.
	OnUnlink func(ctx context.Context, u *store.User, a store.Account) error
	OnLogout func(ctx context.Context, u *store.User) error
	OnRenew  func(ctx context.Context, u *store.User, a store.Account) error

	// OnLoad, if not nil, is called for each request with a user. The context
	// that it returns is the request's, so that it can carry the app's own
	// user as well. It must be made from the one that it was given.
	OnLoad func(ctx context.Context, u *store.User) (context.Context, error)

	// TrustedProxies are the networks of the proxies before the app, such as
	// 10.0.0.0/8. If the connection is one of theirs, the client's address is the
	// last in X-Forwarded-For that is not; any other connection's is the client's,
	// whatever headers it sends. If empty, no header is looked at.
	TrustedProxies []netip.Prefix

	// ClientIP returns the address of whoever asks, by another header or by other
	// means than TrustedProxies, which is empty then. A header is as good as the
	// proxy that sets it: one that lets through what clients send lets them choose
	// their address.
	ClientIP func(r *http.Request) string

	// Limit, if not nil, is asked once before a login begins or ends ("login",
	// "callback", "link", "unlink", "reauth", "revoke", "logout",
	// "backchannel"). If it returns an error, the answer is 429. Who asks is told
	// by [Auth.ClientIP].
	Limit func(r *http.Request, op string) error

	// ErrorHandler answers a request that failed; err is an [*Error]. The
	// default logs err and sends a short page, or JSON to who asks for it, with
	// the status of [StatusCode] and no details.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)

	// Logger is slog.Default if nil. No token, code, state or key is logged.
	Logger *slog.Logger

	// DangerouslyLinkByEmail names providers whose verified email addresses
	// are taken as proof of who someone is. A person new to the app who comes
	// from one of them is given the user who has that address already, if that user's
	// own address is verified. Whoever runs such a provider can become any user.
	// Without it, such a person is asked to log in as before, and then to link.
	DangerouslyLinkByEmail []string
}
