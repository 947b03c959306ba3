package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/dghubble/oauth1"
	"golang.org/x/oauth2"
)

// OAuth2 is a service that speaks OAuth 2.0 but not OpenID Connect, as data.
// Its zero values are the safe ones.
type OAuth2 struct {
	Info     Info
	Issuer   string          // scheme and host of Endpoint.AuthURL if empty; if set, the callback's iss must equal it (RFC 9207)
	Endpoint oauth2.Endpoint // a zero AuthStyle means in the parameters; nothing is tried twice
	Scopes   []string        // always asked for
	Params   url.Values      // always sent to Endpoint.AuthURL

	UserURL string      // answers with the profile as JSON; a template, see [Call]
	Header  http.Header // sent to UserURL beside the token; values are templates
	Fields  Fields      // where in the profile each part stands

	// User, if its URL is not empty, is the request for the profile in place of
	// UserURL and Header, for services that want more than a GET with a bearer
	// token. Calls are made after it, in order.
	User  Call
	Calls []Call

	// Active, if not empty, is a condition that the profile must meet, such as
	// "state==active". A login without it wraps [ErrDenied].
	Active string

	// Profile, if not nil, fetches the profile in place of UserURL, User, Calls
	// and Fields. It is for a service that needs what these cannot say. The
	// client sends the token as [Client] does.
	Profile func(ctx context.Context, c *http.Client, tok Token) (Identity, error)

	// Exchange, if not nil, sends the token or the refresh request in place of
	// the engine. Form is what RFC 6749 wants sent, client_id and client_secret
	// included. First see whether Dialect can say it.
	Exchange func(ctx context.Context, c *http.Client, form url.Values) (Token, error)

	// Dialect says how the token endpoint departs from RFC 6749.
	Dialect Dialect

	// EmailsVerified states that the service's documents promise that every
	// email address it gives is verified.
	EmailsVerified bool

	// EmailByPolicy states that what Fields.EmailVerified finds is only as good
	// as whoever runs the server. It then counts only with [WithTrustedEmails].
	EmailByPolicy bool

	RevokeURL    string // RFC 7009, if the service has it
	Revoke       Call   // if its URL is not empty, withdraws a token in place of RevokeURL
	ClientIDAs   string // the service's word for client_id, such as "client_key"
	LoginHintAs  string // the service's word for login_hint; a hint is not sent if empty
	ScopeSep     string // " " if empty
	Fragment     string // put after "#" of the authorization URL
	PublicClient bool   // the service gives no client secret, and none is sent
	NoPKCE       bool   // the service refuses code_challenge

	// ReauthParams ask the service to prove the person again. If empty,
	// Info.Reauth should be false.
	ReauthParams url.Values
}

// A Dialect says how a token endpoint departs from RFC 6749. The zero value
// means not at all. Its templates may hold the variables of a [Call] but
// {profile.x}, and {state}, {redirect_uri} and {scopes}; a parameter of which a
// variable has no value is left out.
type Dialect struct {
	Method string            // "POST" if empty; GET puts the parameters in the query
	JSON   bool              // the request's body is a JSON object, not a form
	Header http.Header       // sent with the request; values are templates
	Params url.Values        // sent beside those of the RFC, or in their place; values are templates
	Names  map[string]string // the service's words for parameters: "client_secret": "secret"; one with an empty word is left out
	Code   string            // the callback parameter that holds the code, "code" if empty
	Keep   []string          // paths in the answer that are kept in Token.Memo for later templates; so are "callback.device_id" and "redirect_uri"

	RefreshURL    string     // where to refresh if not at the token endpoint
	RefreshMethod string     // Method if empty
	RefreshParams url.Values // in place of Params when refreshing, if not nil; with {access_token} that is traded, and there need be no refresh token
	Revoked       []string   // error codes of a refresh that mean that the grant is gone, beside "invalid_grant"

	Root        string            // path of the object that holds the answer
	Reply       map[string]string // paths of the RFC's members, below Root: "access_token": "accessToken"; "expires_at" is a time since 1970
	Fail        string            // a condition on the whole answer that means failure whatever the status, such as "errcode!=0"
	FailCode    string            // path of the service's error code in the whole answer, "error" if empty
	NoTokenType bool              // the answer has no token_type
	TokenType   string            // what Authorization begins with, if not "Bearer", such as "OAuth"; the answer may say either
	NoExpiry    bool              // expires_in says nothing: the token does not expire
}

