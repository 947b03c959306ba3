package middleware

import (
	"context"
	"errors"
	"net/mail"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatepass/gatepass/provider"
)

// An AdmitFunc decides whether a person may log in, before anything about
// them is stored. It returns nil to let them in, and otherwise the reason.
type AdmitFunc func(ctx context.Context, id provider.Identity) error

// AdmitDomains admits people with a verified email address in one of the
// domains. A subdomain is another domain.
func AdmitDomains(domains ...string) AdmitFunc {
	admitted := make(map[string]bool, len(domains))
	for _, d := range domains {
		admitted[strings.ToLower(strings.TrimPrefix(d, "@"))] = true
	}
	return func(_ context.Context, id provider.Identity) error {
		address, ok := parseEmail(id.Email)
		if !ok || !id.EmailVerified {
			return errors.New("no verified email address")
		}
		if !admitted[address[strings.LastIndexByte(address, '@')+1:]] {
			return errors.New("email address is in another domain")
		}
		return nil
	}
}

func (a *Auth) admit(ctx context.Context, id provider.Identity) error {
	if a.cfg.Admit == nil {
		return nil
	}
	err := hooked(func() error { return a.cfg.Admit(ctx, id) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errPanic):
		return err
	}
	return because("not_admitted", errors.Join(ErrNotAdmitted, err))
}

// limits of what a provider says of a person, in bytes.
const (
	maxSubject = 255
	maxName    = 200
	maxEmail   = 320
	maxURL     = 2048
	maxProfile = 256 << 10
)

// checkIdentity refuses an Identity that cannot be told from others, stamps it
// with the provider's ID, and cleans what is only for show.
func checkIdentity(e *entry, id *provider.Identity) error {
	if id.Provider != "" && id.Provider != e.info.ID {
		return because("identity_provider", &provider.Error{Provider: e.info.ID, Op: "verify", Err: errors.New("identity names another provider")})
	}
	id.Provider = e.info.ID
	if id.Subject == "" || len(id.Subject) > maxSubject || !utf8.ValidString(id.Subject) || strings.ContainsFunc(id.Subject, unicode.IsControl) {
		return because("profile_id", &provider.Error{Provider: e.info.ID, Op: "verify", Err: errors.New("subject is empty, too long or not text")})
	}
	if len(id.Issuer) > maxSubject || !utf8.ValidString(id.Issuer) {
		return because("profile_id", &provider.Error{Provider: e.info.ID, Op: "verify", Err: errors.New("issuer is too long or not text")})
	}
	id.Name, id.Username, id.Locale = display(id.Name, maxName), display(id.Username, maxName), display(id.Locale, 35)
	id.AvatarURL, id.ProfileURL = httpsURL(id.AvatarURL), httpsURL(id.ProfileURL)
	if _, ok := parseEmail(id.Email); !ok {
		id.Email, id.EmailVerified = "", false
	}
	return nil
}

// display returns s as it may be shown: valid text in one line, without
// control characters and without those that turn the direction of writing.
func display(s string, limit int) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c == utf8.RuneError, unicode.Is(unicode.Bidi_Control, c):
			return -1
		case unicode.IsControl(c), c == 0x2028, c == 0x2029:
			return ' '
		}
		return c
	}, s)
	return strings.TrimSpace(cut(strings.TrimSpace(s), limit))
}

func httpsURL(s string) string {
	if s == "" || len(s) > maxURL {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// parseEmail returns the address in lower case, if it is one that can be
// compared: a bare ASCII address with one @. Quoted and foreign forms look
// like others and are refused.
func parseEmail(s string) (string, bool) {
	if s == "" || len(s) > maxEmail || strings.Count(s, "@") != 1 {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte(`"(),:;<>[\]`, c) >= 0 {
			return "", false
		}
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s || !strings.Contains(s[strings.IndexByte(s, '@'):], ".") && !strings.HasSuffix(s, "@localhost") {
		return "", false
	}
	return strings.ToLower(s), true
}
