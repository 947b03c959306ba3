package gormstore

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"time"
)

// These let tests have other versions of the tables, as an earlier or a later
// version of the library has.

func Files() embed.FS { return files }

func (s *Store) MigrateWith(ctx context.Context, fsys fs.FS) error { return s.migrate(ctx, fsys) }

func (s *Store) MigrationSQLWith(ctx context.Context, fsys fs.FS) (string, error) {
	return s.migrationSQL(ctx, fsys)
}

// Pause is how long the store waits before another try.
func (s *Store) Pause(try int) time.Duration { return s.sh.pause(try) }

// Writes are the connections that only the store writes by, or nil.
func (s *Store) Writes() *sql.DB { return s.sh.writes }
