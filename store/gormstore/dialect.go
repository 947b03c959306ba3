package gormstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A dialect is where databases differ. Everything else is SQL that all of them
// understand.
type dialect struct {
	prefix   string // what our names begin with
	sqlite   bool
	numbered bool // parameters are $1, $2, …
	prepare  bool // the driver does not keep statements prepared
	padded   bool // spaces at the end of a user's ID make no difference

	insert    string // begins an insertion that leaves an existing row alone
	ignore    string // ends it
	forUpdate string // locks the rows that a query finds
	text      string // a parameter that is a text, in a join
	now       string // microseconds since 1970 by the database's clock; "" if it has none

	// What an address is found by, and how the one looked for is brought into
	// that form. It may find too many; the caller compares.
	emailKey, emailFold string
}

func dialectOf(name string) (dialect, error) {
	d := dialect{
		prefix:    prefix,
		insert:    "INSERT INTO",
		ignore:    " ON CONFLICT DO NOTHING",
		forUpdate: " FOR UPDATE",
		text:      "?",
		emailKey:  "lower(email)",
		emailFold: "lower(?)",
	}
	switch name {
	case "sqlite":
		d.sqlite, d.forUpdate = true, ""
		// SQLite plans a join anew each time a text is bound to a parameter that it
		// compares with a column, which costs as much as to run it. It does not
		// look into an expression.
		d.text = "CAST(? AS text)"
	case "postgres":
		d.numbered = true
		d.now = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
		// Lower-case ASCII letters alone, whatever the database's language.
		d.emailKey, d.emailFold = `lower(email COLLATE "C")`, `lower(? COLLATE "C")`
	case "mysql":
		// IGNORE, and not ON DUPLICATE KEY UPDATE, because the number of rows
		// that the latter reports depends on a setting of the connection.
		d.insert, d.ignore = "INSERT IGNORE INTO", ""
		d.prepare, d.padded = true, true
		d.now = "timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6))"
		d.emailKey, d.emailFold = "email_key", "lower(left(?, 320))"
	default:
		return d, fmt.Errorf("gormstore: want a database of kind sqlite, postgres or mysql, got %q", name)
	}
	return d, nil
}

// render fills in what differs.
func (d dialect) render(query string) string {
	query = strings.ReplaceAll(query, prefix, d.prefix)
	query = strings.NewReplacer(
		"{insert}", d.insert, "{ignore}", d.ignore, "{for update}", d.forUpdate, "{now}", d.now, "{text}", d.text,
		"{email}", d.emailKey, "{fold}", d.emailFold,
	).Replace(query)
	if !d.numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for _, c := range []byte(query) {
		if c == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// transient reports whether the database asks to try again: a deadlock, a
// serialization failure, a lock that was not to be had. It knows them without
// the drivers' types, so that no driver is imported.
func transient(err error) bool {
	if err == nil {
		return false
	}
	var pg interface{ SQLState() string }
	if errors.As(err, &pg) {
		switch pg.SQLState() {
		case "40001", "40P01":
			return true
		}
		return false
	}
	text := err.Error()
	for _, s := range []string{
		"Error 1213", "Error 1205", // MySQL and MariaDB
		"database is locked", "database table is locked", // SQLite
	} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
