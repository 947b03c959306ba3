package gormstore_test

import (
	"path/filepath"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/storetest"
	"gorm.io/driver/sqlite"
)

// open opens a database that is closed when the test ends.
func open(tb testing.TB, dsn string) *gormstore.Store {
	tb.Helper()
	s, err := gormstore.Open(sqlite.Open(dsn))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func file(tb testing.TB) string { return filepath.Join(tb.TempDir(), "test.db") }

func TestSQLiteFile(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, file(t)) })
}

func TestSQLiteInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, ":memory:") })
}
