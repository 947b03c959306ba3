package gormstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
)

// The statements of the version before, which goes on beside this one while an
// app is brought up to date.
const (
	firstInsert = `INSERT INTO gatepass_sessions (id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip)
		VALUES (?, ?, 'github', '583231', '', 0, 0, 0, 0, ?, '', '')`
	firstTouch = "UPDATE gatepass_sessions SET seen_at = ?, expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END WHERE id = ? AND seen_at <= ?"
)

// What a program of the version before does after the tables have changed, this
// one knows how to go on with.
func TestSessionsOfTheVersionBefore(t *testing.T) {
	db := own(t, sqlite.Open(file(t)+"?_busy_timeout=10000"))
	s := gormstore.New(db)
	ctx := t.Context()
	if err := s.MigrateWith(ctx, until(t, "0001")); err != nil {
		t.Fatal(err)
	}
	u, a := newPerson()
	if err := s.CreateUser(ctx, u, a); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(time.Hour).UnixMicro()
	insert := func(id string) {
		t.Helper()
		if err := db.Exec(firstInsert, id, u.ID, end).Error; err != nil {
			t.Fatal(err)
		}
	}
	insert("before")
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	insert("after")
	for _, id := range []string{"before", "after"} {
		got, owner, err := s.SessionUser(ctx, id)
		if err != nil || got.Issuer != "" || got.Family != "" || owner.ID != u.ID {
			t.Errorf("%s: got %+v, %+v, %v", id, got, owner, err)
		}
		if _, values, err := s.SessionValues(ctx, id); err != nil || len(values) > 0 {
			t.Errorf("%s: got values %q, %v", id, values, err)
		}
		if err := s.SwapSessionValues(ctx, id, []byte{}, []byte("cart")); err != nil {
			t.Errorf("%s: SwapSessionValues: %v", id, err)
		}
		now := time.Now().UnixMicro()
		if err := db.Exec(firstTouch, now, end, end, id, now).Error; err != nil {
			t.Errorf("%s: touched by the version before: %v", id, err)
		}
		renewed := newSession(u.ID)
		if err := s.RenewSession(ctx, id, renewed); err != nil {
			t.Errorf("%s: RenewSession: %v", id, err)
		}
		if _, values, err := s.SessionValues(ctx, renewed.ID); err != nil || string(values) != "cart" {
			t.Errorf("%s: got values %q, %v", id, values, err)
		}
	}
	// It deletes a user, and knows of no browser that is remembered.
	r := newRemembered(u.ID)
	r.ExpiresAt = time.Now().Add(-time.Second)
	if err := s.CreateRemembered(ctx, r); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"DELETE FROM gatepass_sessions WHERE user_id = ?", "DELETE FROM gatepass_accounts WHERE user_id = ?",
		"DELETE FROM gatepass_users WHERE id = ?"} {
		if err := db.Exec(statement, u.ID).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteExpired(ctx); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s); got != "" {
		t.Errorf("left:\n%s", got)
	}
}

// The printed SQL is that of what is missing.
func TestMigrationSQLOfTheSecond(t *testing.T) {
	s := gormstore.New(own(t, sqlite.Open(file(t))))
	if err := s.MigrateWith(t.Context(), until(t, "0001")); err != nil {
		t.Fatal(err)
	}
	text, err := s.MigrationSQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ALTER TABLE gatepass_sessions ADD COLUMN vals blob", "CREATE TABLE gatepass_remembered", "VALUES ('0002_sessions')"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("want %q once, got\n%s", want, text)
		}
	}
	for _, other := range []string{"CREATE TABLE gatepass_sessions", "0001", "DROP", "NOT NULL DEFAULT ''"} {
		if strings.Contains(text, other) {
			t.Errorf("got %q in\n%s", other, text)
		}
	}
}

// A table of the app's that is called like the new one is left alone, and the
// others as well.
func TestMigrateMeetsATableOfTheApp(t *testing.T) {
	db := own(t, sqlite.Open(file(t)))
	s := gormstore.New(db)
	if err := errors.Join(s.MigrateWith(t.Context(), until(t, "0001")),
		db.Exec("CREATE TABLE gatepass_remembered (id integer PRIMARY KEY, what text)").Error); err != nil {
		t.Fatal(err)
	}
	before := schema(t, db)
	if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "is not ours: gatepass_remembered") {
		t.Errorf("got error %v, want one that names the table", err)
	}
	if after := schema(t, db); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
}
