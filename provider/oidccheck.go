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
		checkScopes(append(slices.Clone(d.Scopes), p.opts.scopes...), ""),
		p.grant.checkParams(d.Params),
		p.grant.checkParams(p.opts.params),
	}
	add := func(field string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		}
	}
	add("Issuer", checkIssuer(d.Issuer))
	for field, s := range map[string]string{
		"Endpoint.AuthURL": d.Endpoint.AuthURL, "Endpoint.TokenURL": d.Endpoint.TokenURL,
		"KeysURL": d.KeysURL, "UserURL": d.UserURL, "RevokeURL": d.RevokeURL, "Discovery": d.Discovery,
	} {
		if s != "" {
			add(field, checkURL(s))
		}
	}
	for _, alg := range d.Algs {
		if !slices.Contains(publicAlgs[:], alg) {
			add("Algs", fmt.Errorf("%q: want algorithms with a public key, such as RS256 or ES256", alg))
		}
	}
	if d.NoPKCE && d.InsecureNoNonce {
		add("InsecureNoNonce", errors.New("with NoPKCE, too, nothing ties a code to the login that it is for"))
	}
	if slices.Contains(d.Audiences, "") {
		add("Audiences", errors.New("one is empty"))
	}
	if slices.Contains(d.Issuers, "") {
		add("Issuers", errors.New("one is empty"))
	}
	if d.NoUserInfo && d.UserURL != "" {
		add("NoUserInfo", errors.New("there is a UserURL, too"))
	}
	return errors.Join(errs...)
}

// checkIssuer returns what is wrong with an issuer (OpenID Connect Discovery
// 1.0 section 3).
func checkIssuer(iss string) error {
	if iss == "" {
		return errors.New("it is empty")
	}
	if err := checkURL(iss); err != nil {
		return err
	}
	if u, err := url.Parse(iss); err != nil || u.RawQuery != "" || u.ForceQuery {
		return errors.New("it must not hold a query")
	}
	return nil
}
