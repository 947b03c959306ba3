// Package session keeps people logged in.
//
// The browser holds a random key that also bears a mark made with the secret,
// so that a forged one costs no query. The store holds a hash of it, and whose
// it is. Whoever steals the table cannot log in with it, and a session that is
// deleted there has ended everywhere. Any gorilla [sessions.Store] can keep the
// browser's half instead, and a client without cookies sends it in
// [Config.Header].
//
// A login takes the place of the session before in one step, and a renewal brings
// back no session that was ended meanwhile, if the store is a
// [store.SessionReplacer]; else steps are taken in an order that leaves nothing
// worse than somebody who has to log in again. What the app changes through a
// store that is a [store.Watcher] holds at the next request of this process.
//
// # What a stolen thing gives
//
// The table of sessions alone logs nobody in; values that an app keeps there can
// be read in it. The secret alone opens the cookies of logins under way that
// someone has stolen as well; it makes no session, because no key is derived
// from it alone. A stolen session cookie, or a key on its way in [Config.Header],
// is a session until that ends: see [Manager.Revoke] and [Manager.EndAll].
//
// A stolen remember cookie is good for one use by whoever comes first; the second
// to use it gives the theft away, and both are logged out. The table of what
// remembers browsers gives nothing. Only the secret, together with a remember
// cookie that was used before, tells what took its place and which session began
// then.
//
// # Changing the secret
//
// With several instances, in three steps, each on all of them before the next:
// add the new secret to [Config.OldSecrets]; make it [Config.Secret], with the
// one before in OldSecrets; drop the one before, once [Config.Lifetime] has
// passed, or [Config.Remember] where browsers are remembered. A cookie that only a dropped secret could read is as good as none.
package session

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

var (
	// ErrNone means that the browser has no session, or one that has ended.
	ErrNone = errors.New("session: none")

	// ErrFlow means that a callback belongs to no login that this browser
	// began, or to one that is over.
	ErrFlow = errors.New("session: no such login under way")

	// ErrUsed means that a callback of the same login came before. It is an
	// [ErrFlow].
	ErrUsed = fmt.Errorf("%w: it was used before", ErrFlow)
)

