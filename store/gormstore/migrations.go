package gormstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/gatepass/gatepass/store"
)

// A folder for each kind of database, and in it a file for each version. A file
// is never changed once it is out; what comes later is another file. Programs
// of the version before go on while one of the next has migrated, so that a
// migration adds, and takes nothing away.
//
//go:embed migrations
var files embed.FS

// A migration brings the tables from one version to the next.
type migration struct {
	id         string // the name of its file
	statements []statement
}

// A statement of a migration, and what it makes. One that makes nothing that
// can be looked up has no table, and has to bear being run twice.
type statement struct {
	sql                  string
	table, index, column string
	collation            string   // that the column gets
	columns              []string // of a new table
}

// parse reads the migrations for a kind of database, in order, for tables with
// a prefix.
func parse(fsys fs.FS, kind, own string) ([]migration, error) {
	names, err := fs.Glob(fsys, path.Join("migrations", kind, "*.sql"))
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		m := migration{id: strings.TrimSuffix(path.Base(name), ".sql")}
		var lines []string
		for line := range strings.Lines(strings.ReplaceAll(string(text), prefix, own)) {
			line = strings.TrimRight(line, "\r\n")
			if line == "" || strings.HasPrefix(line, "--") {
				continue
			}
			last := strings.HasSuffix(line, ";")
			lines = append(lines, strings.TrimSuffix(line, ";"))
			if last {
				m.statements = append(m.statements, newStatement(lines))
				lines = nil
			}
		}
		if len(lines) > 0 {
			return nil, fmt.Errorf("%s: no semicolon after %q", name, lines[len(lines)-1])
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no migrations for a database of kind %s", kind)
	}
	return all, nil
}

// newStatement reads from a statement what it makes. Our own files have a
// column on each line, and names in lower case.
func newStatement(lines []string) statement {
	s := statement{sql: strings.Join(lines, "\n")}
	words := strings.Fields(s.sql)
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch {
	case strings.HasPrefix(s.sql, "CREATE TABLE "):
		s.table = word(2)
		for _, line := range lines[1:] {
			name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if name != "" && 'a' <= name[0] && name[0] <= 'z' {
				s.columns = append(s.columns, name)
			}
		}
	case strings.HasPrefix(s.sql, "CREATE INDEX "):
		s.index, s.table = word(2), word(4)
	case strings.HasPrefix(s.sql, "ALTER TABLE ") && word(3) == "ADD" && word(4) == "COLUMN":
		s.table, s.column = word(2), word(5)
	case strings.HasPrefix(s.sql, "ALTER TABLE ") && word(3) == "MODIFY":
		if i := slices.Index(words, "COLLATE"); i >= 0 {
			s.table, s.column, s.collation = word(2), word(4), word(i+1)
		}
	}
	return s
}

// done reports whether what a statement makes is there.
func (s *Store) done(ctx context.Context, st statement) (bool, error) {
	if st.table == "" {
		return false, nil
	}
	if there, err := s.hasTable(ctx, st.table); err != nil || !there {
		return false, err
	}
	switch {
	case st.index != "":
		return found(s.exists(ctx, s.catalog().index, st.table, st.index))
	case st.collation != "":
		return found(s.exists(ctx, s.catalog().collation, st.table, st.column, st.collation))
	case st.column != "":
		have, err := s.columns(ctx, st.table)
		return slices.Contains(have, st.column), err
	}
	return true, nil
}

func found(err error) (bool, error) {
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// catalog has the questions what is there, where the database would make it.
func (s *Store) catalog() (q struct{ table, index, collation string }) {
	switch s.db.Name() {
	case "sqlite":
		q.table = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = ?"
		q.index = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND lower(tbl_name) = ? AND lower(name) = ?"
	case "postgres":
		q.table = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1"
		q.index = "SELECT 1 FROM pg_catalog.pg_indexes WHERE schemaname = current_schema() AND tablename = $1 AND indexname = $2"
	case "mysql":
		q.table = "SELECT 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = ?"
		q.index = "SELECT 1 FROM information_schema.statistics WHERE table_schema = database() AND table_name = ? AND index_name = ?"
		q.collation = "SELECT 1 FROM information_schema.columns WHERE table_schema = database() AND table_name = ? AND column_name = ? AND collation_name = ?"
	}
	return q
}

func (s *Store) hasTable(ctx context.Context, name string) (bool, error) {
	return found(s.exists(ctx, s.catalog().table, name))
}

// columns asks for a table's columns in the one way that all drivers know.
func (s *Store) columns(ctx context.Context, table string) (names []string, err error) {
	defer func() { s.tx.note(err) }()
	rows, err := s.pool().QueryContext(ctx, "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if names, err = rows.Columns(); err != nil {
		return nil, err
	}
	return names, rows.Err()
}

// versions is the table that says what has been run.
func (d dialect) versions() string { return d.prefix + "migrations" }

// createVersions makes it; byte for byte the same on all databases.
func (d dialect) createVersions() string {
	return "CREATE TABLE " + d.versions() + " (\n    id varchar(255) NOT NULL,\n    PRIMARY KEY (id)\n)"
}

// recorded returns which migrations have been run, and whether there is a table
// that says so.
func (s *Store) recorded(ctx context.Context) (ids []string, there bool, err error) {
	if there, err = s.hasTable(ctx, s.sh.versions()); err != nil || !there {
		return nil, there, err
	}
	have, err := s.columns(ctx, s.sh.versions())
	if err != nil {
		return nil, true, err
	}
	if !slices.Equal(have, []string{"id"}) {
		return nil, true, fmt.Errorf("%w: %s has the columns %s, want id alone", errNotOurs, s.sh.versions(), strings.Join(have, ", "))
	}
	err = s.query(ctx, "SELECT id FROM "+s.sh.versions(), func(rows *sql.Rows) error {
		var id text
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, string(id))
		return nil
	})
	return ids, true, err
}

var errNotOurs = errors.New("a table is not ours")

// ours returns an error if a table that a migration would make is there and is
// someone else's.
func (s *Store) ours(ctx context.Context, m migration) error {
	for _, st := range m.statements {
		if st.columns == nil {
			continue
		}
		if there, err := s.hasTable(ctx, st.table); err != nil || !there {
			if err != nil {
				return err
			}
			continue
		}
		have, err := s.columns(ctx, st.table)
		if err != nil {
			return err
		}
		for _, name := range st.columns {
			if !slices.Contains(have, name) {
				return fmt.Errorf("%w: %s has no column %s", errNotOurs, st.table, name)
			}
		}
	}
	return nil
}
