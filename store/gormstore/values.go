package gormstore

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepass/gatepass/store"
)

// Limits in bytes. What is longer is refused, and never left to a database
// that might cut it.
const (
	maxKey  = 255
	maxText = 65535
)

// A checker collects the first text that cannot be kept.
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
		c.err = fmt.Errorf("gormstore: %s has %d bytes, at most %d can be kept: %w", name, len(s), limit, store.ErrBadText)
	case !utf8.ValidString(s):
		c.err = fmt.Errorf("gormstore: %s is not UTF-8: %w", name, store.ErrBadText)
	case strings.IndexByte(s, 0) >= 0:
		// PostgreSQL keeps no zero byte. What one database refuses, all do.
		c.err = fmt.Errorf("gormstore: %s has a zero byte: %w", name, store.ErrBadText)
	}
}

// checkKey checks a key with which something is looked up or changed. Nothing
// is stored under one that could not be.
func checkKey(k store.Key) error {
	var c checker
	c.key("provider", k.Provider)
	c.key("subject", k.Subject)
	return c.err
}

// Times are microseconds since 1970, in UTC wherever the database is: no
// driver can round or shift them, and they compare as numbers. The zero time is
// a number as well.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

// never is the zero time in microseconds.
const never int64 = -62135596800000000

// Users' times are GORM's, so that an app can embed a User. MySQL would round
// what is finer than a millisecond, and up at that.
func userTime(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// stamp sets those of the times that are zero, and brings the others into the
// form in which they are kept.
func stamp(now time.Time, form func(time.Time) time.Time, times ...*time.Time) {
	for _, t := range times {
		if t.IsZero() {
			*t = now
		}
		*t = form(*t)
	}
}

func accountTime(t time.Time) time.Time { return fromMicros(micros(t)) }

// A text is a string in a column that may be null: in a row that the app has
// inserted itself, or from before the column was there.
type text string

func (t *text) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = ""
	case string:
		*t = text(v)
	case []byte:
		*t = text(v)
	default:
		return fmt.Errorf("gormstore: want text, got %T", src)
	}
	return nil
}

// A flag is a bool in such a column.
type flag bool

func (f *flag) Scan(src any) error {
	if src == nil {
		*f = false
		return nil
	}
	v, err := driver.Bool.ConvertValue(src)
	if err != nil {
		return err
	}
	*f = flag(v.(bool))
	return nil
}

// A clock is a time in such a column, in UTC.
type clock time.Time

func (c *clock) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c = clock{}
	case time.Time:
		*c = clock(v.UTC())
	default:
		return fmt.Errorf("gormstore: want a time, got %T (MySQL needs parseTime=true)", src)
	}
	return nil
}

// A micro is a time as [micros] has it.
type micro time.Time

func (m *micro) Scan(src any) error {
	switch v := src.(type) {
	case int64:
		*m = micro(fromMicros(v))
		return nil
	case []byte:
		var n int64
		if _, err := fmt.Sscan(string(v), &n); err != nil {
			return err
		}
		*m = micro(fromMicros(n))
		return nil
	}
	return fmt.Errorf("gormstore: want a number, got %T", src)
}

// A list is a list of texts in one column, as JSON. Scopes may have spaces or
// commas in them.
type list []string

func (l list) String() string {
	if l == nil {
		return ""
	}
	b, err := json.Marshal([]string(l))
	if err != nil {
		return "" // strings always encode
	}
	return string(b)
}

func (l *list) Scan(src any) error {
	var t text
	if err := t.Scan(src); err != nil {
		return err
	}
	*l = nil
	if t == "" {
		return nil
	}
	return json.Unmarshal([]byte(t), (*[]string)(l))
}
