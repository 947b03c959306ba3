package gormstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Migrate brings the tables, all named gatepass_…, to the version that this
// program needs: on an empty database it makes them, on one of a former version
// it runs what has come since, and else it only looks. What has been run is in
// the table gatepass_migrations. Tables that are there without it, made by the
// first version of this library or by AutoMigrate of a model that embeds [User],
// are taken as they are.
//
// Any number of programs may do so at once; one migrates and the others wait for
// it, as long as ctx lasts. Programs of the former version may go on meanwhile.
// Nothing is deleted, and a table of that name which is someone else's is left
// alone and named in the error.
//
// If Migrate fails, SQLite and PostgreSQL are as before. MySQL and MariaDB keep
// what was done by then. On either, call it again when the cause is gone.
//
// Of a Store in a transaction, Migrate becomes part of it. On MySQL and
// MariaDB, which end a transaction when a table is made, that is an error.
func (s *Store) Migrate(ctx context.Context) error { return s.migrate(ctx, files) }

// MigrationSQL returns what [Store.Migrate] would run now, for someone else to
// read or to run in its place, and "" if there is nothing to do. It changes
// nothing, and needs no right to.
func (s *Store) MigrationSQL(ctx context.Context) (string, error) {
	return s.migrationSQL(ctx, files)
}

func (s *Store) migrate(ctx context.Context, fsys fs.FS) error {
	if s.fail != nil {
		return s.fail
	}
	todo, err := s.pending(ctx, fsys)
	if err == nil && len(todo) > 0 {
		err = s.migrateOnce(ctx, fsys)
	}
	if err != nil {
		return fmt.Errorf("gormstore: making the tables: %w", err)
	}
	return nil
}

func (s *Store) migrationSQL(ctx context.Context, fsys fs.FS) (string, error) {
	if s.fail != nil {
		return "", s.fail
	}
	text, err := s.script(ctx, fsys)
	if err != nil {
		return "", fmt.Errorf("gormstore: looking at the tables: %w", err)
	}
	return text, nil
}

func (s *Store) script(ctx context.Context, fsys fs.FS) (string, error) {
	todo, err := s.pending(ctx, fsys)
	if err != nil || len(todo) == 0 {
		return "", err
	}
	var b strings.Builder
	if there, err := s.hasTable(ctx, s.sh.versions()); err != nil {
		return "", err
	} else if !there {
		b.WriteString(s.sh.createVersions() + ";\n\n")
	}
	for _, m := range todo {
		for _, st := range m.statements {
			done, err := s.skip(ctx, m, st)
			if err != nil {
				return "", err
			}
			if !done {
				b.WriteString(st.sql + ";\n\n")
			}
		}
		b.WriteString("INSERT INTO " + s.sh.versions() + " (id) VALUES ('" + m.id + "');\n\n")
	}
	return b.String(), nil
}

// pending returns the migrations that have not been run. It returns an error
// before anything is done if one of them would meet a table that is not ours.
func (s *Store) pending(ctx context.Context, fsys fs.FS) ([]migration, error) {
	all, err := parse(fsys, s.db.Name(), s.sh.prefix)
	if err != nil {
		return nil, err
	}
	have, _, err := s.recorded(ctx)
	if err != nil {
		return nil, err
	}
	// One that is recorded and not known here is of a later version of the
	// library, which leaves everything in place that this one needs.
	todo := slices.DeleteFunc(all, func(m migration) bool { return slices.Contains(have, m.id) })
	for _, m := range todo {
		if err := s.ours(ctx, m); err != nil {
			return nil, err
		}
	}
	return todo, nil
}

// skip reports whether a statement need not be run, because what it makes is
// there. In a first migration that is what the library made before it had
// versions, or the app. In a later one it is what MySQL has kept of one that
// failed; on the others it can only be something else, and they will say so.
func (s *Store) skip(ctx context.Context, m migration, st statement) (bool, error) {
	if !strings.HasPrefix(m.id, "0001_") && s.db.Name() != "mysql" {
		return false, nil
	}
	return s.done(ctx, st)
}

