package provider

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// deniedCodes are the error codes with which services say that the person said no.
var deniedCodes = [...]string{
	"access_denied", "authorization_denied", "cancelled", "canceled", "denied", "user_cancel", "user_cancelled",
	"user_canceled", "user_cancelled_authorize", "user_cancelled_login", "user_denied", "consent_denied",
}

// callbackError returns the error that the callback carries, if any.
func callbackError(info Info, cb Callback) error {
	if cb.Param("error") == "" {
		return nil
	}
	e := &Error{Provider: info.ID, Op: "exchange", Code: safeCode(cb.Param("error")), Reason: reasonProvider}
	switch {
	case slices.Contains(deniedCodes[:], strings.ToLower(cb.Param("error"))):
		e.Reason, e.Err = reasonDenied, ErrDenied
	case e.Code == "temporarily_unavailable" || e.Code == "server_error":
		e.Reason, e.Err = reasonDown, ErrUnavailable
	default:
		e.Err = errors.New("the service returned an error")
	}
	return e
}

// safeCode returns s if it may stand in a log, else "": who makes up a code could
// put a secret there, such as the one that was just sent. Codes are words, or
// short numbers; secrets that are long and in lower case have digits in them.
func safeCode(s string) string {
	if len(s) > 64 || len(s) > 16 && strings.ContainsAny(s, "0123456789") {
		return ""
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return ""
		}
	}
	return s
}

// checkIss compares the callback's iss (RFC 9207) with want. If want is not what
// the service is known to send, but made from a URL of it, only origins are
// compared, and only if the callback has an iss.
func checkIss(info Info, cb Callback, want string, exact bool) error {
	iss := cb.Param("iss")
	switch {
	case iss == "" && !cb.params.Has("iss"):
		return nil
	case exact && iss == want, !exact && origin(iss) != "" && origin(iss) == origin(want):
		return nil
	}
	return newError(info, "exchange", reasonIssuer, errors.New("the callback comes from another service"))
}

// origin returns scheme and host of s in one spelling, or "".
func origin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return strings.ToLower(u.Scheme) + "://" + hostPort(u)
}

// hostPort returns u's host in lower case, without the port that its scheme means.
func hostPort(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if p := u.Port(); u.Scheme == "https" && p == "443" || u.Scheme == "http" && p == "80" {
		host = strings.TrimSuffix(host, ":"+p)
	}
	return strings.TrimSuffix(host, ":")
}
