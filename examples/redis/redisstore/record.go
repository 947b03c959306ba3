package redisstore

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepass/gatepass/store"
)

// Limits in bytes. What is longer is refused.
const (
	maxKey  = 255
	maxText = 65535
)

// A sessionRecord is what of a session no script looks at.
type sessionRecord struct {
	Provider  string `json:"provider,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	SID       string `json:"sid,omitempty"`
	Family    string `json:"family,omitempty"`
	AuthTime  int64  `json:"auth_time"`
	Reauthed  bool   `json:"reauthed,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	IP        string `json:"ip,omitempty"`
}

// A rememberedRecord is what of a remembered browser no script looks at.
type rememberedRecord struct {
	Provider  string `json:"provider,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	SID       string `json:"sid,omitempty"`
	Former    []byte `json:"former,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	IP        string `json:"ip,omitempty"`
}

// Fields of an entry, in the order in which the scripts take them.
func fields(record any, userID, sidName string, created, seen, expires time.Time) ([]any, error) {
	r, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return []any{r, userID, sidName, created.UnixMilli(), seen.UnixMilli(), expires.UnixMilli(), call()}, nil
}

func sessionFields(s *store.Session) ([]any, error) {
	var c checker
	c.key("session ID", s.ID)
	c.key("user ID", s.UserID)
	c.key("provider", s.Provider)
	c.key("subject", s.Subject)
	c.key("family", s.Family)
	c.texts("issuer", s.Issuer, "SID", s.SID, "user agent", s.UserAgent, "IP", s.IP)
	if c.err != nil {
		return nil, c.err
	}
	return fields(sessionRecord{
		Provider: s.Provider, Subject: s.Subject, Issuer: s.Issuer, SID: s.SID, Family: s.Family,
		AuthTime: s.AuthTime.UnixMilli(), Reauthed: s.Reauthed, UserAgent: s.UserAgent, IP: s.IP,
	}, s.UserID, sidName(s.Provider, s.SID), s.CreatedAt, s.SeenAt, s.ExpiresAt)
}

func rememberedFields(r *store.Remembered) ([]any, error) {
	var c checker
	c.key("ID", r.ID)
	c.key("user ID", r.UserID)
	c.key("provider", r.Provider)
	c.key("subject", r.Subject)
	c.texts("issuer", r.Issuer, "SID", r.SID, "user agent", r.UserAgent, "IP", r.IP)
	if c.err != nil {
		return nil, c.err
	}
	return fields(rememberedRecord{
		Provider: r.Provider, Subject: r.Subject, Issuer: r.Issuer, SID: r.SID, Former: r.Former, UserAgent: r.UserAgent, IP: r.IP,
	}, r.UserID, sidName(r.Provider, r.SID), r.CreatedAt, r.UsedAt, r.ExpiresAt)
}

// sidName names the list of what began with a service's session. No two pairs
// have the same name.
func sidName(provider, sid string) string {
	if sid == "" {
		return ""
	}
	return strconv.Itoa(len(provider)) + ":" + provider + ":" + sid
}

// An entry is what a script returns of one, in its order.
type entry struct {
	userID, record         string
	created, seen, expires time.Time
	value                  []byte
	id                     string // of one that is in a list
}

func readEntry(v any) (entry, error) {
	list, _ := v.([]any)
	if len(list) < 7 {
		return entry{}, fmt.Errorf("redisstore: want an entry of seven fields or more, got %d", len(list))
	}
	text := func(i int) string {
		if i >= len(list) {
			return ""
		}
		s, _ := list[i].(string)
		return s
	}
	var errs [3]error
	at := func(i int, err *error) time.Time {
		n, parsed := strconv.ParseInt(text(i), 10, 64)
		if parsed != nil {
			*err = fmt.Errorf("redisstore: want milliseconds in field %d of an entry, got something else", i)
		}
		return moment(n)
	}
	e := entry{
		userID: text(0), record: text(3), id: text(8),
		expires: at(2, &errs[0]), created: at(4, &errs[1]), seen: at(5, &errs[2]),
	}
	if v := text(7); v != "" {
		e.value = []byte(v)
	}
	return e, cmp.Or(errs[:]...)
}

func (e entry) session(id string) (*store.Session, error) {
	var r sessionRecord
	if err := json.Unmarshal([]byte(e.record), &r); err != nil {
		return nil, fmt.Errorf("redisstore: a session that cannot be read: %w", err)
	}
	return &store.Session{
		ID: id, UserID: e.userID, Key: store.Key{Provider: r.Provider, Subject: r.Subject}, Issuer: r.Issuer, SID: r.SID, Family: r.Family,
		AuthTime: moment(r.AuthTime), Reauthed: r.Reauthed, CreatedAt: e.created, SeenAt: e.seen, ExpiresAt: e.expires,
		UserAgent: r.UserAgent, IP: r.IP,
	}, nil
}

func (e entry) remembered(id string) (*store.Remembered, error) {
	var r rememberedRecord
	if err := json.Unmarshal([]byte(e.record), &r); err != nil {
		return nil, fmt.Errorf("redisstore: a remembered browser that cannot be read: %w", err)
	}
	return &store.Remembered{
		ID: id, UserID: e.userID, Key: store.Key{Provider: r.Provider, Subject: r.Subject}, Issuer: r.Issuer, SID: r.SID,
		Validator: e.value, Former: r.Former, CreatedAt: e.created, UsedAt: e.seen, ExpiresAt: e.expires, UserAgent: r.UserAgent, IP: r.IP,
	}, nil
}

// Times are milliseconds since 1970. Scripts count in float64, in which those are
// exact.
func moment(n int64) time.Time { return time.UnixMilli(n).UTC() }

// A checker collects the first text that cannot be kept. Redis would keep any
// bytes; a record of JSON would not.
type checker struct{ err error }

func (c *checker) key(name, s string) { c.text(name, s, maxKey) }

func (c *checker) texts(pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		c.text(pairs[i], pairs[i+1], maxText)
	}
}

func (c *checker) text(name, s string, limit int) {
	switch {
	case c.err != nil:
	case len(s) > limit:
		c.err = fmt.Errorf("redisstore: %s has %d bytes, at most %d can be kept: %w", name, len(s), limit, store.ErrBadText)
	case !utf8.ValidString(s):
		c.err = fmt.Errorf("redisstore: %s is not UTF-8: %w", name, store.ErrBadText)
	case strings.IndexByte(s, 0) >= 0:
		// What one store refuses, all do, so that an app can change stores.
		c.err = fmt.Errorf("redisstore: %s has a zero byte: %w", name, store.ErrBadText)
	}
}
