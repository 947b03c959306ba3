package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	freshMetadata = time.Hour
	keepMetadata  = 24 * time.Hour
)

// Metadata is what a login needs to know of a server, be it discovered or from
// the definition.
type metadata struct {
	endpoint  oauth2.Endpoint // its AuthStyle is decided
	keysURL   string
	userURL   string // "" if there is none
	revokeURL string // "" if there is none
	logoutURL string // "" if there is none
	algs      []string
	issParam  bool // the callback has a parameter iss (RFC 9207)
}

// pinned reports whether d says enough for a login, so that nothing is
// discovered.
func (d *OIDC) pinned() bool {
	return d.Endpoint.AuthURL != "" && d.Endpoint.TokenURL != "" && d.KeysURL != ""
}

// wellKnown returns where the metadata is: below the issuer, less a slash at
// its end (OpenID Connect Discovery 1.0 section 4).
func (d *OIDC) wellKnown() string {
	if d.Discovery != "" {
		return d.Discovery
	}
	return strings.TrimSuffix(d.Issuer, "/") + "/.well-known/openid-configuration"
}

// discover fetches the metadata and believes it only if it names the issuer
// that it was asked for: otherwise another server's documents could be passed
// off for this one's.
func (d *OIDC) discover(ctx context.Context, c *http.Client) (*metadata, error) {
	body, err := getDocument(ctx, c, d.wellKnown())
	if err != nil {
		return nil, &Error{Reason: reasonDiscoveryDown, Err: err}
	}
	return d.parseMetadata(body)
}

func (d *OIDC) parseMetadata(body []byte) (*metadata, error) {
	invalid := func(err error) (*metadata, error) {
		return nil, &Error{Reason: reasonDiscovery, Err: err}
	}
	doc, err := parseObject(body)
	if err != nil {
		return invalid(err)
	}
	iss, err := doc.text("issuer")
	if err != nil {
		return invalid(err)
	}
	if want := d.metadataIssuer(); iss != want && !slices.Contains(d.Issuers, iss) {
		return nil, &Error{Reason: reasonDiscoveryIssuer, Err: fmt.Errorf("issuer: want %q, got %.200q", want, iss)}
	}
	m := d.pins()
	for _, e := range []struct {
		name     string
		dst      *string
		required bool
	}{
		{"authorization_endpoint", &m.endpoint.AuthURL, true},
		{"token_endpoint", &m.endpoint.TokenURL, true},
		{"jwks_uri", &m.keysURL, true},
		{"userinfo_endpoint", &m.userURL, false},
		{"revocation_endpoint", &m.revokeURL, false},
		{"end_session_endpoint", &m.logoutURL, false},
	} {
		if *e.dst != "" {
			continue // the definition's own goes before
		}
		if *e.dst, err = doc.text(e.name); err != nil {
			return invalid(err)
		}
		if *e.dst == "" && !e.required {
			continue
		}
		if err := checkDiscovered(*e.dst, d.loopback()); err != nil {
			return invalid(fmt.Errorf("%s: %w", e.name, err))
		}
	}
	var methods, styles, algs []string
	for name, dst := range map[string]*[]string{
		"code_challenge_methods_supported":      &methods,
		"token_endpoint_auth_methods_supported": &styles,
		"id_token_signing_alg_values_supported": &algs,
	} {
		if *dst, err = doc.texts(name); err != nil {
			return invalid(err)
		}
	}
	if methods != nil && !slices.Contains(methods, "S256") && !d.NoPKCE {
		return invalid(errors.New("code_challenge_methods_supported: want S256 among them"))
	}
	m.issParam = doc["authorization_response_iss_parameter_supported"] == true
	m.algs = d.algs(algs)
	if len(m.algs) == 0 {
		return invalid(errors.New("id_token_signing_alg_values_supported: want one that uses a public key"))
	}
	m.endpoint.AuthStyle = d.authStyle(styles)
	return m, nil
}

// pins returns what the definition says itself.
func (d *OIDC) pins() *metadata {
	m := &metadata{endpoint: d.Endpoint, keysURL: d.KeysURL, userURL: d.UserURL, revokeURL: d.RevokeURL}
	m.algs = d.algs(nil)
	m.endpoint.AuthStyle = d.authStyle(nil)
	return m
}

func (d *OIDC) metadataIssuer() string {
	if d.MetadataIssuer != "" {
		return d.MetadataIssuer
	}
	return d.Issuer
}

// authStyle decides once how the client secret is sent, as a code that was sent
// in vain must not be sent again. A server that does not say wants HTTP Basic
// (OpenID Connect Discovery 1.0 section 3).
func (d *OIDC) authStyle(methods []string) oauth2.AuthStyle {
	switch {
	case d.Endpoint.AuthStyle != oauth2.AuthStyleAutoDetect:
		return d.Endpoint.AuthStyle
	case methods == nil || slices.Contains(methods, "client_secret_basic"):
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// publicAlgs are the algorithms that an ID token may be signed with. Those with
// a shared secret and "none" are not, whatever metadata says.
var publicAlgs = [...]string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// algs returns those that d, or else the metadata, names. Without either it is
// the one that each server must have.
func (d *OIDC) algs(named []string) []string {
	if len(d.Algs) > 0 {
		named = d.Algs
	} else if named == nil {
		named = []string{"RS256"}
	}
	var algs []string
	for _, alg := range publicAlgs {
		if slices.Contains(named, alg) {
			algs = append(algs, alg)
		}
	}
	return algs
}

// loopback reports whether the issuer is a server on this machine, as in tests.
// Its endpoints may then be, too.
func (d *OIDC) loopback() bool {
	u, err := url.Parse(d.Issuer)
	return err == nil && isLoopback(u.Hostname())
}

// checkDiscovered says what is wrong with a URL from metadata, which a browser
// or a secret is to be sent to. Only a server on this machine may name others
// on it: a real one that does is after what listens here.
func checkDiscovered(s string, loopback bool) error {
	if s == "" {
		return errors.New("missing")
	}
	if err := checkURL(s); err != nil {
		return err
	}
	if u, err := url.Parse(s); err != nil || isLoopback(u.Hostname()) && !loopback {
		return errors.New("a loopback address, which the issuer's is not")
	}
	return nil
}
