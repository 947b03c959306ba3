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
	apart    bool // two writes take less time than a transaction of both
	moves    bool // a statement that finds rows by an index may miss one that gets another ID meanwhile

	insert    string // begins an insertion that leaves an existing row alone
	ignore    string // ends it
	update    string // begins a change of a session's ID that leaves it alone if another has that, or fails
	free      string // ends its condition; $1 is the new ID
	forUpdate string // locks the rows that a query finds
	text      string // a parameter that is a text, in a join
	is        string // equals, also if both are null
	now       string // microseconds since 1970 by the database's clock; "" if it has none

	// What an address is found by, and how the one looked for is brought into
	// that form. It may find too many; the caller compares.
	emailKey, emailFold string

	// What a SID that is not empty is found by, as the first parameter. It may find
	// some that differ by spaces at the end; the caller compares.
	sid string
}

func dialectOf(name string) (dialect, error) {
	d := dialect{
		prefix:    prefix,
		insert:    "INSERT INTO",
		ignore:    " ON CONFLICT DO NOTHING",
		update:    "UPDATE",
		forUpdate: " FOR UPDATE",
		text:      "?",
		is:        "IS NOT DISTINCT FROM",
		emailKey:  "lower(email)",
		emailFold: "lower(?)",
		// The second condition is that of the index.
		sid: "sid = ? AND sid <> ''",
	}
	switch name {
	case "sqlite":
		d.sqlite, d.forUpdate = true, ""
		// SQLite plans a join anew each time a text is bound to a parameter that it
		// compares with a column, which costs as much as to run it. It does not
		// look into an expression.
		d.text = "CAST(? AS text)"
		d.update = "UPDATE OR IGNORE"
		d.is = "IS"
	case "postgres":
		d.numbered = true
		d.now = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
		// Lower-case ASCII letters alone, whatever the database's language.
		d.emailKey, d.emailFold = `lower(email COLLATE "C")`, `lower(? COLLATE "C")`
		// Here a statement that fails ends the transaction in which it is.
		d.free = " AND NOT EXISTS (SELECT 1 FROM gatepass_sessions taken WHERE taken.id = $1)"
		d.sid = "left(sid, 128) = left(?, 128) AND sid = $1 AND sid <> ''"
	case "mysql":
		// IGNORE, and not ON DUPLICATE KEY UPDATE, because the number of rows
		// that the latter reports depends on a setting of the connection.
		d.insert, d.ignore = "INSERT IGNORE INTO", ""
		d.is = "<=>"
		d.prepare, d.padded, d.moves = true, true, true
		// Each statement is a trip to the server, and so are BEGIN, its level and
		// COMMIT.
		d.apart = true
		d.now = "timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6))"
		d.emailKey, d.emailFold = "email_key", "lower(left(?, 320))"
	default:
		return d, fmt.Errorf("gormstore: want a database of kind sqlite, postgres or mysql, got %q", name)
	}
	return d, nil
}

// render fills in what differs.
func (d dialect) render(query string) string {
	query = strings.NewReplacer(
		"{insert}", d.insert, "{ignore}", d.ignore, "{for update}", d.forUpdate, "{now}", d.now, "{text}", d.text, "{is}", d.is,
		"{email}", d.emailKey, "{fold}", d.emailFold, "{update}", d.update, "{free}", d.free, "{sid}", d.sid,
	).Replace(query)
	query = strings.ReplaceAll(query, prefix, d.prefix)
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

// taken reports whether err says that another row has that key.
func taken(err error) bool {
	if err == nil {
		return false
	}
	var pg interface{ SQLState() string }
	if errors.As(err, &pg) {
		return pg.SQLState() == "23505"
	}
	return strings.Contains(err.Error(), "Error 1062") // MySQL and MariaDB
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
