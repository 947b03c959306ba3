package gormstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

// BenchmarkGoals is what SQLite and database/sql take, beside the least that the
// same takes with statements that are prepared.
func BenchmarkGoals(b *testing.B) {
	b.Run("query of a request", benchSessionUser)
	b.Run("the database's part of a sign-up", benchSignUp)
	b.Run("the database's part of a login", benchLogin)
}

// beside measures f and its ideal turn by turn, so that both meet the same
// machine. It reports the time in the middle of each, how many times the ideal f
// takes, and what each allocates. Only the ratio can be compared between machines.
func beside(b *testing.B, ideal, f func()) {
	b.Helper()
	var below, ours []time.Duration
	for b.Loop() {
		t0 := time.Now()
		ideal()
		t1 := time.Now()
		f()
		below = append(below, t1.Sub(t0))
		ours = append(ours, time.Since(t1))
	}
	slices.Sort(below)
	slices.Sort(ours)
	base, own := float64(below[len(below)/2]), float64(ours[len(ours)/2])
	b.ReportMetric(own, "ns/op")
	b.ReportMetric(base, "ideal-ns")
	b.ReportMetric(own/base, "x-ideal")
	b.ReportMetric(testing.AllocsPerRun(100, ideal), "ideal-allocs")
	b.ReportMetric(testing.AllocsPerRun(100, f), "own-allocs")
}

// benchDB returns a store with a thousand people, the ID of a session, and the
// database below it.
func benchDB(b *testing.B) (s *gormstore.Store, session string, db *sql.DB) {
	b.Helper()
	s = open(b, file(b))
	for range 1000 {
		session = signUp(b, s)
	}
	db, err := s.DB().DB()
	if err != nil {
		b.Fatal(err)
	}
	return s, session, db
}

func newPerson() (*store.User, *store.Account) {
	return &store.User{Username: "octocat", Name: "Mona Lisa Octocat", Email: "octocat@example.com",
			AvatarURL: "https://avatars.example.com/u/583231", Locale: "en"},
		&store.Account{Key: store.Key{Provider: "github", Subject: strings.ToLower(rand.Text())}, Issuer: "https://github.com",
			Profile: []byte(`{"id":583231,"login":"octocat"}`)}
}

func newSession(userID string) *store.Session {
	now := time.Now()
	return &store.Session{ID: base64.RawURLEncoding.EncodeToString([]byte(rand.Text() + rand.Text()[:6])), UserID: userID,
		Key: store.Key{Provider: "github", Subject: "583231"}, Issuer: "https://github.com", AuthTime: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour),
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/156", IP: "192.0.2.1"}
}

func newRemembered(userID string) *store.Remembered {
	now := time.Now()
	return &store.Remembered{ID: rand.Text(), UserID: userID, Key: store.Key{Provider: "github", Subject: "583231"}, Issuer: "https://github.com",
		Validator: []byte(rand.Text()), CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(time.Hour), UserAgent: "Mozilla/5.0", IP: "192.0.2.1"}
}

