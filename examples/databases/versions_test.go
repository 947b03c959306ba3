package databases_test

import (
	"encoding/json"
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
	"gorm.io/gorm"
)

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
		if got := migrations(t, s.DB()); !slices.Equal(got, []string{"0001_tables", "0002_sessions"}) {
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
		overlay.Replace[filepath.Join(library, "migrations", kind, "0003_next.sql")] = file
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
		if err == nil || !strings.Contains(string(out), "0003_next, statement 4 of 4") {
			t.Fatalf("got %v\n%s", err, out)
		}
		if stays := app.Migrator().HasTable("gatepass_devices"); stays != (db.kind == "mysql") {
			t.Errorf("the table that was made before the failure is there: %v", stays)
		}
		if got := migrations(t, app); !slices.Equal(got, []string{"0001_tables", "0002_sessions"}) {
			t.Errorf("after the failure: got %q", got)
		}
		if after := contents(t, app); after != before {
			t.Errorf("after the failure: got\n%s\nwant\n%s", after, before)
		}

		instances(t, db, dsn, program, os.Args[0], program)
		if got := migrations(t, app); !slices.Equal(got, []string{"0001_tables", "0002_sessions", "0003_next"}) {
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