// OIDC is a service that speaks OpenID Connect, as data. Endpoints and keys
// are discovered at the first login, not at start-up.
type OIDC struct {
	Info   Info
	Issuer string
	Scopes []string   // beside "openid"
	Params url.Values // always sent to the authorization endpoint
	Fields Fields     // the standard claims where empty, save that another Email wants a rule of its own

	// Endpoint, KeysURL and UserURL, where set, are used in place of discovered
	// ones. If AuthURL, TokenURL and KeysURL all are, nothing is discovered and
	// an empty UserURL means that there is no userinfo endpoint. A zero AuthStyle
	// means what metadata says, and HTTP Basic if it says nothing.
	Endpoint oauth2.Endpoint
	KeysURL  string
	UserURL  string

	// Discovery is where the metadata is, if not below Issuer. MetadataIssuer
	// is what it must name as its issuer, if not Issuer.
	Discovery      string
	MetadataIssuer string

	// Issuers are further values of iss that mean Issuer, such as Google's form
	// without https. The Identity carries Issuer for all of them.
	Issuers []string

	// Audiences are further values of aud that an ID token may have beside the
	// client ID, such as the other applications of one project. An ID token that
	// was made for anyone else too is refused.
	Audiences []string

	// Profile, if not nil, adds to the claims that the ID token gave. It cannot
	// change Subject or Issuer.
	Profile func(ctx context.Context, c *http.Client, tok Token, id *Identity) error

	// AcceptIssuer, if not nil, judges the issuer of an ID token whose
	// signature is good, in place of a comparison with Issuer. It is for
	// services with an issuer per tenant. With it, Subject carries a hash of
	// the issuer unless Fields.Subject names another path, and an email address
	// counts as verified only by a rule in Fields.EmailVerified.
	AcceptIssuer func(iss string, claims json.RawMessage) bool

	// Secret, if not nil, makes the client secret of each request, for
	// services that want a signed one.
	Secret func() (string, error)

	Algs         []string // signing algorithms of ID tokens: if empty, those with a public key that metadata names, or RS256
	RevokeURL    string   // RFC 7009, in place of a discovered one
	PostsBack    bool     // response_mode=form_post; sets Info.PostsBack
	Dialect      Dialect  // how the token endpoint departs from RFC 6749
	Active       string   // as in [OAuth2]
	PublicClient bool     // as in [OAuth2]
	NoPKCE       bool     // as in [OAuth2]
	NoUserInfo   bool     // the ID token is all that is read
	NoReauth     bool     // the service does not know prompt=login, or does not tell auth_time; clears Info.Reauth

	// EmailByPolicy states that email_verified is only as good as whoever runs
	// the server. It then counts only with [WithTrustedEmails].
	EmailByPolicy bool

	// InsecureNoNonce accepts ID tokens without the nonce that was sent, for a
	// service whose documents say that it does not return it. An ID token from
	// another login of the same browser is then told apart by PKCE alone, so that it
	// cannot be combined with NoPKCE.
	InsecureNoNonce bool

	// Now is the clock by which tokens, keys and metadata grow old, time.Now if
	// nil. It is for tests.
	Now func() time.Time
}

// OAuth1 is a service that speaks OAuth 1.0a (RFC 5849), as data.
type OAuth1 struct {
	Info     Info
	Issuer   string // scheme and host of Endpoint.AuthorizeURL if empty
	Endpoint oauth1.Endpoint
	UserURL  string
	Fields   Fields
	Active   string // as in [OAuth2]
}

