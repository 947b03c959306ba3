package catalog

import (
	"errors"
	"net/url"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// OIDC logs people in with any server that speaks OpenID Connect and publishes
// where its endpoints are: https://openid.net/specs/openid-connect-discovery-1_0.html
//
// The issuer is what the server calls itself, such as
// "https://login.example.com/tenant", with a slash at the end or without, just
// as it does. Give it a name with [provider.WithName], and with
// [provider.WithID] an ID of its own that you never change.
//
// Whoever runs the server decides what email_verified means. So an address
// counts as verified only with [provider.WithTrustedEmails].
//
// To act for people who are away, add provider.WithScopes("offline_access").
func OIDC(issuer, id, secret string, opts ...provider.Option) provider.Provider {
	return own(provider.Info{ID: "oidc", Name: "OpenID Connect"}, issuer).New(id, secret, opts...)
}

// Okta logs people in with an Okta organization, such as "acme.okta.com". For
// an authorization server of its own, add its path:
// "acme.okta.com/oauth2/default".
// https://developer.okta.com/docs/guides/sign-into-web-app-redirect/
//
// On verified addresses and on acting for people who are away, see [OIDC].
func Okta(domain, id, secret string, opts ...provider.Option) provider.Provider {
	d := own(provider.Info{ID: "okta", Name: "Okta", Setup: at(domain) + "/admin/apps/active"}, at(domain))
	d.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return d.New(id, secret, opts...)
}

// Auth0 logs people in with an Auth0 tenant, such as "acme.eu.auth0.com", or
// your own domain for it: https://auth0.com/docs/get-started/authentication-and-authorization-flow
//
// On verified addresses and on acting for people who are away, see [OIDC]. For
// a token that an API of yours takes, add
// provider.WithParam("audience", "https://api.example.com").
func Auth0(domain, id, secret string, opts ...provider.Option) provider.Provider {
	// Auth0's issuers end in a slash.
	d := own(provider.Info{ID: "auth0", Name: "Auth0", Setup: "https://manage.auth0.com"}, at(domain)+"/")
	d.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	d.Fields.Username = "nickname"
	return d.New(id, secret, opts...)
}

// Keycloak logs people in with a realm of a Keycloak server, such as
// "login.example.com" and "staff". Before version 17 the server is
// "login.example.com/auth". On a developer's machine it may be
// "http://localhost:8080".
// https://www.keycloak.org/securing-apps/oidc-layers
//
// On verified addresses and on acting for people who are away, see [OIDC].
func Keycloak(host, realm, id, secret string, opts ...provider.Option) provider.Provider {
	d := own(provider.Info{ID: "keycloak", Name: "Keycloak", Setup: at(host) + "/admin/"}, at(host)+"/realms/"+url.PathEscape(realm))
	d.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	p := d.New(id, secret, opts...)
	if realm == "" {
		return mistaken{p, errors.New("catalog: realm is empty: want the name of a realm, such as staff")}
	}
	return p
}

// own is a server of the developer's choice.
func own(info provider.Info, issuer string) *provider.OIDC {
	return &provider.OIDC{
		Info:          info,
		Issuer:        issuer,
		Scopes:        []string{"profile", "email"},
		EmailByPolicy: true,
	}
}
