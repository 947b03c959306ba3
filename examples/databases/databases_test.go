package databases_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/glebarez/sqlite"
	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// A database is one of those that the tests run on, by one driver.
type database struct {
	name   string
	kind   string // sqlite, postgres or mysql
	driver string // its name in database/sql

	// fresh makes an empty database that goes when the test ends, and returns
	// its DSN.
	fresh func(tb testing.TB) string

	// dialector is GORM's, for a DSN or for connections that there are.
	dialector func(dsn string, conn gorm.ConnPool) gorm.Dialector
}

func databases() []database {
	return append(withC(),
		database{
			name: "SQLite without C", kind: "sqlite", driver: sqlite.DriverName, fresh: file,
			dialector: func(dsn string, conn gorm.ConnPool) gorm.Dialector {
				return &sqlite.Dialector{DSN: dsn, Conn: conn}
			},
		},
		database{
			name: "PostgreSQL", kind: "postgres", driver: "pgx", fresh: schema,
			dialector: func(dsn string, conn gorm.ConnPool) gorm.Dialector {
				return postgres.New(postgres.Config{DSN: dsn, Conn: conn})
			},
		},
		database{
			name: "MySQL", kind: "mysql", driver: "mysql", fresh: mysqlDatabase,
			dialector: func(dsn string, conn gorm.ConnPool) gorm.Dialector {
				return mysql.New(mysql.Config{DSN: dsn, Conn: conn})
			},
		})
}

// each runs f for every database, or for those of the kinds that are named.
func each(t *testing.T, f func(t *testing.T, db database), kinds ...string) {
	t.Helper()
	for _, db := range databases() {
		if len(kinds) == 0 || strings.Contains(strings.Join(kinds, " "), db.kind) {
			t.Run(db.name, func(t *testing.T) { f(t, db) })
		}
	}
}

func file(tb testing.TB) string { return filepath.Join(tb.TempDir(), "test.db") }

// server returns the DSN of a server. Without one there is nothing to test,
// which on a machine that checks everything is a fault.
func server(tb testing.TB, variable string) string {
	tb.Helper()
	dsn := os.Getenv(variable)
	if dsn == "" {
		say := tb.Skipf
		if os.Getenv("CI") == "true" {
			say = tb.Fatalf
		}
		say("%s is not set to a DSN; ./with-servers go test ./... starts a server and sets it", variable)
	}
	return dsn
}

func name() string { return "gatepass_test_" + strings.ToLower(rand.Text()) }

// administer runs a statement on a server, and another one when the test ends.
func administer(tb testing.TB, driver, dsn, before, after string) {
	tb.Helper()
	db := connect(tb, driver, dsn)
	if _, err := db.ExecContext(tb.Context(), before); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), after); err != nil {
			tb.Error(err)
		}
	})
}

// connect opens a database past the store.
func connect(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

// A schema of its own is to PostgreSQL what a database is to others, and made
// in a tenth of the time.
func schema(tb testing.TB) string {
	tb.Helper()
	dsn, name := server(tb, "GATEPASS_POSTGRES"), name()
	administer(tb, "pgx", dsn, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
	return with(dsn, "search_path", name)
}

// with adds a parameter to a DSN of PostgreSQL, in either of its two forms.
func with(dsn, param, value string) string {
	switch {
	case !strings.Contains(dsn, "://"):
		return dsn + " " + param + "=" + value
	case strings.Contains(dsn, "?"):
		return dsn + "&" + param + "=" + value
	}
	return dsn + "?" + param + "=" + value
}

func mysqlDatabase(tb testing.TB) string {
	tb.Helper()
	dsn, name := server(tb, "GATEPASS_MYSQL"), name()
	// As a team would get it that does not think of comparison.
	administer(tb, "mysql", dsn, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "DROP DATABASE "+name)
	cfg, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	cfg.DBName, cfg.ParseTime = name, true
	return cfg.FormatDSN()
}

// open opens a store that is closed when the test ends.
func (db database) open(tb testing.TB, dsn string) *gormstore.Store {
	tb.Helper()
	return opened(tb, db.dialector(dsn, nil))
}

func opened(tb testing.TB, d gorm.Dialector) *gormstore.Store {
	tb.Helper()
	s, err := gormstore.Open(d)
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

// sqlDB returns the connections below a store.
func sqlDB(tb testing.TB, s *gormstore.Store) *sql.DB {
	tb.Helper()
	db, err := s.DB().DB()
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

func count(tb testing.TB, s *gormstore.Store, table string) int64 {
	tb.Helper()
	var n int64
	if err := s.DB().Table(table).Count(&n).Error; err != nil {
		tb.Fatal(err)
	}
	return n
}

// rows is how many people there are where many are wanted.
func rows(tb testing.TB, otherwise int) int {
	tb.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("GATEPASS_ROWS"), strconv.Itoa(otherwise)))
	if err != nil || n < 1000 {
		tb.Fatalf("GATEPASS_ROWS: want a number of at least 1000, got %q", os.Getenv("GATEPASS_ROWS"))
	}
	return n
}

func person(subject string) (*store.User, *store.Account) {
	return &store.User{Username: "octocat", Name: "Mona Lisa Octocat", Email: "octocat@example.com",
			AvatarURL: "https://avatars.example.com/u/583231", Locale: "en"},
		&store.Account{Key: key(subject), Issuer: "https://github.com", Profile: []byte(`{"id":583231,"login":"octocat"}`)}
}

func key(subject string) store.Key { return store.Key{Provider: "github", Subject: subject} }

func newSession(userID string) *store.Session {
	now := time.Now()
	return &store.Session{ID: rand.Text() + rand.Text()[:17], UserID: userID, Key: key("583231"), AuthTime: now, CreatedAt: now,
		SeenAt: now, ExpiresAt: now.Add(time.Hour), UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/156", IP: "192.0.2.1"}
}

func newRemembered(userID string) *store.Remembered {
	now := time.Now()
	return &store.Remembered{ID: rand.Text(), UserID: userID, Key: key("583231"), Issuer: "https://github.com", Validator: []byte(rand.Text()),
		CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(time.Hour), UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/156", IP: "192.0.2.1"}
}

// signUp stores a person with an account of that subject, a token and a session.
func signUp(tb testing.TB, s store.Store, subject string) (*store.User, *store.Account, *store.Session) {
	tb.Helper()
	u, a := person(subject)
	var session *store.Session
	err := store.Transact(tb.Context(), s, func(tx store.Store) error {
		if err := tx.CreateUser(tb.Context(), u, a); err != nil {
			return err
		}
		if err := tx.PutToken(tb.Context(), a.Key, sealedToken()); err != nil {
			return err
		}
		session = newSession(u.ID)
		return tx.CreateSession(tb.Context(), session)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return u, a, session
}

func sealedToken() *store.Token {
	return &store.Token{Sealed: make([]byte, 300), Expiry: time.Now().Add(time.Hour), Scopes: []string{"read:user"}}
}