// A Custom is a service that speaks none of the three. Each function gets the
// client with the library's limits; New fills in Identity.Provider, refuses an
// empty Subject and wraps errors. Begin finds the scopes and parameters of
// [WithScopes] and [WithParam] in its Request.
type Custom struct {
	Info     Info
	Issuer   string // Identity.Issuer where Complete leaves it empty
	Begin    func(ctx context.Context, c *http.Client, req Request) (Redirect, error)
	Complete func(ctx context.Context, c *http.Client, cb Callback) (Identity, Token, error)
	Refresh  func(ctx context.Context, c *http.Client, tok Token) (Token, error) // optional
	Client   func(ctx context.Context, c *http.Client, tok Token) *http.Client   // optional; what it returns is held to the rules of the function [Client]
}

// A Call is one request for a part of the profile. Its URL, Header, Query and
// Body are templates: {client_id}, {client_secret}, {client_basic} (both, as
// in HTTP Basic), {access_token}, {refresh_token}, {proof} (hex HMAC-SHA256 of
// the access token, keyed by the client secret), {token.x} (a member of the
// token answer, or of what [Dialect.Keep] kept), {callback.x} and {profile.x}.
// Values are escaped for where they stand. Where no part of a call holds
// {access_token} or {client_basic}, the access token is sent as a bearer token.
// A call of which a variable has no value fails, if it is not optional. Only {token.x} may stand for
// the host of a URL or for its beginning. In a Body, braces around anything else
// are text.
//
// A condition is one of these, or several parted by ";" of which one holds, where
// P is a path: "P==V" if P is there and its text is V, "P!=V" if P is there and
// its text is another, "P" if P is there and not null, "!P" if it is not.
type Call struct {
	Name        string      // the answer stands in the profile under it, for paths such as "emails:0.email"; of [OAuth2.User], empty
	Method      string      // "GET" if empty
	URL         string      //
	Header      http.Header //
	Query       url.Values  // added to the URL's own
	Body        string      // a form, JSON or GraphQL document
	ContentType string      // of Body
	Fail        string      // a condition on the answer that means failure whatever the status
	Optional    bool        // 403 and 404 mean that there is nothing, not that the login fails
}

// Fields says where in a profile each part of an [Identity] stands, as paths
// such as "data.user.id" or "images.0.url". Several paths parted by a space are
// joined with one. Numbers become strings without rounding. An empty path
// leaves a part empty.
//
// A path may begin with the document in which it stands, if not the profile:
// "token:", "id_token:", "callback:" or the name of a [Call], "emails:". A
// parameter of the callback that holds a JSON object is read as one. A part
// in brackets and quotes, ["https://slack.com/user_id"], is a literal key; one
// in brackets alone, emails[primary&verified].email, is the first element of a
// list whose members of those names are all true; [type==Email] compares a
// member with a text, and [scope~primary] looks for one in a list. The last
// element of a list is "last".
//
// Parts of "a|b" are tried in turn, "a&b" joins both with "/" and needs both.
// What follows ">" changes the value: strip:X removes a prefix, lastseg keeps
// what follows the last "/", noquery drops the query, nohtml unescapes HTML.
// These bind, from loose to tight: "|", space, "&", ">". A path that begins with
// "tmpl:" is a template with {paths}, empty if one of them is.
type Fields struct {
	Subject       string // required; "a|b" is refused, lest an account change its name on the day that a field comes or goes
	Email         string
	EmailVerified string // a path to JSON true, or a rule, see below
	Name          string
	Username      string
	AvatarURL     string
	ProfileURL    string
	Locale        string
}

// Rules of Fields.EmailVerified, where P is a path:
//
//	P                 P is JSON true
//	claim_loose:P     P is true, "true", 1 or "1"
//	int:P==1          P is that number
//	state:P==V        P is that text
//	nonnull:P         P is there and not null
//	nonempty:P        P is there and not empty: the field only holds confirmed addresses
//	in:P              the address is an element of the list P, or equals P
//	all:P,Q           P and Q are JSON true
//	any:r;r           one of the rules holds
//
// Whatever a rule says, an empty or malformed address is not verified.
