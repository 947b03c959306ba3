package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/storetest"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// next is the migrations of the library, and one more.
func next(t *testing.T, text string) fs.FS {
	t.Helper()
	all := until(t, "9999")
	all["migrations/sqlite/0003_next.sql"] = &fstest.MapFile{Data: []byte(text)}
	return all
}

// until is the migrations of the library up to a version.
func until(t *testing.T, last string) fstest.MapFS {
	t.Helper()
	all := fstest.MapFS{}
	err := fs.WalkDir(gormstore.Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(name)[:4] > last {
			return err
		}
		data, err := fs.ReadFile(gormstore.Files(), name)
		all[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const second = `
-- A table, a column with what it has in old rows, and an index.
CREATE TABLE gatepass_devices (
    id text NOT NULL,
    PRIMARY KEY (id)
);
ALTER TABLE gatepass_sessions ADD COLUMN device text;
UPDATE gatepass_sessions SET device = 'old';
CREATE INDEX gatepass_sessions_device ON gatepass_sessions (device);
`

// first opens a database that the first version of the library has filled.
func first(t *testing.T) *gorm.DB {
	t.Helper()
	dump, err := os.ReadFile("testdata/first-sqlite.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := own(t, sqlite.Open(file(t)+"?_busy_timeout=10000&_sync=0"))
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.ExecContext(t.Context(), string(dump)); err != nil {
		t.Fatal(err)
	}
	return db
}

// rows returns what is in the tables of the first version.
func rows(t *testing.T, db *gorm.DB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"gatepass_users", "gatepass_accounts", "gatepass_sessions", "gatepass_marks"} {
		columns := "*"
		if table == "gatepass_sessions" {
			columns = "id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip"
		}
		var rows []map[string]any
		if err := db.Table(table).Select(columns).Order("1, 2").Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			fmt.Fprintln(&b, table, row)
		}
	}
	return b.String()
}

func TestMigrateFromTheFirstVersion(t *testing.T) {
	db := first(t)
	before := rows(t, db)
	if strings.Count(before, "gatepass_") != 3+4+2+2 {
		t.Fatalf("got %s", before)
	}
	s := migrated(t, db)
	if after := rows(t, db); after != before {
		t.Errorf("after the first migration: got\n%s\nwant\n%s", after, before)
	}
	if err := s.MigrateWith(t.Context(), next(t, second)); err != nil {
		t.Fatal(err)
	}
	if after := rows(t, db); after != before {
		t.Errorf("after the second migration: got\n%s\nwant\n%s", after, before)
	}
	if n := strings.Count(dump(t, s), "device:old "); n != 2 {
		t.Errorf("got %d rows that the second migration changed, want 2", n)
	}
	storetest.Run(t, func(t *testing.T) store.Store {
		db := first(t)
		s := gormstore.New(db)
		if err := s.MigrateWith(t.Context(), next(t, second)); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			if err := db.Exec("DELETE FROM " + table).Error; err != nil {
				t.Fatal(err)
			}
		}
		return s
	})
}

// A program of the version before goes on, and may start again.
func TestMigrateOfAnOlderProgram(t *testing.T) {
	s := open(t, file(t))
	if err := s.MigrateWith(t.Context(), next(t, second)); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if text, err := s.MigrationSQL(t.Context()); text != "" || err != nil {
		t.Errorf("got %q, %v, want nothing to do", text, err)
	}
	signUp(t, s)
}

func TestMigrateFails(t *testing.T) {
	s := open(t, file(t))
	signUp(t, s)
	before, people := schema(t, s.DB()), dump(t, s)
	wrong := strings.Replace(second, "(device)", "(gadget)", 1)
	err := s.MigrateWith(t.Context(), next(t, wrong))
	if err == nil || !strings.Contains(err.Error(), `0003_next, statement 4 of 4, "CREATE INDEX gatepass_sessions_device`) ||
		!strings.Contains(err.Error(), "gadget") {
		t.Errorf("got error %v, want one that names the statement", err)
	}
	if after := schema(t, s.DB()); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
	if after := dump(t, s); after != people {
		t.Errorf("got\n%s\nwant\n%s", after, people)
	}
	if err := s.MigrateWith(t.Context(), next(t, second)); err != nil {
		t.Errorf("again: %v", err)
	}
}

// What a later migration would make can only be something else's.
func TestMigrateMeetsAColumnOfTheApp(t *testing.T) {
	s := open(t, file(t))
	if err := s.DB().Exec("ALTER TABLE gatepass_sessions ADD COLUMN device integer").Error; err != nil {
		t.Fatal(err)
	}
	err := s.MigrateWith(t.Context(), next(t, second))
	if err == nil || !strings.Contains(err.Error(), "device") {
		t.Errorf("got error %v, want one that names the column", err)
	}
}

func TestMigrateRefusesFiles(t *testing.T) {
	s := open(t, file(t))
	for want, fsys := range map[string]fs.FS{
		"no semicolon":       next(t, "CREATE TABLE gatepass_devices (\n    id text\n)"),
		"no migrations for ": fstest.MapFS{"migrations/oracle/0001_tables.sql": {Data: []byte("SELECT 1;")}},
	} {
		if err := s.MigrateWith(t.Context(), fsys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
		if _, err := s.MigrationSQLWith(t.Context(), fsys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("MigrationSQL: got error %v, want one with %q", err, want)
		}
	}
}

// Each database gets each version.
func TestMigrationFiles(t *testing.T) {
	var names [][]string
	for _, kind := range []string{"sqlite", "postgres", "mysql"} {
		files, err := fs.ReadDir(gormstore.Files(), "migrations/"+kind)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for i, f := range files {
			if !strings.HasPrefix(f.Name(), fmt.Sprintf("%04d_", i+1)) {
				t.Errorf("%s/%s: want a name that begins with %04d_", kind, f.Name(), i+1)
			}
			list = append(list, f.Name())
		}
		names = append(names, list)
	}
	if !slices.Equal(names[0], names[1]) || !slices.Equal(names[0], names[2]) {
		t.Errorf("got %q, want the same for each", names)
	}
}

// The printed SQL does what Migrate would do.
func TestMigrationSQL(t *testing.T) {
	ctx := t.Context()
	want := schema(t, open(t, file(t)).DB())
	for name, db := range map[string]*gorm.DB{"empty": own(t, sqlite.Open(file(t))), "first version": first(t)} {
		t.Run(name, func(t *testing.T) {
			s := gormstore.New(db)
			before := schema(t, db)
			text, err := s.MigrationSQL(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if after := schema(t, db); after != before {
				t.Errorf("it has made %s", after)
			}
			if strings.Contains(text, "gatepass_users") != (name == "empty") {
				t.Errorf("got %s", text)
			}
			if err := db.Exec(text).Error; err != nil {
				t.Fatal(err)
			}
			if text, err := s.MigrationSQL(ctx); text != "" || err != nil {
				t.Errorf("then: got %q, %v, want nothing to do", text, err)
			}
			if err := s.Migrate(ctx); err != nil {
				t.Error(err)
			}
			if after := schema(t, db); name == "empty" && after != want {
				t.Errorf("got\n%s\nwant\n%s", after, want)
			}
			signUp(t, s)
		})
	}
}

func TestMigrateInATransaction(t *testing.T) {
	db := own(t, sqlite.Open(file(t)))
	undo := errors.New("undo")
	migrate := func(end error) error {
		return db.Transaction(func(tx *gorm.DB) error {
			s := gormstore.New(tx)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			signUp(t, s)
			return end
		})
	}
	if err := migrate(undo); err != undo {
		t.Fatal(err)
	}
	if got := schema(t, db); got != "" {
		t.Errorf("got %s, want nothing", got)
	}
	if err := migrate(nil); err != nil {
		t.Fatal(err)
	}
	if err := gormstore.New(db).Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

// Many instances start at once, with settings of the app's or the library's.
func TestMigrateAtOnce(t *testing.T) {
	name := file(t)
	var wg sync.WaitGroup
	for i := range 10 {
		s := gormstore.New(own(t, sqlite.Open(name+[]string{"?_busy_timeout=20000", "?_busy_timeout=20000&_txlock=immediate"}[i%2])))
		wg.Go(func() {
			if err := s.MigrateWith(t.Context(), next(t, second)); err != nil {
				t.Error(err)
				return
			}
			if err := signUpAndIn(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var ids []string
	if err := own(t, sqlite.Open(name)).Raw("SELECT id FROM gatepass_migrations ORDER BY id").Scan(&ids).Error; err != nil ||
		!slices.Equal(ids, []string{"0001_tables", "0002_sessions", "0003_next"}) {
		t.Errorf("got %q, %v", ids, err)
	}
}

// Whichever statement fails, Migrate reports it or has done everything, and
// does so when called again.
func TestEachStatementOfMigrateFails(t *testing.T) {
	want := schema(t, open(t, file(t)).DB())
	failed := errors.New("disk I/O error")
	for n := 1; ; n++ {
		pool, err := sql.Open(sqlite.DriverName, file(t)+"?_busy_timeout=10000&_sync=0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pool.Close() })
		f := &faultyDB{DB: pool}
		db := own(t, sqlite.New(sqlite.Config{Conn: f}))
		s := gormstore.New(db)
		f.set(n, failed)
		err = s.Migrate(t.Context())
		ran := f.in <= 0
		f.set(0, nil)
		if err != nil && !errors.Is(err, failed) {
			t.Fatalf("statement %d: got error %v, want %v", n, err, failed)
		}
		if got := schema(t, db); err == nil && got != want {
			t.Fatalf("statement %d: got\n%s\nwant\n%s", n, got, want)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("after statement %d: %v", n, err)
		}
		if got := schema(t, db); got != want {
			t.Fatalf("after statement %d: got\n%s\nwant\n%s", n, got, want)
		}
		if !ran {
			if n < 20 {
				t.Errorf("only %d statements failed", n-1)
			}
			return
		}
	}
}

// Migrate ends with its context.
func TestMigrateWaitsNoLongerThanItsContext(t *testing.T) {
	name := file(t)
	s := gormstore.New(own(t, sqlite.Open(name+"?_busy_timeout=50")))
	holder := own(t, sqlite.Open(name+"?_txlock=immediate"))
	err := holder.Transaction(func(*gorm.DB) error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := s.Migrate(ctx); err == nil {
			t.Error("got no error while another process writes")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}
