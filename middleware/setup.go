package middleware

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// mistakes collects all that is wrong with a Config.
type mistakes struct{ list []error }

func (m *mistakes) add(format string, args ...any) {
	m.list = append(m.list, fmt.Errorf("middleware: "+format, args...))
}

func (m *mistakes) err() error { return errors.Join(m.list...) }

// parts returns the errors that errors.Join has joined in err, so that each
// stands on a line of its own with the field that it is about.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	var lines []string
	for _, part := range joined.Unwrap() {
		all = append(all, parts(part)...)
		lines = append(lines, part.Error())
	}
	if strings.Join(lines, "\n") != err.Error() {
		return []error{err} // a sentence made of several errors
	}
	return all
}

var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

func (a *Auth) setBase(cfg *Config, m *mistakes) {
	if cfg.Path == "" {
		cfg.Path = "/auth"
	}
	if !plainPath.MatchString(cfg.Path) || path.Clean(cfg.Path) != cfg.Path {
		m.add(`Path: got %q, want a path such as "/auth", without a slash at the end`, cfg.Path)
	}
	a.prefix = cfg.Path
	if cfg.BaseURL == "" {
		m.add(`BaseURL: want where people reach the app, such as "https://app.example.com"`)
		return
	}
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" {
		m.add(`BaseURL: got %q, want scheme and host, such as "https://app.example.com"`, cfg.BaseURL)
		return
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		m.add("BaseURL: want no user, query or fragment")
	}
	if strings.ContainsFunc(u.Host, func(c rune) bool { return c > 0x7e }) {
		m.add(`BaseURL: got host %q, want it as browsers send it, such as "xn--bcher-kva.example"`, u.Host)
	}
	a.loopback = isLoopback(u.Hostname())
	if u.Scheme == "http" && !a.loopback {
		m.add("BaseURL: got http for %s, want https: session cookies travel with every request; plain http is for localhost only", u.Hostname())
	}
	a.base = strings.TrimSuffix(u.Path, "/")
	if a.base != "" && (!plainPath.MatchString(a.base) || path.Clean(a.base) != a.base || u.RawPath != "") {
		m.add(`BaseURL: got path %q, want a plain one such as "/shop"`, u.Path)
	}
	a.host = canonicalHost(u.Scheme, u.Host)
	a.origin = u.Scheme + "://" + a.host
	a.prefix = a.base + cfg.Path
	cfg.Session.Insecure = u.Scheme == "http"
}

// canonicalHost is host as browsers write it in an origin: in lower case and
// without the scheme's own port.
func canonicalHost(scheme, host string) string {
	host = strings.ToLower(host)
	if name, port, err := net.SplitHostPort(host); err == nil {
		if scheme == "https" && port == "443" || scheme == "http" && port == "80" || port == "" {
			if strings.Contains(name, ":") {
				return "[" + name + "]"
			}
			return name
		}
	}
	return host
}