// signUp is what the database has to do with the first login of a person.
func signUp(tb testing.TB, s store.Store) (session string) {
	tb.Helper()
	ctx := tb.Context()
	err := store.Transact(ctx, s, func(tx store.Store) error {
		u, a := newPerson()
		if err := tx.CreateUser(ctx, u, a); err != nil {
			return err
		}
		if err := tx.PutToken(ctx, a.Key, &store.Token{Sealed: make([]byte, 300), Scopes: []string{"read:user"}}); err != nil {
			return err
		}
		s := newSession(u.ID)
		session = s.ID
		return tx.CreateSession(ctx, s)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return session
}

// The query of each request. The ideal is the same query prepared on
// database/sql. Without the cast, SQLite would plan it anew each time, and the
// ideal would be three times as high.
func benchSessionUser(b *testing.B) {
	s, id, db := benchDB(b)
	stmt, err := db.Prepare(`SELECT s.user_id, s.provider, s.subject, s.sid, s.auth_time, s.reauthed, s.created_at, s.seen_at, s.expires_at,
		s.user_agent, s.ip, s.issuer, s.family, u.username, u.name, u.email, u.email_verified, u.avatar_url, u.locale, u.disabled, u.created_at, u.updated_at
		FROM gatepass_sessions s JOIN gatepass_users u ON u.id = s.user_id WHERE s.id = CAST(? AS text)`)
	if err != nil {
		b.Fatal(err)
	}
	defer stmt.Close()
	ctx, cancel := context.WithCancel(context.Background()) // as that of a request
	defer cancel()
	beside(b, func() {
		var s store.Session
		var u store.User
		var auth, created, seen, expires int64
		if err := stmt.QueryRowContext(ctx, id).Scan(&s.UserID, &s.Provider, &s.Subject, &s.SID, &auth,
			&s.Reauthed, &created, &seen, &expires, &s.UserAgent, &s.IP, &s.Issuer, &s.Family,
			&u.Username, &u.Name, &u.Email, &u.EmailVerified, &u.AvatarURL, &u.Locale, &u.Disabled, &u.CreatedAt, &u.UpdatedAt); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, _, err := s.SessionUser(ctx, id); err != nil {
			b.Fatal(err)
		}
	})
}

const insertSession = `INSERT INTO gatepass_sessions (id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func sessionValues(v *store.Session) []any {
	return []any{v.ID, v.UserID, v.Provider, v.Subject, v.SID, v.AuthTime.UnixMicro(), v.Reauthed, v.CreatedAt.UnixMicro(), v.SeenAt.UnixMicro(),
		v.ExpiresAt.UnixMicro(), v.UserAgent, v.IP}
}

// prepare prepares statements for an ideal.
func prepare(b *testing.B, db *sql.DB, queries ...string) []*sql.Stmt {
	b.Helper()
	var stmts []*sql.Stmt
	for _, query := range queries {
		stmt, err := db.Prepare(query)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { stmt.Close() })
		stmts = append(stmts, stmt)
	}
	return stmts
}

// A sign-up. The ideal is three insertions, prepared, in one transaction.
func benchSignUp(b *testing.B) {
	s, _, db := benchDB(b)
	stmts := prepare(b, db,
		`INSERT INTO gatepass_users (id, username, name, email, email_verified, avatar_url, locale, disabled, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		`INSERT INTO gatepass_accounts (provider, subject, issuer, user_id, email, name, username, avatar_url, profile, created_at, updated_at,
			sealed, token_expiry, token_scopes, leased_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		insertSession)
	ctx := b.Context()
	beside(b, func() {
		u, a := newPerson()
		u.ID = rand.Text()
		v := newSession(u.ID)
		now := time.Now().UTC()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		for i, args := range [][]any{
			{u.ID, u.Username, u.Name, u.Email, u.EmailVerified, u.AvatarURL, u.Locale, u.Disabled, now, now},
			{a.Provider, a.Subject, a.Issuer, u.ID, a.Email, a.Name, a.Username, a.AvatarURL, string(a.Profile), now.UnixMicro(), now.UnixMicro(),
				make([]byte, 300), 0, `["read:user"]`, 0},
			sessionValues(v),
		} {
			if _, err := tx.StmtContext(ctx, stmts[i]).ExecContext(ctx, args...); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}, func() { signUp(b, s) })
}

// A login of each of a thousand people in turn. The ideal is to find the account
// with its user and its token, and to keep account, token and session, prepared, in
// one transaction.
func benchLogin(b *testing.B) {
	s := open(b, file(b))
	ctx := b.Context()
	var keys []store.Key
	for range 1000 {
		u, a := newPerson()
		if err := s.CreateUser(ctx, u, a); err != nil {
			b.Fatal(err)
		}
		if err := s.PutToken(ctx, a.Key, &store.Token{Sealed: make([]byte, 300)}); err != nil {
			b.Fatal(err)
		}
		keys = append(keys, a.Key)
	}
	db, err := s.DB().DB()
	if err != nil {
		b.Fatal(err)
	}
	stmts := prepare(b, db,
		`SELECT a.user_id, a.issuer, a.sealed, u.name, u.disabled FROM gatepass_accounts a JOIN gatepass_users u ON u.id = a.user_id
			WHERE a.provider = ? AND a.subject = ?`,
		`UPDATE gatepass_accounts SET issuer = ?, email = ?, name = ?, username = ?, avatar_url = ?, profile = ?, updated_at = ?,
			sealed = ?, token_expiry = ?, token_scopes = ?, leased_until = ? WHERE provider = ? AND subject = ?`,
		insertSession)
	_, a := newPerson()
	turn := 0
	next := func() store.Key { turn++; return keys[turn%len(keys)] }
	beside(b, func() {
		k := next()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		var userID, issuer, name string
		var sealed []byte
		var disabled bool
		if err := tx.StmtContext(ctx, stmts[0]).QueryRowContext(ctx, k.Provider, k.Subject).Scan(&userID, &issuer, &sealed, &name, &disabled); err != nil {
			b.Fatal(err)
		}
		for i, args := range [][]any{
			{a.Issuer, a.Email, a.Name, a.Username, a.AvatarURL, string(a.Profile), time.Now().UnixMicro(),
				make([]byte, 300), 0, `["read:user"]`, 0, k.Provider, k.Subject},
			sessionValues(newSession(userID)),
		} {
			if _, err := tx.StmtContext(ctx, stmts[i+1]).ExecContext(ctx, args...); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}, func() {
		a, u, old, err := s.AccountUser(ctx, next())
		if err != nil {
			b.Fatal(err)
		}
		a.UpdatedAt = time.Now()
		if _, err := s.FinishLogin(ctx, a, old, &store.Token{Sealed: make([]byte, 300), Scopes: []string{"read:user"}}, newSession(u.ID)); err != nil {
			b.Fatal(err)
		}
	})
}
