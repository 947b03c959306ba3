package gormstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
)

// The query that a request costs, as someone would write it who had database/sql
// alone, with the tables as they are.
const joined = `SELECT s.user_id, s.provider, s.subject, s.sid, s.auth_time, s.reauthed, s.created_at, s.seen_at, s.expires_at,
	s.user_agent, s.ip, u.id, u.username, u.name, u.email, u.email_verified, u.avatar_url, u.locale, u.disabled, u.created_at, u.updated_at
	FROM gatepass_sessions s JOIN gatepass_users u ON u.id = s.user_id WHERE s.id = ? AND s.expires_at > ?`

func BenchmarkSessionUser(b *testing.B) {
	s, err := gormstore.Open(sqlite.Open(filepath.Join(b.TempDir(), "bench.db")))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	ctx := context.Background()
	var id string
	for range 1000 {
		id = signUp(b, s)
	}
	db, err := s.DB().DB()
	if err != nil {
		b.Fatal(err)
	}
	floor := func(b *testing.B) {
		stmt, err := db.Prepare(joined)
		if err != nil {
			b.Fatal(err)
		}
		defer stmt.Close()
		b.ReportAllocs()
		for b.Loop() {
			var s store.Session
			var u store.User
			var auth, created, seen, expires int64
			if err := stmt.QueryRowContext(ctx, id, time.Now().UnixMicro()).Scan(&s.UserID, &s.Provider, &s.Subject, &s.SID, &auth,
				&s.Reauthed, &created, &seen, &expires, &s.UserAgent, &s.IP,
				&u.ID, &u.Username, &u.Name, &u.Email, &u.EmailVerified, &u.AvatarURL, &u.Locale, &u.Disabled, &u.CreatedAt, &u.UpdatedAt); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("floor", floor)
	b.Run("gormstore", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := s.SessionUser(ctx, id); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func signUp(tb testing.TB, s store.Store) (session string) {
	tb.Helper()
	ctx := context.Background()
	now := time.Now()
	u := &store.User{Username: "octocat", Name: "Mona Lisa Octocat", Email: "octocat@example.com", AvatarURL: "https://avatars.example.com/u/583231", Locale: "en"}
	a := &store.Account{Key: store.Key{Provider: "github", Subject: strings.ToLower(rand.Text())}, Issuer: "https://github.com"}
	if err := s.CreateUser(ctx, u, a); err != nil {
		tb.Fatal(err)
	}
	id := base64.RawURLEncoding.EncodeToString([]byte(rand.Text() + rand.Text()[:6]))
	if err := s.CreateSession(ctx, &store.Session{ID: id, UserID: u.ID, Key: a.Key, AuthTime: now, CreatedAt: now, SeenAt: now,
		ExpiresAt: now.Add(time.Hour), UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/156", IP: "192.0.2.1"}); err != nil {
		tb.Fatal(err)
	}
	return id
}

var _ = sql.ErrNoRows
