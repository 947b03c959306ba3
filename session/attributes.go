package session

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

const (
	maxDomain = 253
	maxLabel  = 63
)

// prefix returns what the names of cookies begin with: browsers take a __Host-
// cookie from one host alone, and no other host can plant one.
func (cfg *Config) prefix() string {
	if cfg.Insecure {
		return ""
	}
	return "__Host-"
}

// sessionPrefix is that of the cookies that Domain is about.
func (cfg *Config) sessionPrefix() string {
	if cfg.Domain != "" {
		return "__Secure-"
	}
	return cfg.prefix()
}

// attributes returns what the cookies of a login under way end with. They are of
// one host, and of no frame, however the session's cookie is.
func (cfg *Config) attributes() string {
	if cfg.Insecure {
		return "; HttpOnly; SameSite=Lax"
	}
	return "; HttpOnly; Secure; SameSite=Lax"
}

// sessionAttributes returns what the session's cookie ends with.
func (cfg *Config) sessionAttributes() string {
	var b strings.Builder
	if cfg.Domain != "" {
		b.WriteString("; Domain=" + cfg.Domain)
	}
	b.WriteString("; HttpOnly")
	if !cfg.Insecure {
		b.WriteString("; Secure")
	}
	switch cfg.SameSite {
	case http.SameSiteStrictMode:
		b.WriteString("; SameSite=Strict")
	case http.SameSiteNoneMode:
		b.WriteString("; SameSite=None")
	default:
		b.WriteString("; SameSite=Lax")
	}
	if cfg.Partitioned {
		b.WriteString("; Partitioned")
	}
	return b.String()
}

// attributesOf returns what the cookie of that name ends with. A browser is
// remembered for as far as its session reaches.
func (m *Manager) attributesOf(name string) string {
	if name == m.cookie || name == m.rememberCookie {
		return m.sessionAttributes
	}
	return m.attributes
}

func (cfg *Config) checkAttributes(wrong func(format string, args ...any)) {
	if cfg.Domain != "" {
		if want := wantDomain(cfg.Domain); want != "" {
			wrong("Domain: want %s; got %q", want, cfg.Domain)
		}
		if cfg.Insecure {
			wrong("Domain: want it empty with Insecure: over plain http, anybody on the network could set a cookie of it")
		}
	}
	switch cfg.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if !cfg.Partitioned {
			wrong("SameSite: want Partitioned with SameSiteNoneMode: without it, every site could act in people's names")
		}
	default:
		wrong("SameSite: want http.SameSiteLaxMode, http.SameSiteStrictMode or http.SameSiteNoneMode; got %d", cfg.SameSite)
	}
	if cfg.Partitioned && cfg.Insecure {
		wrong("Partitioned: want it false with Insecure: browsers keep such a cookie only if it came over https")
	}
	if cfg.Partitioned && cfg.Domain != "" {
		wrong("Partitioned: want it false with Domain: a cookie that stays in one frame is of one host")
	}
}

// wantDomain returns "" if a cookie may be of that domain, or what is wanted
// instead.
func wantDomain(domain string) string {
	labels := strings.Split(domain, ".")
	last := labels[len(labels)-1]
	_, notIP := netip.ParseAddr(strings.Trim(domain, "[]"))
	switch {
	case strings.HasPrefix(domain, "."):
		return "it without the dot in front"
	case strings.HasSuffix(domain, "."):
		return "it without the dot at the end"
	case notIP == nil, last != "" && strings.Trim(last, "0123456789") == "":
		return "the name of a host, not an address, of which no host is below"
	case strings.Contains(domain, ":"), strings.Contains(domain, "/"):
		return "the name of a host alone, without scheme, port or path"
	case strings.ToLower(domain) != domain:
		return "it in lower case"
	case strings.ContainsFunc(domain, func(c rune) bool { return c > 0x7e }):
		return `it as browsers send it, such as "xn--bcher-kva.example"`
	case len(domain) > maxDomain || slices.ContainsFunc(labels, notLabel):
		return `the name of a host, such as "example.com"`
	case len(labels) < 2:
		return "the name of a host with a dot in it, of which the hosts below are yours"
	}
	// Browsers refuse such a cookie as well, but other clients may not know.
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain {
		return "a domain of your own: anybody can have a host below this one"
	}
	return ""
}

// notLabel reports whether s is no part of a host's name (RFC 1123 section 2.1).
func notLabel(s string) bool {
	return s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' ||
		strings.ContainsFunc(s, func(c rune) bool { return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') })
}
