package databases_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/storetest"
	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// script runs several statements at once.
func (db database) script(tb testing.TB, dsn, text string) error {
	tb.Helper()
	if db.kind == "mysql" {
		cfg, err := mysqldriver.ParseDSN(dsn)
		if err != nil {
			tb.Fatal(err)
		}
		cfg.MultiStatements = true
		dsn = cfg.FormatDSN()
	}
	if db.kind == "postgres" {
		dsn = with(dsn, "default_query_exec_mode", "simple_protocol")
	}
	_, err := connect(tb, db.driver, dsn).ExecContext(tb.Context(), text)
	return err
}

// first makes a database that the first version of the library has filled.
func (db database) first(t *testing.T) (dsn string) {
	t.Helper()
	dump, err := os.ReadFile(filepath.Join("..", "..", "store", "gormstore", "testdata", "first-"+db.kind+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	dsn = db.fresh(t)
	if err := db.script(t, dsn, string(dump)); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// app opens a database as an app does.
func (db database) app(tb testing.TB, dsn string) *gorm.DB {
	tb.Helper()
	app, err := gorm.Open(db.dialector(dsn, nil), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	pool, err := app.DB()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { pool.Close() })
	return app
}

// contents returns every row of a table, and of each what the first version of
// the library knew.
func contents(tb testing.TB, db *gorm.DB) string {
	tb.Helper()
	var b strings.Builder
	for table, columns := range map[string]string{
		"gatepass_users":    "id, username, name, email, email_verified, avatar_url, locale, disabled, created_at, updated_at",
		"gatepass_accounts": "provider, subject, user_id, issuer, email, name, username, avatar_url, profile, created_at, updated_at, sealed, token_expiry, token_scopes, leased_until",
		"gatepass_sessions": "id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip",
		"gatepass_marks":    "id, ends_at",
	} {
		var found []map[string]any
		if err := db.Table(table).Select(columns).Find(&found).Error; err != nil {
			tb.Fatal(err)
		}
		for _, row := range found {
			fmt.Fprintf(&b, "%s %q\n", table, row)
		}
	}
	lines := strings.Split(b.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// tables returns what a database says of our tables, but for their order.
func (db database) tables(tb testing.TB, app *gorm.DB) string {
	tb.Helper()
	var lines, more []string
	ask := func(to *[]string, query string) {
		if err := app.Raw(query).Scan(to).Error; err != nil {
			tb.Fatal(err)
		}
	}
	switch db.kind {
	case "sqlite":
		ask(&lines, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
	case "postgres":
		ask(&lines, "SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, collation_name, is_nullable, column_default)"+
			" FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position")
		ask(&more, "SELECT replace(indexdef, current_schema() || '.', '') FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname")
	case "mysql":
		ask(&lines, "SELECT concat_ws(' ', table_name, column_name, column_type, collation_name, is_nullable, column_default, generation_expression)"+
			" FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position")
		ask(&more, "SELECT concat_ws(' ', table_name, index_name, seq_in_index, column_name) FROM information_schema.statistics"+
			" WHERE table_schema = database() ORDER BY table_name, index_name, seq_in_index")
	}
	return strings.Join(append(lines, more...), "\n")
}

func TestMigrateFromTheFirstVersion(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		app := db.app(t, db.first(t))
		before := contents(t, app)
		if strings.Count(before, "\n") != 3+4+2+2 {
			t.Fatalf("got %s", before)
		}
		s := gormstore.New(app)
		text, err := s.MigrationSQL(t.Context())
		if err != nil || !strings.Contains(text, "CREATE TABLE gatepass_migrations") || strings.Contains(text, "CREATE TABLE gatepass_users") {
			t.Errorf("MigrationSQL: got %v, %s", err, text)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := contents(t, app); after != before {
			t.Errorf("got\n%s\nwant\n%s", after, before)
		}
		want := db.tables(t, db.open(t, db.fresh(t)).DB())
		if got := db.tables(t, app); db.kind != "sqlite" && got != want { // SQLite keeps the words in which a table was made
			t.Errorf("got the tables\n%s\nwant\n%s", got, want)
		}
		theFirst(t, s)
		storetest.Run(t, func(t *testing.T) store.Store {
			empty(t, s)
			return s
		})
	})
}

// theFirst looks at what the first version has stored with the eyes of a store.
func theFirst(t *testing.T, s *gormstore.Store) {
	t.Helper()
	ctx := t.Context()
	u, err := s.UserByEmail(ctx, "mona@example.com")
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := s.UserAccounts(ctx, u.ID)
	if err != nil || len(accounts) != 2 {
		t.Fatalf("got %d accounts, want 2 (%v)", len(accounts), err)
	}
	var profile struct{ Login, Bio string }
	if err := json.Unmarshal(accounts[0].Profile, &profile); err != nil || profile.Login != "octo'cat" || profile.Bio != `a\b "q" ü` {
		t.Errorf("got %s (%v)", accounts[0].Profile, err)
	}
	tok, err := s.Token(ctx, key("583231"))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range tok.Sealed {
		if int(c) != 255-i {
			t.Fatalf("got token %x", tok.Sealed)
		}
	}
	if got := fmt.Sprintf("%d %q %v", len(tok.Sealed), tok.Scopes, tok.Expiry); got != `256 ["read:user" "a b" "c,d"] 2026-11-01 18:20:30.654321 +0000 UTC` {
		t.Errorf("got token %s", got)
	}
	session, owner, err := s.SessionUser(ctx, "0zb3-0123456789012345678901234567890123456")
	if err != nil || *owner != *u || !session.Reauthed || session.UserAgent != "Mozilla/5.0 (ü)" {
		t.Errorf("got %+v, %+v, %v", session, owner, err)
	}
	zoe, err := s.Account(ctx, store.Key{Provider: "google", Subject: "ab "})
	if err != nil {
		t.Fatal(err)
	}
	u, err = s.User(ctx, zoe.UserID)
	if err != nil || u.Name != "Zoë 😀 O'Neil; DROP" || !u.Disabled || u.CreatedAt.String() != "2025-02-03 04:05:06.789 +0000 UTC" {
		t.Errorf("got %+v, %v", u, err)
	}
}

// Somebody has run the printed SQL, and perhaps stopped in the middle, as
// MySQL and MariaDB do with a migration that fails.
func TestMigrateAfterAHalf(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		whole := db.open(t, db.fresh(t))
		want := db.tables(t, whole.DB())
		text, err := gormstore.New(db.app(t, db.fresh(t))).MigrationSQL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		statements := strings.SplitAfter(strings.TrimSpace(text), ";\n")
		if len(statements) < 11 {
			t.Fatalf("got %d statements: %s", len(statements), text)
		}
		for n := 1; n <= len(statements); n++ {
			dsn := db.fresh(t)
			if err := db.script(t, dsn, strings.Join(statements[:n], "")); err != nil {
				t.Fatal(err)
			}
			app := db.app(t, dsn)
			s := gormstore.New(app)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatalf("after %d statements: %v", n, err)
			}
			if got := db.tables(t, app); got != want {
				t.Fatalf("after %d statements: got\n%s\nwant\n%s", n, got, want)
			}
			if text, err := s.MigrationSQL(t.Context()); text != "" || err != nil {
				t.Errorf("after %d statements: got %v, %q, want nothing to do", n, err, text)
			}
		}
	})
}

func TestMigrateRefusesWhatIsNotOurs(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		for _, table := range []string{"gatepass_users", "gatepass_accounts", "gatepass_sessions", "gatepass_marks", "gatepass_migrations"} {
			app := db.app(t, db.fresh(t))
			if err := app.Exec("CREATE TABLE " + table + " (number integer PRIMARY KEY)").Error; err != nil {
				t.Fatal(err)
			}
			before := db.tables(t, app)
			err := gormstore.New(app).Migrate(t.Context())
			if err == nil || !strings.Contains(err.Error(), "is not ours: "+table) {
				t.Errorf("%s: got error %v", table, err)
			}
			if after := db.tables(t, app); after != before {
				t.Errorf("%s: something has changed: %s", table, after)
			}
		}
	})
}

