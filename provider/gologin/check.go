package gologin

import (
	"errors"
	"fmt"
	"net"
	"net/url"
)

// common returns the mistakes that a chain of either protocol can have.
func common(callback, identity, config bool) error {
	var errs []error
	for _, field := range [...]struct {
		name string
		set  bool
	}{{"Callback", callback}, {"Identity", identity}, {"Config", config}} {
		if !field.set {
			errs = append(errs, fmt.Errorf("gologin: %s is nil", field.name))
		}
	}
	return errors.Join(errs...)
}

func wanted(field, value string) error {
	if value == "" {
		return fmt.Errorf("gologin: %s is empty", field)
	}
	return nil
}

// secure returns nil if value is an absolute https URL, or one of this machine.
func secure(field, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("gologin: %s: want an absolute URL", field)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("gologin: %s: want https", field)
	}
	return nil
}

// origin returns the scheme and host of an URL, or "".
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// normal returns raw as it stands in a request that was made from it.
func normal(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.String()
}

// addParams adds what raw's query does not say already, so that nothing of the
// protocol, such as the state, is replaced.
func addParams(raw string, params url.Values) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errAuthURL
	}
	q := u.Query()
	for name, values := range params {
		if !q.Has(name) {
			q[name] = values
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
