package gormstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// A table is what Migrate makes. The first columns, as many as keys says, are
// what it is recognised by; each has a type in the notation of [dialect.render].
type table struct {
	name    string
	keys    int
	columns []column
	rest    string // constraints
	indexes []index
}

type column struct{ name, typ string }

type index struct{ name, columns string }

// All but the keys may be null, so that a column can be added to rows that are
// there. A time that is missing is the zero time.
func tables() (accounts, sessions, marks table) {
	timeType := fmt.Sprintf("bigint NOT NULL DEFAULT %d", never)
	accounts = table{
		name: "gatepass_accounts", keys: 3,
		columns: []column{
			{"provider", "{id} NOT NULL"}, {"subject", "{id} NOT NULL"}, {"user_id", "{user} NOT NULL"},
			{"issuer", "{long}"}, {"email", "{long}"}, {"name", "{long}"}, {"username", "{long}"}, {"avatar_url", "{long}"},
			{"profile", "{long}"}, {"created_at", timeType}, {"updated_at", timeType},
			{"sealed", "{blob}"}, {"token_expiry", timeType}, {"token_scopes", "{long}"}, {"leased_until", timeType},
		},
		rest: "PRIMARY KEY (provider, subject), CONSTRAINT gatepass_accounts_user" +
			" FOREIGN KEY (user_id) REFERENCES gatepass_users (id){references}",
		indexes: []index{{"gatepass_accounts_user_id", "user_id"}},
	}

	// Without a foreign key: an app may keep its users elsewhere.
	sessions = table{
		name: "gatepass_sessions", keys: 2,
		columns: []column{
			{"id", "{id} NOT NULL"}, {"user_id", "{user} NOT NULL"},
			{"provider", "{long}"}, {"subject", "{long}"}, {"sid", "{long}"}, {"auth_time", timeType}, {"reauthed", "{boolean}"},
			{"created_at", timeType}, {"seen_at", timeType}, {"expires_at", timeType}, {"user_agent", "{long}"}, {"ip", "{long}"},
		},
		rest:    "PRIMARY KEY (id)",
		indexes: []index{{"gatepass_sessions_user_id", "user_id"}, {"gatepass_sessions_expires_at", "expires_at"}},
	}

	marks = table{
		name: "gatepass_marks", keys: 2,
		columns: []column{{"id", "{id} NOT NULL"}, {"ends_at", "bigint NOT NULL"}},
		rest:    "PRIMARY KEY (id)",
		indexes: []index{{"gatepass_marks_ends_at", "ends_at"}},
	}
	return accounts, sessions, marks
}