func TestMigrateInATransaction(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		app := db.app(t, db.fresh(t))
		before := db.tables(t, app)
		undo := errors.New("undo")
		err := app.Transaction(func(tx *gorm.DB) error {
			if err := gormstore.New(tx).Migrate(t.Context()); err != nil {
				return err
			}
			signUp(t, gormstore.New(tx), "in")
			return undo
		})
		if db.kind == "mysql" {
			if err == nil || !strings.Contains(err.Error(), "ends a transaction") {
				t.Errorf("got error %v, want one that says why not", err)
			}
		} else if err != undo {
			t.Error(err)
		}
		if after := db.tables(t, app); after != before {
			t.Errorf("got %s, want nothing", after)
		}

		// Once there is nothing to do, it may be anywhere.
		if err := gormstore.New(app).Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = app.Transaction(func(tx *gorm.DB) error { return gormstore.New(tx).Migrate(t.Context()) })
		if err != nil {
			t.Error(err)
		}
	})
}

// Member is a user of an app, with columns of the app's own.
type Member struct {
	gormstore.User
	Nickname string
	Points   int `gorm:"not null;default:7"`
}

// AutoMigrate of an app's model and Migrate come in either order, and alter
// nothing that the other has made.
func TestEmbeddedUser(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		for _, order := range []string{"Migrate first", "AutoMigrate first"} {
			t.Run(order, func(t *testing.T) {
				app := db.app(t, db.fresh(t))
				s := gormstore.New(app)
				both := []func() error{
					func() error { return s.Migrate(t.Context()) },
					func() error { return app.AutoMigrate(&Member{}) },
				}
				if order == "AutoMigrate first" {
					slices.Reverse(both)
				}
				for _, f := range both {
					if err := f(); err != nil {
						t.Fatal(err)
					}
				}
				tables := db.tables(t, app)
				u, a, _ := signUp(t, s, "MONA")
				for _, f := range both {
					if err := f(); err != nil {
						t.Fatal(err)
					}
				}
				if after := db.tables(t, app); after != tables {
					t.Errorf("got\n%s\nwant\n%s", after, tables)
				}
				var m Member
				if err := app.First(&m, "id = ?", u.ID).Error; err != nil || m.Points != 7 || m.Name != u.Name {
					t.Errorf("got %+v, %v", m, err)
				}
				if got, err := s.Account(t.Context(), a.Key); err != nil || got.UserID != u.ID {
					t.Errorf("got %+v, %v", got, err)
				}
				if err := s.DeleteUser(t.Context(), u.ID); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// Two apps in one database do not meet, and the longest names fit.
func TestWithPrefix(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		shop, err := gormstore.Open(db.dialector(dsn, nil), gormstore.WithPrefix(strings.Repeat("a", 30)))
		if err != nil {
			t.Fatal(err)
		}
		defer shop.Close()
		_, a, _ := signUp(t, shop, "x")
		s := db.open(t, dsn)
		if _, err := s.Account(t.Context(), a.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got error %v, want %v", err, store.ErrNotFound)
		}
		signUp(t, s, "x")
		if n := count(t, s, "gatepass_users"); n != 1 {
			t.Errorf("got %d users, want 1", n)
		}
	})
}

// GORM's driver for MySQL may be told to make texts shorter or longer, also
// those of the first version.
func TestMigrateWithOtherSizes(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.first(t)
		if err := db.script(t, dsn, `ALTER TABLE gatepass_accounts DROP FOREIGN KEY gatepass_accounts_user;
			ALTER TABLE gatepass_users MODIFY id varchar(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, MODIFY name varchar(256);
			ALTER TABLE gatepass_accounts ADD CONSTRAINT gatepass_accounts_user
				FOREIGN KEY (user_id) REFERENCES gatepass_users (id) ON DELETE CASCADE`); err != nil {
			t.Fatal(err)
		}
		theFirst(t, db.open(t, dsn))
	}, "mysql")
}

