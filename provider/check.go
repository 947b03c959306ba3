package provider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

var (
	errNoClientID     = errors.New("client ID is empty: set it, for instance from an environment variable")
	errNoClientSecret = errors.New("client secret is empty: set it, for instance from an environment variable")
)

// inField says in which field a mistake is. It is nil if there is none.
func inField(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}

// checkInfo returns the mistakes in i.
func checkInfo(i Info) error {
	var errs []error
	if !validID(i.ID) {
		errs = append(errs, fmt.Errorf("Info.ID %q: want 1 to 40 of a-z, 0-9, _ and -, beginning with a letter or digit", i.ID))
	}
	for _, id := range i.FormerIDs {
		if !validID(id) || id == i.ID {
			errs = append(errs, fmt.Errorf("Info.FormerIDs: %q is no former ID", id))
		}
	}
	if strings.TrimSpace(i.Name) == "" || hasControl(i.Name) {
		errs = append(errs, errors.New("Info.Name is empty or holds control characters"))
	}
	if i.Setup != "" {
		errs = append(errs, inField("Info.Setup", checkURL(i.Setup)))
	}
	if i.API != "" {
		errs = append(errs, inField("Info.API", checkURL(i.API)))
	}
	if strings.Contains(i.API, "?") {
		errs = append(errs, errors.New("Info.API: it must not hold a query"))
	}
	for _, h := range i.Hosts {
		if u, err := url.Parse("https://" + h); err != nil || u.Host != h || h == "" || strings.Contains(h, "*") {
			errs = append(errs, fmt.Errorf("Info.Hosts: %q is no host", h))
		}
	}
	return errors.Join(errs...)
}

func validID(s string) bool {
	if s == "" || len(s) > 40 || s[0] == '_' || s[0] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// checkURL returns what is wrong with a URL of the service: it must be https,
// or http to this machine, and name nobody.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("it is no URL")
	case u.Hostname() == "":
		return errors.New("it has no host")
	case checkHTTPS(u) != nil:
		return fmt.Errorf("%s://%s: want https; http is for loopback addresses only", u.Scheme, u.Host)
	case u.User != nil:
		return fmt.Errorf("%s: it must not hold a user name or password", u.Host)
	case u.Fragment != "" || strings.Contains(s, "#"):
		return fmt.Errorf("%s: it must not hold a fragment", u.Host)
	case hasControl(s) || strings.ContainsAny(s, "{} "):
		return fmt.Errorf("%s: a character in it must be escaped", u.Host)
	}
	return nil
}

// checkURLField is checkURL for a field that must not be empty.
func checkURLField(field, s string) error {
	if s == "" {
		return fmt.Errorf("%s is empty", field)
	}
	return inField(field, checkURL(s))
}

// checkParams refuses the protocol's own parameters.
func (g *grant) checkParams(params url.Values) error {
	var errs []error
	for name := range params {
		if g.reserved(name) {
			errs = append(errs, fmt.Errorf("parameter %q belongs to the protocol and cannot be set", name))
		}
	}
	return errors.Join(errs...)
}

// checkClient returns what is wrong with the client's name and secret.
func checkClient(id, secret string, public bool) error {
	var errs []error
	if id == "" {
		errs = append(errs, errNoClientID)
	}
	if secret == "" && !public {
		errs = append(errs, errNoClientSecret)
	}
	for _, x := range []struct{ what, s string }{{"ID", id}, {"secret", secret}} {
		if x.s != strings.TrimSpace(x.s) || hasControl(x.s) {
			errs = append(errs, fmt.Errorf("client %s holds white space or control characters at an end or within", x.what))
		}
	}
	return errors.Join(errs...)
}

// checkScopes refuses scopes that would become two, or none.
func checkScopes(scopes []string, sep string) error {
	bad := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool {
		return s != "" && !strings.ContainsAny(s, " \"\\") && !hasControl(s) && (sep == "" || !strings.Contains(s, sep))
	})
	if len(bad) > 0 {
		return fmt.Errorf("scopes %q: each wants to be one word", bad)
	}
	return nil
}