// isLoopback reports whether name can only mean this machine.
func isLoopback(name string) bool {
	name = strings.ToLower(name)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

var plainID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

func (a *Auth) setProviders(cfg *Config, providers []provider.Provider, m *mistakes) {
	if len(providers) == 0 && len(cfg.LocalAccounts) == 0 {
		m.add("providers: got none, want at least one, such as catalog.GitHub(id, secret)")
	}
	taken := make(map[string]string)
	take := func(id, by string) {
		if other, ok := taken[id]; ok {
			m.add("%s: the ID %q is also that of %s; see provider.WithID", by, id, other)
			return
		}
		taken[id] = by
	}
	for i, p := range providers {
		if p == nil {
			m.add("providers[%d]: got nil", i)
			continue
		}
		e := &entry{Provider: p, info: p.Info(), logsOut: provider.VerifiesLogout(p)}
		e.callback = a.CallbackURL(e.info.ID)
		by := fmt.Sprintf("providers[%d] (%s)", i, e.info.ID)
		if !plainID.MatchString(e.info.ID) {
			m.add("providers[%d]: got ID %q, want lower-case letters, digits, - and _, at most 40", i, e.info.ID)
		}
		if e.info.Name == "" {
			e.info.Name = e.info.ID
		}
		for _, id := range e.ids() {
			take(id, by)
		}
		for _, err := range parts(provider.Check(p)) {
			m.add("%s: %w", by, err)
		}
		a.entries = append(a.entries, e)
		a.byID[e.info.ID] = e
		a.usable = append(a.usable, e.ids()...)
	}
	for i, id := range cfg.LocalAccounts {
		if id == "" {
			m.add("LocalAccounts[%d]: got an empty ID", i)
		}
		take(id, fmt.Sprintf("LocalAccounts[%d]", i))
		a.usable = append(a.usable, id)
	}
	for i, id := range cfg.DangerouslyLinkByEmail {
		if a.byID[id] == nil {
			m.add("DangerouslyLinkByEmail[%d]: no provider is called %q", i, id)
		}
	}
}

func (a *Auth) setDefaults(cfg *Config, m *mistakes) {
	if cfg.Store == nil {
		m.add("Store: got nil, want for instance one of gormstore.Open")
	}
	for _, f := range []struct {
		name string
		path *string
	}{{"AfterLogin", &cfg.AfterLogin}, {"AfterLogout", &cfg.AfterLogout}} {
		if *f.path == "" {
			*f.path = a.base + "/"
			continue
		}
		clean, ok := a.cleanReturnTo(*f.path)
		if !ok {
			m.add("%s: got %q, want a path of this app such as %q", f.name, *f.path, a.base+"/home")
		}
		*f.path = clean
	}
	if cfg.LoginURL != "" && !a.goodLoginURL(cfg.LoginURL) {
		m.add(`LoginURL: got %q, want a path of this app such as "/login", or an https URL`, cfg.LoginURL)
	}
	a.setClientIP(cfg, m)
	cfg.OldSecrets = slices.Clone(cfg.OldSecrets)
	cfg.TrustedProxies = slices.Clone(cfg.TrustedProxies)
	cfg.LocalAccounts = slices.Clone(cfg.LocalAccounts)
	cfg.DangerouslyLinkByEmail = slices.Clone(cfg.DangerouslyLinkByEmail)
}

func (a *Auth) goodLoginURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" || u.Fragment != "" || strings.ContainsAny(s, "\\\r\n\t") {
		return false
	}
	if u.Host == "" {
		return u.Scheme == "" && strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func (a *Auth) setSessions(m *mistakes) {
	cfg := a.cfg.Session
	if cfg.Secret != "" || len(cfg.OldSecrets) > 0 {
		m.add("Session.Secret, Session.OldSecrets: want them empty; they are Secret and OldSecrets of this Config")
	}
	cfg.Secret, cfg.OldSecrets = a.cfg.Secret, a.cfg.OldSecrets
	cfg.Audience = a.origin + a.prefix
	a.checkDomain(cfg.Domain, m)
	a.vary = varyOn(cfg.Header)
	if cfg.Store == nil && a.cfg.Store != nil {
		cfg.Store = a.cfg.Store
		_, transacts := a.cfg.Store.(store.Transactor)
		_, counts := a.cfg.Store.(store.SessionCounter)
		a.oneStore = transacts && counts
	}
	if cfg.Store == nil {
		cfg.Store = struct{ store.Sessions }{} // reported by setDefaults; what else is wrong is told as well
	}
	if cfg.Users == nil {
		cfg.Users = a.cfg.Store
	}
	if cfg.ClientIP == nil {
		cfg.ClientIP = a.clientIP
	}
	a.cfg.Session.Store, a.cfg.Session.Users = cfg.Store, cfg.Users
	var err error
	a.sessions, err = session.New(cfg)
	for _, err := range parts(err) {
		m.add("%w", err)
	}
}

// checkDomain reports a domain from which browsers would take no cookie of ours.
func (a *Auth) checkDomain(domain string, m *mistakes) {
	if domain == "" || a.host == "" {
		return
	}
	host := a.host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host != domain && !strings.HasSuffix(host, "."+domain) {
		m.add("Session.Domain: got %q, want the host of BaseURL, %s, or one that it is below", domain, host)
	}
}