// A program that may not make tables starts on those that are there.
func TestMigrateWithoutTheRight(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		open := db.open(t, dsn).DB()
		var schema string
		if err := open.Raw("SELECT current_schema()").Scan(&schema).Error; err != nil {
			t.Fatal(err)
		}
		role := name()
		administer(t, "pgx", dsn, "CREATE ROLE "+role+" LOGIN; GRANT USAGE ON SCHEMA "+schema+" TO "+role+
			"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "+schema+" TO "+role,
			"DROP OWNED BY "+role+"; DROP ROLE "+role)
		s := db.open(t, with(dsn, "user", role))
		signUp(t, s, "x")
	}, "postgres")
}

// TestOtherInstance is what TestMigrateAtOnce and TestMigrateToTheNextVersion
// run in other processes.
func TestOtherInstance(t *testing.T) {
	dsn := os.Getenv("GATEPASS_TEST_DSN")
	if dsn == "" {
		t.Skip("only other tests run it")
	}
	for _, db := range databases() {
		if db.name != os.Getenv("GATEPASS_TEST_DATABASE") {
			continue
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { signUp(t, db.open(t, dsn), name()) })
		}
		wg.Wait()
	}
}

// instances starts programs at once, each with four connections of its own.
func instances(t *testing.T, db database, dsn string, programs ...string) {
	t.Helper()
	var wg sync.WaitGroup
	for _, program := range programs {
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestOtherInstance$", "-test.v")
		cmd.Env = append(os.Environ(), "GATEPASS_TEST_DSN="+dsn, "GATEPASS_TEST_DATABASE="+db.name)
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestOtherInstance") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
}

func migrations(t *testing.T, app *gorm.DB) (ids []string) {
	t.Helper()
	if err := app.Raw("SELECT id FROM gatepass_migrations ORDER BY id").Scan(&ids).Error; err != nil {
		t.Fatal(err)
	}
	return ids
}

// Twelve instances in three processes start on an empty database.
func TestMigrateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		instances(t, db, dsn, os.Args[0], os.Args[0], os.Args[0])
		s := db.open(t, dsn)
		if got := migrations(t, s.DB()); !slices.Equal(got, []string{"0001_tables"}) {
			t.Errorf("got %q", got)
		}
		if n := count(t, s, "gatepass_users"); n != 12 {
			t.Errorf("got %d users, want 12", n)
		}
	})
}

