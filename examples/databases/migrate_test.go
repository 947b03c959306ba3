package databases_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
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

// Somebody has run the printed SQL, and perhaps stopped in the middle, as
// MySQL and MariaDB do with a migration that fails. On the others that is a half
// of a later migration which Migrate does not leave, and it says so; whoever began
// it has the rest.
func TestMigrateAfterAHalf(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		whole := db.open(t, db.fresh(t))
		want := db.tables(t, whole.DB())
		text, err := gormstore.New(db.app(t, db.fresh(t))).MigrationSQL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		statements := strings.SplitAfter(strings.TrimSpace(text), ";\n")
		later := slices.Index(statements, "\nINSERT INTO gatepass_migrations (id) VALUES ('0001_tables');\n") + 1
		if later < 11 || len(statements) < later+5 {
			t.Fatalf("got %d statements: %s", len(statements), text)
		}
		for n := 1; n <= len(statements); n++ {
			dsn := db.fresh(t)
			if err := db.script(t, dsn, strings.Join(statements[:n], "")); err != nil {
				t.Fatal(err)
			}
			app := db.app(t, dsn)
			s := gormstore.New(app)
			err := s.Migrate(t.Context())
			if db.kind != "mysql" && later < n && n < len(statements) {
				if err == nil || !strings.Contains(err.Error(), "0002_sessions, statement 1 of") {
					t.Errorf("after %d statements: got error %v, want one that names the statement", n, err)
				}
				if err := db.script(t, dsn, strings.Join(statements[n:], "")); err != nil {
					t.Fatal(err)
				}
				err = s.Migrate(t.Context())
			}
			if err != nil {
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
		for _, table := range []string{"gatepass_users", "gatepass_accounts", "gatepass_sessions", "gatepass_marks", "gatepass_migrations", "gatepass_remembered"} {
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
