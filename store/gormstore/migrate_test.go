package gormstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	namer "gorm.io/gorm/schema"
)

// Member is a user of an app, with columns of the app's own.
type Member struct {
	gormstore.User
	Nickname string
	Points   int `gorm:"not null;default:7"`
}

// schema returns all that SQLite knows of the tables.
func schema(t *testing.T, db *gorm.DB) string {
	t.Helper()
	var lines []string
	if err := db.Raw("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").Scan(&lines).Error; err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestMigrateAgain(t *testing.T) {
	s := open(t, file(t))
	id := signUp(t, s)
	before := schema(t, s.DB())
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := schema(t, s.DB()); after != before {
		t.Errorf("the schema has changed:\n%s", after)
	}
	if _, _, err := s.SessionUser(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestMigrateNamesItsTables(t *testing.T) {
	s := open(t, file(t))
	var names []string
	if err := s.DB().Raw("SELECT name FROM sqlite_master WHERE name NOT LIKE 'gatepass_%' AND name NOT LIKE 'sqlite_autoindex_gatepass_%'").
		Scan(&names).Error; err != nil || len(names) > 0 {
		t.Errorf("got %q beside tables named gatepass_… (%v)", names, err)
	}
}

// A naming strategy of the app's, and default transactions, change nothing.
func TestMigrateIsTheAppsOwnDatabase(t *testing.T) {
	db := own(t, sqlite.Open(file(t)))
	db.NamingStrategy = prefixed{db.NamingStrategy}
	s := migrated(t, db)
	if _, _, err := s.SessionUser(t.Context(), signUp(t, s)); err != nil {
		t.Error(err)
	}
}

func TestMigrateRefusesWhatIsNotOurs(t *testing.T) {
	for _, ddl := range []string{
		"CREATE TABLE gatepass_users (id integer PRIMARY KEY, login text)",
		"CREATE TABLE gatepass_accounts (id integer PRIMARY KEY, provider text)",
		"CREATE TABLE gatepass_sessions (token text PRIMARY KEY, data blob)",
		"CREATE TABLE gatepass_marks (name text)",
		"CREATE TABLE gatepass_migrations (id integer, name text)",
	} {
		db := own(t, sqlite.Open(file(t)))
		if err := db.Exec(ddl).Error; err != nil {
			t.Fatal(err)
		}
		err := gormstore.New(db).Migrate(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is not ours: "+strings.Fields(ddl)[2]) {
			t.Errorf("%s: got error %v, want one that says that it is not ours", ddl, err)
		}
		if _, err := gormstore.New(db).MigrationSQL(t.Context()); err == nil {
			t.Errorf("%s: MigrationSQL: got no error", ddl)
		}
		if got := schema(t, db); got != ddl {
			t.Errorf("something has changed: %s", got)
		}
	}
}

// A database of the first version, or a half of one, has no table of versions.
func TestMigrateAddsWhatIsMissing(t *testing.T) {
	name := file(t)
	s := gormstore.New(own(t, sqlite.Open(name)))
	if err := s.MigrateWith(t.Context(), until(t, "0001")); err != nil {
		t.Fatal(err)
	}
	want := schema(t, open(t, file(t)).DB())
	for _, ddl := range []string{
		"DROP TABLE gatepass_migrations",
		"DROP INDEX gatepass_users_email",
		"DROP TABLE gatepass_marks",
	} {
		if err := s.DB().Exec(ddl).Error; err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, name)
	if _, _, err := s.SessionUser(t.Context(), signUp(t, s)); err != nil {
		t.Error(err)
	}
	if err := s.Mark(t.Context(), "m", time.Now()); err != nil {
		t.Errorf("Mark: %v", err)
	}
	if after := schema(t, s.DB()); after != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
}

// An index that is not used is no index.
func TestUserByEmailUsesItsIndex(t *testing.T) {
	s := open(t, file(t))
	var plan []struct{ Detail string }
	err := s.DB().Raw("EXPLAIN QUERY PLAN SELECT u.id FROM gatepass_users u WHERE lower(email) = lower(?) AND u.email_verified = ?", "a", true).
		Scan(&plan).Error
	if err != nil || len(plan) == 0 || !strings.Contains(plan[0].Detail, "USING INDEX gatepass_users_email") {
		t.Errorf("got plan %v (%v)", plan, err)
	}
}

func TestEmbeddedUser(t *testing.T) {
	for _, order := range []string{"after Open", "before Migrate"} {
		t.Run(order, func(t *testing.T) {
			var s *gormstore.Store
			var db *gorm.DB
			if order == "after Open" {
				s = open(t, file(t))
				db = s.DB()
				signUp(t, s)
				if err := db.AutoMigrate(&Member{}); err != nil {
					t.Fatal(err)
				}
			} else {
				db = own(t, sqlite.Open(file(t)+"?_foreign_keys=1"))
				if err := db.AutoMigrate(&Member{}); err != nil {
					t.Fatal(err)
				}
				s = migrated(t, db)
			}
			ctx := t.Context()
			u, a := newPerson()
			if err := s.CreateUser(ctx, u, a); err != nil {
				t.Fatal(err)
			}
			var m Member
			if err := db.First(&m, "id = ?", u.ID).Error; err != nil {
				t.Fatal(err)
			}
			if m.Name != u.Name || !m.CreatedAt.Equal(u.CreatedAt) || m.Points != 7 {
				t.Errorf("got %+v, want %+v with 7 points", m, u)
			}
			m.Nickname, m.Email, m.EmailVerified, m.Disabled = "Octo", "Mona@Example.com", true, true
			if err := db.Save(&m).Error; err != nil {
				t.Fatal(err)
			}
			got, err := s.UserByEmail(ctx, "mona@example.com")
			if err != nil || got.ID != u.ID || !got.Disabled {
				t.Errorf("what the app saved: got %+v, %v", got, err)
			}
			if got.UpdatedAt.Location() != time.UTC {
				t.Errorf("UpdatedAt: got %v, want UTC", got.UpdatedAt)
			}
			got.Name = "Mona"
			if err := s.UpdateUser(ctx, got); err != nil {
				t.Fatal(err)
			}
			if err := db.First(&m, "id = ?", u.ID).Error; err != nil || m.Nickname != "Octo" || m.Name != "Mona" {
				t.Errorf("after UpdateUser: got %+v (%v)", m, err)
			}

			// Another run of both migrations alters nothing and loses nobody.
			before := schema(t, db)
			if err := db.AutoMigrate(&Member{}); err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			if after := schema(t, db); after != before {
				t.Errorf("the schema has changed from\n%s\nto\n%s", before, after)
			}
			if _, err := s.Account(ctx, a.Key); err != nil {
				t.Errorf("Account: %v", err)
			}
		})
	}
}

// To alter a column on SQLite, GORM drops the table. With foreign keys that
// cascade, the accounts would go with it.
func TestAlteringUsersKeepsAccounts(t *testing.T) {
	s := open(t, file(t))
	ctx := t.Context()
	if err := s.DB().AutoMigrate(&Member{}); err != nil {
		t.Fatal(err)
	}
	u, a := newPerson()
	if err := s.CreateUser(ctx, u, a); err != nil {
		t.Fatal(err)
	}
	// In a transaction GORM cannot turn foreign keys off, and may well fail.
	for _, alter := range []func() error{
		func() error {
			return s.DB().Transaction(func(tx *gorm.DB) error { return tx.Migrator().AlterColumn(&Member{}, "Nickname") })
		},
		func() error { return s.DB().Migrator().AlterColumn(&Member{}, "Nickname") },
	} {
		t.Logf("altering a column: %v", alter())
		if _, err := s.Account(ctx, a.Key); err != nil {
			t.Fatalf("the account has gone: %v", err)
		}
	}
}

// Rows that the app has inserted may lack what the library always writes.
func TestRowsOfTheApp(t *testing.T) {
	s := open(t, file(t))
	if err := s.DB().Exec("INSERT INTO gatepass_users (id, name) VALUES ('mine', 'Me')").Error; err != nil {
		t.Fatal(err)
	}
	u, err := s.User(t.Context(), "mine")
	if err != nil || *u != (store.User{ID: "mine", Name: "Me"}) {
		t.Errorf("got %+v, %v", u, err)
	}
}

func TestDeleteUserWithoutForeignKeys(t *testing.T) {
	s := open(t, file(t)+"?_foreign_keys=0")
	ctx := t.Context()
	id := signUp(t, s)
	_, u, err := s.SessionUser(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"gatepass_users", "gatepass_accounts", "gatepass_sessions"} {
		var n int64
		if err := s.DB().Table(table).Count(&n).Error; err != nil || n != 0 {
			t.Errorf("%s: got %d rows, want none (%v)", table, n, err)
		}
	}
}

// prefixed is a naming strategy of an app's.
type prefixed struct{ namer.Namer }

func (p prefixed) TableName(table string) string          { return "app_" + p.Namer.TableName(table) }
func (p prefixed) ColumnName(table, column string) string { return p.Namer.ColumnName(table, column) }
