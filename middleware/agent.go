package middleware

import (
	"strings"

	"github.com/mileusna/useragent"
)

const (
	unknownBrowser = "Unknown browser"
	maxAgent       = 256 // what package session keeps of a User-Agent
	maxProduct     = 32
)

// browserName says in words what a User-Agent claims to be: "Firefox on
// Windows", "Safari on iPhone", "curl". Whoever logged in chose that text, so
// that nothing of it is shown but the name of a product.
func browserName(userAgent string) string {
	userAgent = cut(userAgent, maxAgent)
	ua := useragent.Parse(userAgent)
	name := ua.Name
	// The parser's own names may have spaces; a product's in a User-Agent has none
	// (RFC 9110 section 10.1.5), and a sentence has. Of a text that names no product
	// with a version, the parser gives any other part.
	sentence := strings.Contains(name, " ") && strings.Contains(userAgent, name) && name != useragent.OperaMini
	if ua.Version == "" || !plainProduct(name) || sentence {
		name = unknownBrowser
	}
	if on := systemName(ua); on != "" {
		return name + " on " + on
	}
	return name
}

// systemName returns what people call the machine that ua says it runs on, one
// of a few words, or "".
func systemName(ua useragent.UserAgent) string {
	switch ua.OS {
	case useragent.IOS:
		if ua.Device == "iPhone" || ua.Device == "iPad" {
			return ua.Device
		}
	case useragent.MacOS:
		return "Mac"
	}
	return ua.OS
}

// plainProduct reports whether s looks like the name of a program and of
// nothing else.
func plainProduct(s string) bool {
	return s != "" && len(s) <= maxProduct && s[0] != ' ' && !strings.ContainsFunc(s, func(c rune) bool {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return false
		}
		return !strings.ContainsRune(" -_.", c)
	})
}
