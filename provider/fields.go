package provider

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A mapper is the parsed form of [Fields].
type mapper struct {
	subject, email, name, username, avatar, page, locale *path
	verified                                             rule
}

// compile parses f. Calls are the names of the documents that paths may begin
// with beside the usual ones. The mapper is usable despite an error: what could
// not be parsed is left out.
func (f Fields) compile(calls []string) (*mapper, error) {
	m := &mapper{}
	var errs []error
	if calls == nil {
		calls = []string{}
	}
	for _, x := range []struct {
		name, text string
		to         **path
	}{
		{"Subject", f.Subject, &m.subject},
		{"Email", f.Email, &m.email},
		{"Name", f.Name, &m.name},
		{"Username", f.Username, &m.username},
		{"AvatarURL", f.AvatarURL, &m.avatar},
		{"ProfileURL", f.ProfileURL, &m.page},
		{"Locale", f.Locale, &m.locale},
	} {
		if x.text == "" {
			continue
		}
		p, err := parsePath(x.text, calls)
		if err != nil {
			errs = append(errs, inField("Fields."+x.name, err))
			continue
		}
		*x.to = p
	}
	if m.subject != nil && !m.subject.single() {
		errs = append(errs, errors.New(`Fields.Subject: "a|b" would give an account another name when a field comes or goes`))
		m.subject = nil
	}
	if f.EmailVerified != "" {
		r, err := parseRule(f.EmailVerified, calls)
		if err != nil {
			errs = append(errs, inField("Fields.EmailVerified", err))
		}
		m.verified = r
	}
	return m, errors.Join(errs...)
}

// identity says who d tells of. It does not judge Subject; see checkSubject.
func (m *mapper) identity(d documents, emailsVerified bool) Identity {
	id := Identity{
		Subject:    m.subject.eval(d, true),
		Email:      m.email.eval(d, false),
		Name:       m.name.eval(d, false),
		Username:   m.username.eval(d, false),
		AvatarURL:  httpsOnly(m.avatar.eval(d, false)),
		ProfileURL: httpsOnly(m.page.eval(d, false)),
		Locale:     m.locale.eval(d, false),
	}
	if !validEmail(id.Email) {
		id.Email = ""
	}
	id.EmailVerified = id.Email != "" && (emailsVerified || m.verified != nil && m.verified(id.Email, d))
	return id
}

// checkSubject refuses a subject that a store might cut or that prints as
// another one.
func checkSubject(s string) error {
	switch {
	case s == "":
		return errors.New("the profile names no account")
	case len(s) > 255:
		return errors.New("the account's name is longer than 255 bytes")
	case !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) || hasControl(s):
		return errors.New("the account's name is not plain text")
	}
	return nil
}

// validEmail is strict, as what it lets through may be compared and mailed to.
func validEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || len(s) > 320 {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return !strings.ContainsAny(s, `()<>[],;:\"`) && !strings.Contains(domain, "@") &&
		!strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".") && !strings.Contains(domain, "..")
}

// httpsOnly returns s if it is an https URL, else "".
func httpsOnly(s string) string {
	if s == "" || len(s) > 4096 || hasControl(s) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return s
}