// Migrate makes the tables, all named gatepass_…, or adds what they lack. It
// deletes nothing, refuses a table that is not ours, and may run in several
// processes at once.
func (s *Store) Migrate(ctx context.Context) error {
	if s.fail != nil {
		return s.fail
	}
	_, _, marks := tables()
	if s.sh.sqlite && !s.sh.immediate && s.tx == nil {
		// What a transaction takes SQLite's write lock with has to be there.
		if _, err := s.exec(ctx, "CREATE TABLE IF NOT EXISTS "+s.sh.definition(marks)); err != nil {
			return fmt.Errorf("gormstore: making the tables: %w", err)
		}
	}
	// Another process may make a table between our look and our making it,
	// where the database cannot lock that out. The next look finds it.
	var err error
	for range 3 {
		err = s.transact(ctx, func(tx *Store) (err error) {
			if tx.sh.lock != "" {
				if _, err := tx.exec(ctx, tx.sh.lock); err != nil {
					return err
				}
			}
			if tx.sh.unlock != "" {
				defer func() {
					// The pool keeps the connection, and the connection the lock.
					if _, failed := tx.exec(context.WithoutCancel(ctx), tx.sh.unlock); err == nil {
						err = failed
					}
				}()
			}
			return tx.migrate(ctx)
		})
		if err == nil || ctx.Err() != nil || s.tx != nil || errors.Is(err, errNotOurs) {
			break
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if err != nil {
		return fmt.Errorf("gormstore: making the tables: %w", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	// The users are GORM's table, so that AutoMigrate of an app's model that
	// embeds User finds nothing in it to alter.
	m := s.db.WithContext(ctx).Set("gorm:table_options", s.sh.options).Migrator()
	if !m.HasTable(&User{}) {
		if err := m.CreateTable(&User{}); err != nil {
			return err
		}
	}
	have, err := s.columns(ctx, "gatepass_users")
	if err != nil {
		return err
	}
	want := []column{{name: "id"}}
	for _, name := range strings.Split(userColumns, ", ") {
		want = append(want, column{name: strings.TrimPrefix(name, "u.")})
	}
	if err := recognise("gatepass_users", have, want); err != nil {
		return err
	}
	if err := s.indexEmail(ctx, m, have); err != nil {
		return err
	}
	accounts, sessions, marks := tables()
	for _, t := range []table{accounts, sessions, marks} {
		if err := s.make(ctx, m, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) make(ctx context.Context, m gorm.Migrator, t table) error {
	if !m.HasTable(t.name) {
		if _, err := s.exec(ctx, "CREATE TABLE "+s.sh.definition(t)); err != nil {
			return err
		}
	} else {
		have, err := s.columns(ctx, t.name)
		if err != nil {
			return err
		}
		if err := recognise(t.name, have, t.columns[:t.keys]); err != nil {
			return err
		}
		for _, c := range t.columns[t.keys:] {
			if slices.Contains(have, c.name) {
				continue
			}
			if _, err := s.exec(ctx, s.sh.render("ALTER TABLE "+t.name+" ADD COLUMN "+c.name+" "+c.typ)); err != nil {
				return err
			}
		}
	}
	for _, i := range t.indexes {
		if m.HasIndex(t.name, i.name) {
			continue
		}
		if _, err := s.exec(ctx, "CREATE INDEX "+i.name+" ON "+t.name+" ("+i.columns+")"); err != nil {
			return err
		}
	}
	return nil
}

// definition is what comes after CREATE TABLE.
func (d dialect) definition(t table) string {
	var defs []string
	for _, c := range t.columns {
		defs = append(defs, c.name+" "+c.typ)
	}
	defs = append(defs, t.rest)
	return d.render(t.name+" ("+strings.Join(defs, ", ")+")") + d.options
}

var errNotOurs = errors.New("a table is not ours")

// recognise returns an error if a table of that name is someone else's.
func recognise(name string, have []string, want []column) error {
	for _, c := range want {
		if !slices.Contains(have, c.name) {
			return fmt.Errorf("%w: %s has no column %s", errNotOurs, name, c.name)
		}
	}
	return nil
}

// columns asks for a table's columns in the one way that all drivers know.
func (s *Store) columns(ctx context.Context, table string) ([]string, error) {
	rows, err := s.pool().QueryContext(ctx, "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	return names, rows.Err()
}

// indexEmail makes it quick to find a user by address. An index on the address
// in lower case holds whoever wrote the row; MySQL and MariaDB have no such index
// in common, but columns that are computed.
func (s *Store) indexEmail(ctx context.Context, m gorm.Migrator, have []string) error {
	const name = "gatepass_users_email"
	on := "(" + s.sh.emailKey + ")"
	if s.sh.emailKey == "email_key" && !slices.Contains(have, "email_key") {
		if _, err := s.exec(ctx, "ALTER TABLE gatepass_users ADD COLUMN email_key varchar(320)"+
			" GENERATED ALWAYS AS (lower(left(email, 320))) STORED"); err != nil {
			return err
		}
	}
	if m.HasIndex("gatepass_users", name) {
		return nil
	}
	_, err := s.exec(ctx, "CREATE INDEX "+name+" ON gatepass_users "+on)
	return err
}
