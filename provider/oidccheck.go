package provider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// Check implements [Checker].
func (p *oidcProvider) Check() error { return p.mistakes }

// check returns the mistakes in the definition and the options, save for those
// that parsing finds.
func (p *oidcProvider) check(clientSecret string) error {
	d := &p.d
	errs := []error{
		checkInfo(p.info),
		checkClient(p.clientID, clientSecret, d.PublicClient || d.Secret != nil),
		checkIssuer(d.Issuer),
		checkScopes(append(slices.Clone(d.Scopes), p.opts.scopes...), ""),
		p.grant.checkParams(d.Params),
		p.grant.checkParams(p.opts.params),
	}
	for field, s := range map[string]string{
		"Endpoint.AuthURL": d.Endpoint.AuthURL, "Endpoint.TokenURL": d.Endpoint.TokenURL,
		"KeysURL": d.KeysURL, "UserURL": d.UserURL, "RevokeURL": d.RevokeURL, "Discovery": d.Discovery,
	} {
		if s == "" {
			continue
		}
		if err := checkURL(s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		}
	}
	for _, alg := range d.Algs {
		if !slices.Contains(publicAlgs[:], alg) {
			errs = append(errs, fmt.Errorf("Algs: %q: want algorithms with a public key, such as RS256 or ES256", alg))
		}
	}
	if d.NoPKCE && d.InsecureNoNonce {
		errs = append(errs, errors.New("NoPKCE and InsecureNoNonce: without both, nothing ties a code to the login that it is for"))
	}
	if slices.Contains(d.Audiences, "") {
		errs = append(errs, errors.New("Audiences: one is empty"))
	}
	if d.NoUserInfo && d.UserURL != "" {
		errs = append(errs, errors.New("NoUserInfo and UserURL: want one of them"))
	}
	return errors.Join(errs...)
}

// checkIssuer returns what is wrong with an issuer (OpenID Connect Discovery
// 1.0 section 3).
func checkIssuer(iss string) error {
	if err := checkURLField("Issuer", iss); err != nil {
		return err
	}
	if u, err := url.Parse(iss); err != nil || u.RawQuery != "" || u.ForceQuery {
		return errors.New("Issuer: it must not hold a query")
	}
	return nil
}