// Config configures a [Manager]. Store and Secret are required; every other
// field's zero value is its default.
type Config struct {
	_ [0]func() // keyed literals only, so that fields can be added

	// Store keeps the sessions. Required; in middleware.Config it is that
	// Config's Store if nil, or for instance Redis.
	Store store.Sessions

	// Secret is at least 32 random bytes. Keys are derived from it. Required.
	Secret string

	// Audience sets apart what shares a Secret: a session of one Auth is none at
	// another. Package middleware fills in its BaseURL and Path.
	Audience string

	// OldSecrets still open cookies, while Secret is being changed. There are
	// four at most.
	OldSecrets []string

	// Cookies keeps the browser's half, for an app that has a gorilla store.
	// If nil, it is a cookie of our own: __Host-, HttpOnly, SameSite=Lax, Secure.
	// Domain, SameSite and Partitioned change that. The cookie of a gorilla store
	// gets the same attributes.
	Cookies sessions.Store

	// Cache is how long a process may go on without asking the store about a
	// session that it has just seen. The default is one second, so that a page
	// and its twenty requests cost one query; what this process ends itself ends
	// at once, and so does what it changes through Store or Users, if that is a
	// [store.Watcher]. Ten seconds at most. Negative: ask every time.
	Cache time.Duration

	// Insecure sends the cookie over plain http, for http://localhost.
	Insecure bool

	// Name names the cookie. The default is "session". Who changes it in a running
	// deployment logs everybody out, since the cookie of before is ignored.
	Name string

	// Domain also sends the session's cookie to the hosts below that one, such as
	// "example.com", of which each then can read it, and set another in its place.
	// The prefix is then __Secure-. If empty, it is of one host alone. Who sets it
	// logs everybody out; who changes it to another also changes Name, because a
	// browser that sends two cookies of that name is as good as logged out.
	Domain string

	// SameSite is that of the session's cookie. The default is
	// [http.SameSiteLaxMode]. With [http.SameSiteStrictMode], who follows a link
	// from another site arrives as a visitor. [http.SameSiteNoneMode] is for an
	// app that stands in a frame on another site, and wants Partitioned: without
	// it, every site could act in people's names.
	SameSite http.SameSite

	// Partitioned keeps the session's cookie apart for each site in whose frame
	// the app stands. Who logs in in a window of its own is not logged in in the
	// frame. The site around it can send requests in people's names, so that the
	// app looks at where they come from, as the routes of package middleware do.
	Partitioned bool

	// Header, if not empty, is for apps that keep no cookies. A request that has
	// a header of this name, such as "X-Session", is looked for a session there and
	// in no cookie, and a key that the request is given stands in the same header of
	// the answer, whose Cache-Control is then no-store. A client that has none yet
	// sends it empty, and drops the one that it has if the answer's is empty. More
	// than one such header is as good as none. What a browser needs to come back
	// from a provider stays in cookies.
	Header string

	// Lifetime ends a session however much it is used. The default is 30 days.
	Lifetime time.Duration

	// Idle ends a session that is not used. The default is 7 days, or Lifetime
	// if that is shorter.
	Idle time.Duration

	// MaxPerUser is how many sessions a user may have; the one seen longest ago
	// ends. The default is 100.
	MaxPerUser int

	// NotBefore ends what began earlier, after a backup was restored.
	NotBefore time.Time

	// Now is time.Now if nil.
	Now func() time.Time

	// Users finds the user of a session. Package middleware fills in its Store.
	// If nil, sessions are found without their users, and nobody's being
	// disabled is noticed.
	Users store.Users

	// ClientIP returns the address of whoever asks, for the session's record. The
	// default is the connection's.
	ClientIP func(r *http.Request) string

	// Addresses says how much of that is kept with sessions that begin. The default
	// is [KeepAddress]. With [TruncateAddress], what is no address is not kept.
	Addresses AddressPolicy

	// Remember is how long a browser is remembered that [Manager.BeginRemembered]
	// was called for: when its session is over, [Manager.Restore] begins another,
	// and package middleware's LoadUser and RequireUser do. Its cookie is called
	// Name-remember, and has the attributes of the session's.
	// Zero: no browser is. It is at least Lifetime, since it ends sessions as well,
	// and at most 400 days, for which browsers keep cookies. Set it for all instances
	// at once: one without it forgets no browser in a logout.
	Remember time.Duration

	// Remembers keeps the browsers that are remembered. If nil, it is Store or
	// Users, if one of them can and Remember is not zero. Who sets Remember back to
	// zero names it here: else no logout forgets a browser that was remembered before,
	// which is logged in again on the day on which Remember is set anew.
	Remembers store.Rememberer

	// CarryOver names what a visitor's gorilla sessions hold that their session has
	// after they log in: "cart" is the whole session of that name, and "shop/cart"
	// the value under the key "cart" in the one called "shop". All else is left
	// behind, as is everything when one user takes the place of another. Someone
	// else may have filled a visitor's browser: list only what may be from anyone.
	// Who logs in again in the same browser keeps what they have.
	//
	// A store ends the old session whatever it holds by then. So what another
	// request of the browser saves after a login has read the values, and before it
	// has ended that session, a moment later, is lost, and Save does not say so. One
	// that comes later gets ErrNone.
	//
	// With Cookies, the name of the cookie stands for the gorilla session that keeps
	// the browser's half, as in "__Host-session/theme". What else the app has put
	// into that ends at each login.
	CarryOver []string
}

// An Error is a step that failed.
type Error struct {
	Op string // "begin", "find", "restore", "end", "renew", "revoke", "list", "values", "flow", "callback" or "post"

	// Reason is one of a fixed list of words. Of a callback: "state_missing",
	// "state_malformed", "tx_missing" (the browser sent no cookie of that login),
	// "tx_duplicate", "tx_invalid", "tx_expired", "tx_used". Of a posted one also
	// "post_missing", "post_duplicate", "post_invalid", "post_expired" and
	// "duplicate_param". Of what a caller asked for: "no_user", "no_sid",
	// "too_long", "purpose". Of Restore: "stolen". Of values: "name" (no cookie can have it),
	// "value" (of a type that cannot be saved), "too_long", "unreadable" (what is
	// stored, or some of it) and "foreign" (not of this Manager). "store" and
	// "cookies" mean that Config.Store or Config.Cookies failed.
	Reason string

	// UserID is whose remember token was stolen, if Reason is "stolen".
	UserID string

	// Err wraps ErrNone or ErrFlow, or is what the store said.
	Err error
}

// Error names the step and the reason, and no key, state or cookie.
func (e *Error) Error() string {
	s := "session: " + e.Op + ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
