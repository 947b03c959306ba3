package gormstore

import (
	"context"
	"embed"
	"io/fs"
)

// There is one version of the tables so far. These let tests have another, as a
// later version of the library will.

func Files() embed.FS { return files }

func (s *Store) MigrateWith(ctx context.Context, fsys fs.FS) error { return s.migrate(ctx, fsys) }

func (s *Store) MigrationSQLWith(ctx context.Context, fsys fs.FS) (string, error) {
	return s.migrationSQL(ctx, fsys)
}
