// Package providertest tests providers, and apps that log people in.
//
// A [Server] is a service on this machine at which a test logs people in, by
// OpenID Connect, OAuth 2.0 or OAuth 1.0a:
//
//	srv := providertest.NewServer(t)
//	srv.Profile = map[string]any{"sub": "1", "name": "Ada"}
//	auth, err := middleware.New(cfg, srv.Provider())
//
// [Run] tests that a Provider of your own keeps the promises of the interface.
// A provider whose URLs are fixed, such as https://github.com, is given
// [Server.Transport] as its client's transport, so that the Server answers in
// the service's place.
package providertest