// nextVersion is what a later version of the library will run, on each kind of
// database.
const nextVersion = `CREATE TABLE gatepass_devices (
    id varchar(255) NOT NULL,
    PRIMARY KEY (id)
);
ALTER TABLE gatepass_sessions ADD COLUMN device varchar(100);
UPDATE gatepass_sessions SET device = 'old';
CREATE INDEX gatepass_sessions_device ON gatepass_sessions (device);
`

// next builds these tests with a later version of the library.
func next(t *testing.T, second string) (program string) {
	t.Helper()
	dir := t.TempDir()
	library, err := filepath.Abs(filepath.Join("..", "..", "store", "gormstore"))
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for _, kind := range []string{"sqlite", "postgres", "mysql"} {
		file := filepath.Join(dir, kind+".sql")
		if err := os.WriteFile(file, []byte(second), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(library, "migrations", kind, "0002_next.sql")] = file
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "next.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, "-overlay", filepath.Join(dir, "overlay.json"), ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// Programs of the next version start at once beside some of this one, on a
// database that the first has filled.
func TestMigrateToTheNextVersion(t *testing.T) {
	program := next(t, nextVersion)
	broken := next(t, strings.Replace(nextVersion, "(device)", "(gadget)", 1))
	each(t, func(t *testing.T, db database) {
		dsn := db.first(t)
		app := db.app(t, dsn)
		before := contents(t, app)
		s := gormstore.New(app)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}

		// A migration that fails says so. What it has done stays on MySQL alone.
		cmd := exec.CommandContext(t.Context(), broken, "-test.run=^TestOtherInstance$")
		cmd.Env = append(os.Environ(), "GATEPASS_TEST_DSN="+dsn, "GATEPASS_TEST_DATABASE="+db.name)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "0002_next, statement 4 of 4") {
			t.Fatalf("got %v\n%s", err, out)
		}
		if stays := app.Migrator().HasTable("gatepass_devices"); stays != (db.kind == "mysql") {
			t.Errorf("the table that was made before the failure is there: %v", stays)
		}
		if got := migrations(t, app); !slices.Equal(got, []string{"0001_tables"}) {
			t.Errorf("after the failure: got %q", got)
		}
		if after := contents(t, app); after != before {
			t.Errorf("after the failure: got\n%s\nwant\n%s", after, before)
		}

		instances(t, db, dsn, program, os.Args[0], program)
		if got := migrations(t, app); !slices.Equal(got, []string{"0001_tables", "0002_next"}) {
			t.Errorf("got %q", got)
		}
		for line := range strings.SplitSeq(strings.TrimSpace(before), "\n") {
			if !strings.Contains(contents(t, app), line) {
				t.Errorf("lost: %s", line)
			}
		}
		var old int64
		if err := app.Table("gatepass_sessions").Where("device = 'old' AND id LIKE '0%b3-%'").Count(&old).Error; err != nil || old != 2 {
			t.Errorf("got %d old sessions, want 2 (%v)", old, err)
		}
		theFirst(t, s)
		storetest.Run(t, func(t *testing.T) store.Store {
			empty(t, s)
			return s
		})
	})
}

// A lock of MySQL's that was not to be had is not taken for one.
func TestMigrateWaitsForTheLock(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		holder, err := connect(t, db.driver, dsn).Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer holder.Close()
		lock, unlock := "SELECT pg_advisory_lock(7165346298741)", "SELECT pg_advisory_unlock(7165346298741)"
		if db.kind == "mysql" {
			lock, unlock = "SELECT GET_LOCK(left(concat('gatepass ', database()), 64), 0)", "SELECT RELEASE_LOCK(left(concat('gatepass ', database()), 64))"
		}
		var got sql.NullString
		if err := holder.QueryRowContext(t.Context(), lock).Scan(&got); err != nil {
			t.Fatal(err)
		}
		app := db.app(t, dsn)
		done := make(chan error, 1)
		go func() { done <- gormstore.New(app).Migrate(t.Context()) }()
		waits := "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
		if db.kind == "mysql" {
			waits = "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state LIKE 'User lock%'"
		}
		for n := 0; n == 0; {
			if err := holder.QueryRowContext(t.Context(), waits).Scan(&n); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				t.Fatalf("it did not wait (%v)", err)
			default:
			}
		}
		if err := holder.QueryRowContext(t.Context(), unlock).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}, "postgres", "mysql")
}
