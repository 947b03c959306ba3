package session

import (
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

// plugValue is the name under which a gorilla session holds our token.
const plugValue = "gatepass"

var errNilPlugged = errors.New("the gorilla store returned neither a session nor an error")

// opened returns what Config.Cookies has of the request, or nil if it has
// nothing. It does not use Get, which changes the request: two goroutines may
// ask about one.
func (m *Manager) opened(r *http.Request) (*sessions.Session, error) {
	s, err := m.cfg.Cookies.New(r, m.cookie)
	switch {
	case undecodable(err), errors.Is(err, fs.ErrNotExist):
		return nil, nil // forged, of another key, or deleted
	case err != nil:
		return nil, err
	case s == nil:
		return nil, errNilPlugged
	case s.IsNew:
		return nil, nil
	}
	return s, nil
}

// undecodable reports whether err is about what the browser sent. Of a value that
// is too long, securecookie says neither that it is nor that it is not.
func undecodable(err error) bool {
	var e securecookie.Error
	return errors.As(err, &e) && (e.IsDecode() || !e.IsUsage() && !e.IsInternal())
}

// apart returns a request for each of the session's cookies that r has: one, but
// for a browser in which someone put another. Of two, a gorilla store sees one.
func (m *Manager) apart(r *http.Request) []*http.Request {
	if _, n := findCookie(r, m.cookie); n < 2 {
		return []*http.Request{r}
	}
	var all []*http.Request
	eachCookie(r, m.cookie+"=", func(name, value string) bool {
		one := r.WithContext(r.Context())
		one.Header = maps.Clone(r.Header)
		one.Header["Cookie"] = []string{name + "=" + value}
		all = append(all, one)
		return len(all) < 4
	})
	return all
}

// plugged returns the token that Config.Cookies keeps for the request, or "".
func (m *Manager) plugged(r *http.Request) (string, error) {
	s, err := m.opened(r)
	if s == nil {
		return "", err
	}
	text, _ := s.Values[plugValue].(string)
	return text, nil
}

// plug gives Config.Cookies a token to keep. The gorilla session before is
// deleted, and the new one has no ID yet: gorilla's own stores would keep the
// ID that the browser sent, even of a session that was deleted. Of the app's own
// values in it, what CarryOver lists stays, if anything may.
func (m *Manager) plug(w http.ResponseWriter, r *http.Request, text string, life time.Duration, stays bool) error {
	before, err := m.opened(r)
	if err != nil {
		return err
	}
	s := sessions.NewSession(m.cfg.Cookies, m.cookie)
	s.IsNew = true
	if before != nil {
		if stays {
			s.Values = m.staying(before.Values)
		}
		clear(before.Values)
		if err := m.save(w, r, before, -1); err != nil {
			return err
		}
	}
	s.Values[plugValue] = text
	return m.save(w, r, s, life)
}

// replug changes the token of the gorilla session of the request. Others that the
// browser has sent meanwhile still find it.
func (m *Manager) replug(w http.ResponseWriter, r *http.Request, text string, life time.Duration) error {
	s, err := m.opened(r)
	if s == nil {
		return err
	}
	s.Values[plugValue] = text
	return m.save(w, r, s, life)
}

// unplug deletes the gorilla session of the request, if it has one.
func (m *Manager) unplug(w http.ResponseWriter, r *http.Request) error {
	s, err := m.opened(r)
	if s == nil {
		return err
	}
	clear(s.Values)
	return m.save(w, r, s, -1)
}

// save saves s, for life or, if that is negative, to delete it. Whatever the
// store's own options are, the cookie gets our attributes, and the answer sets
// it once.
func (m *Manager) save(w http.ResponseWriter, r *http.Request, s *sessions.Session, life time.Duration) error {
	age := -1
	if life >= 0 {
		age = int(seconds(life))
	}
	s.Options = &sessions.Options{
		Path: "/", Domain: m.cfg.Domain, MaxAge: age, HttpOnly: true, Secure: !m.cfg.Insecure,
		SameSite: m.cfg.SameSite, Partitioned: m.cfg.Partitioned,
	}
	h := headerOnly{http.Header{}}
	if err := m.cfg.Cookies.Save(r, h, s); err != nil {
		return err
	}
	for name, lines := range h.header {
		if name != "Set-Cookie" {
			w.Header()[name] = lines
			continue
		}
		for _, line := range lines {
			pair, _, _ := strings.Cut(line, ";")
			value, ours := strings.CutPrefix(pair, m.cookie+"=")
			switch {
			case !ours:
				w.Header().Add(name, line)
			case life < 0:
				m.expireCookie(w, m.cookie)
			default:
				m.setCookie(w, m.cookie, value, life)
			}
		}
	}
	return nil
}

// headerOnly takes the header of an answer that is sent by someone else, or not
// at all if the store fails.
type headerOnly struct{ header http.Header }

func (h headerOnly) Header() http.Header         { return h.header }
func (h headerOnly) Write(p []byte) (int, error) { return len(p), nil }
func (h headerOnly) WriteHeader(int)             {}
