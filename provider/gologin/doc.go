// Package gologin makes the handlers of github.com/dghubble/gologin/v2 into
// providers, for an app that has some.
//
// A gologin chain reads a callback, gets a token, reads a profile and calls a
// success handler. [OAuth2] and [OAuth1] lead the callback of a login through
// such a chain, and put underneath what it lacks: a state that is used once, PKCE,
// an OAuth 1.0a callback that belongs to the browser in which the login began,
// the limits of this library's HTTP client, and a context that ends requests.
// Nothing of the chain reaches the browser, and it needs none of gologin's
// cookies.
//
// [Facebook], [Bitbucket], [Twitter] and [Tumblr] are ready for use with
// gologin's packages of those names. They have the same IDs, and give people the
// same subjects, as their namesakes in package
// [github.com/gatepass/gatepass/provider/catalog], which say more about a person and
// should be preferred by an app that has no gologin handlers yet.
//
// An app may also leave its handlers where they are, and call
// middleware.Auth.LoginIdentity in its success handler. It then keeps gologin's
// own protection, which is weaker; see examples/gologin.
package gologin