// migrateOnce migrates while no one else does.
func (s *Store) migrateOnce(ctx context.Context, fsys fs.FS) error {
	mysql := s.db.Name() == "mysql"
	if mysql && s.tx != nil {
		return errors.New("this database ends a transaction when a table is made; want a Store outside of one")
	}
	alone := *s
	if s.sh.sqlite && !s.sh.immediate && s.tx == nil {
		// What a transaction takes SQLite's write lock with has to be there.
		if _, err := s.exec(ctx, strings.Replace(s.sh.createVersions(), "TABLE", "TABLE IF NOT EXISTS", 1)); err != nil {
			return err
		}
		sh := *s.sh
		sh.texts.takeLock = "DELETE FROM " + s.sh.versions() + " WHERE 1 = 0"
		alone.sh = &sh
	}
	// Some that speak PostgreSQL's protocol have no locks like its own, and a
	// transaction that is serializable looks before it gets one. Both may meet a
	// table that they had not seen. The next look finds it.
	for tries := 1; ; tries++ {
		err := alone.transact(ctx, func(tx *Store) (err error) {
			unlock, err := tx.lockOut(ctx)
			if err != nil {
				return err
			}
			defer func() {
				if failed := unlock(); err == nil {
					err = failed
				}
			}()
			return tx.migrateLocked(ctx, fsys)
		})
		if err == nil || tries == 3 || s.tx != nil || errors.Is(err, errNotOurs) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// lockOut waits until no other process migrates, and returns what lets the next
// one go on. On SQLite, a transaction does both by itself.
func (s *Store) lockOut(ctx context.Context) (unlock func() error, err error) {
	switch s.db.Name() {
	case "postgres":
		// Until the end of the transaction.
		_, err = s.exec(ctx, "SELECT pg_advisory_xact_lock(7165346298741)")
	case "mysql":
		const name = "left(concat('gatepass ', database()), 64)"
		for got := (sql.NullInt64{}); got.Int64 != 1; {
			if err := s.one(ctx, "SELECT GET_LOCK("+name+", 10)", nil, &got); err != nil {
				return nil, err
			}
			if !got.Valid {
				return nil, errors.New("the database gave no lock")
			}
		}
		return func() error {
			// The pool keeps the connection, and the connection the lock: also if the
			// transaction is over.
			var released sql.NullInt64
			rows, err := s.queryContext(context.WithoutCancel(ctx), "SELECT RELEASE_LOCK("+name+")", nil)
			if err != nil {
				return err
			}
			return first(rows, []any{&released})
		}, nil
	}
	return func() error { return nil }, err
}

func (s *Store) migrateLocked(ctx context.Context, fsys fs.FS) error {
	todo, err := s.pending(ctx, fsys) // anew: someone else may have migrated
	if err != nil || len(todo) == 0 {
		return err
	}
	if there, err := s.hasTable(ctx, s.sh.versions()); err != nil {
		return err
	} else if !there {
		if _, err := s.exec(ctx, s.sh.createVersions()); err != nil {
			return err
		}
	}
	// Gormigrate, because it brings nothing along but GORM, and runs in whatever
	// transaction it is given: what it records is true if and only if the
	// migration is. Goose and golang-migrate want a *sql.DB of their own, and put
	// the drivers of a dozen databases into the module graph of each importer.
	var steps []*gormigrate.Migration
	for _, m := range todo {
		steps = append(steps, &gormigrate.Migration{ID: m.id, Migrate: func(*gorm.DB) error { return s.run(ctx, m) }})
	}
	db := s.db.Session(&gorm.Session{NewDB: true, Context: ctx, Logger: logger.Discard, SkipDefaultTransaction: true})
	return gormigrate.New(db, &gormigrate.Options{TableName: s.sh.versions(), IDColumnName: "id", IDColumnSize: 255}, steps).Migrate()
}

func (s *Store) run(ctx context.Context, m migration) error {
	for i, st := range m.statements {
		done, err := s.skip(ctx, m, st)
		if err == nil && !done {
			_, err = s.exec(ctx, st.sql)
		}
		if err != nil {
			first, _, _ := strings.Cut(st.sql, "\n")
			return fmt.Errorf("%s, statement %d of %d, %q: %w", m.id, i+1, len(m.statements), first, err)
		}
	}
	return nil
}
