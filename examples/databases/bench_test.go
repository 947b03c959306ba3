package databases_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

// Each benchmark runs f and a floor by turns, so that both meet the same
// machine: the least that the same work takes on database/sql, with statements
// that are prepared. It reports the median of each, and how many times the floor
// f takes. Only that can be compared between machines.
func beside(b *testing.B, name string, floor, f func()) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		for range 20 { // until statements are prepared and connections are there
			floor()
			f()
		}
		var below, ours []time.Duration
		for b.Loop() {
			t0 := time.Now()
			floor()
			t1 := time.Now()
			f()
			below = append(below, t1.Sub(t0))
			ours = append(ours, time.Since(t1))
		}
		base, own := median(below), median(ours)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(base), "floor-ns")
		b.ReportMetric(float64(own), "own-ns")
		b.ReportMetric(float64(own)/float64(base), "x-floor")
	})
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkDatabases is over a thousand people, or over a thousand, a hundred
// thousand and a million of them up to GATEPASS_ROWS.
func BenchmarkDatabases(b *testing.B) {
	most := rows(b, 1000)
	for _, db := range databases() {
		for _, n := range []int{1000, 100_000, 1_000_000} {
			if n > most {
				continue
			}
			b.Run(fmt.Sprintf("%s/people=%d", strings.ReplaceAll(db.name, " ", "_"), n), func(b *testing.B) {
				w := &bench{b: b, db: db, s: filled(b, db, n), n: n}
				w.below = w.s
				if db.kind == "sqlite" {
					// A connection of SQLite forgets what it has read when another one
					// writes, so that the two would slow each other down.
					w.below = filled(b, db, n)
				}
				w.pool = sqlDB(b, w.below)
				w.request()
				w.signUp()
				w.login()
				w.renewal()
				w.replacement()
				w.values()
			})
		}
	}
}

type bench struct {
	b     *testing.B
	db    database
	s     *gormstore.Store
	below *gormstore.Store // where the floor is
	pool  *sql.DB          // its connections
	n     int
	i     int
}

// filled opens a new database of n people.
func filled(b *testing.B, db database, n int) *gormstore.Store {
	b.Helper()
	s := db.open(b, db.fresh(b))
	fill(b, db, sqlDB(b, s), n)
	analyze(b, db, sqlDB(b, s))
	return s
}

// next is the number of another person each time, all over the table.
func (w *bench) next() string {
	w.i++
	i := w.i * 7919 % w.n
	if i%1000 == 999 {
		i-- // the session of that one is over
	}
	return strconv.Itoa(i)
}

func (w *bench) must(err error) {
	w.b.Helper()
	if err != nil {
		w.b.Fatal(err)
	}
}

// prepare prepares a statement for the floor.
func (w *bench) prepare(query string) *sql.Stmt {
	w.b.Helper()
	if w.db.kind == "postgres" {
		for i := 1; strings.Contains(query, "?"); i++ {
			query = strings.Replace(query, "?", "$"+strconv.Itoa(i), 1)
		}
	}
	stmt, err := w.pool.Prepare(query)
	w.must(err)
	w.b.Cleanup(func() { stmt.Close() })
	return stmt
}

// together runs statements in one transaction.
func (w *bench) together(stmts []*sql.Stmt, args ...[]any) {
	tx, err := w.pool.BeginTx(w.b.Context(), nil)
	w.must(err)
	for i, stmt := range stmts {
		_, err := tx.StmtContext(w.b.Context(), stmt).ExecContext(w.b.Context(), args[i]...)
		w.must(err)
	}
	w.must(tx.Commit())
}

// The query of each request, alone and below a session manager with and
// without its cache.
func (w *bench) request() {
	id := "?"
	if w.db.kind == "sqlite" {
		// Otherwise SQLite plans the join anew each time, and the floor would be
		// three times as high.
		id = "CAST(? AS text)"
	}
	stmt := w.prepare(`SELECT s.user_id, s.provider, s.subject, s.sid, s.auth_time, s.reauthed, s.created_at, s.seen_at, s.expires_at,
		s.user_agent, s.ip, s.issuer, s.family, u.username, u.name, u.email, u.email_verified, u.avatar_url, u.locale, u.disabled, u.created_at, u.updated_at
		FROM gatepass_sessions s JOIN gatepass_users u ON u.id = s.user_id WHERE s.id = ` + id)
	ctx, cancel := context.WithCancel(w.b.Context()) // as that of a request
	defer cancel()
	query := func(id string) {
		var s store.Session
		var u store.User
		var auth, created, seen, expires int64
		var issuer, family sql.NullString // null in rows of the first version
		w.must(stmt.QueryRowContext(ctx, id).Scan(&s.UserID, &s.Provider, &s.Subject, &s.SID, &auth,
			&s.Reauthed, &created, &seen, &expires, &s.UserAgent, &s.IP, &issuer, &family,
			&u.Username, &u.Name, &u.Email, &u.EmailVerified, &u.AvatarURL, &u.Locale, &u.Disabled, &u.CreatedAt, &u.UpdatedAt))
	}
	beside(w.b, "request/query", func() { query("session" + w.next()) }, func() {
		_, _, err := w.s.SessionUser(ctx, "session"+w.next())
		w.must(err)
	})
	// One person who asks again and again, also of the floor.
	floor := func() { query("session0") }
	m, err := session.New(session.Config{Store: w.s, Users: w.s, Secret: rand.Text() + rand.Text(), Audience: "http://localhost", Cache: 10 * time.Second})
	w.must(err)
	answer := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	w.must(m.Begin(answer, r, &store.Session{UserID: "user0", Key: key("0")}))
	for _, c := range answer.Result().Cookies() {
		r.AddCookie(c)
	}
	beside(w.b, "request/without_cache", floor, func() {
		_, err := m.ResolveNow(r)
		w.must(err)
	})
	beside(w.b, "request/with_cache", floor, func() {
		_, err := m.Resolve(r)
		w.must(err)
	})
}

const (
	insertSession = `INSERT INTO gatepass_sessions (id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	putToken = "UPDATE gatepass_accounts SET sealed = ?, token_expiry = ?, token_scopes = ?, leased_until = ? WHERE provider = ? AND subject = ?"
	scopes   = `["read:user"]`
)

func sessionValues(v *store.Session) []any {
	return []any{v.ID, v.UserID, v.Provider, v.Subject, v.SID, v.AuthTime.UnixMicro(), v.Reauthed, v.CreatedAt.UnixMicro(),
		v.SeenAt.UnixMicro(), v.ExpiresAt.UnixMicro(), v.UserAgent, v.IP}
}

// The floor of a sign-up is three insertions.
func (w *bench) signUp() {
	stmts := []*sql.Stmt{
		w.prepare(`INSERT INTO gatepass_users (id, username, name, email, email_verified, avatar_url, locale, disabled, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
		w.prepare(`INSERT INTO gatepass_accounts (provider, subject, issuer, user_id, email, name, username, avatar_url, profile, created_at, updated_at,
			sealed, token_expiry, token_scopes, leased_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
		w.prepare(insertSession),
	}
	beside(w.b, "sign-up", func() {
		u, a := person(rand.Text())
		u.ID = rand.Text()
		now := time.Now().UTC()
		w.together(stmts,
			[]any{u.ID, u.Username, u.Name, u.Email, u.EmailVerified, u.AvatarURL, u.Locale, u.Disabled, now, now},
			[]any{a.Provider, a.Subject, a.Issuer, u.ID, a.Email, a.Name, a.Username, a.AvatarURL, string(a.Profile), now.UnixMicro(), now.UnixMicro(),
				make([]byte, 300), now.UnixMicro(), scopes, 0},
			sessionValues(newSession(u.ID)))
	}, func() { signUp(w.b, w.s, rand.Text()) })
}

// The floor of a login is to find the account with its user and its token, and to
// keep account, token and session, in one transaction.
func (w *bench) login() {
	find := w.prepare("SELECT a.user_id, a.issuer, a.sealed, u.name, u.disabled FROM gatepass_accounts a JOIN gatepass_users u ON u.id = a.user_id" +
		" WHERE a.provider = ? AND a.subject = ?")
	keep := w.prepare("UPDATE gatepass_accounts SET issuer = ?, email = ?, name = ?, username = ?, avatar_url = ?, profile = ?, updated_at = ?," +
		" sealed = ?, token_expiry = ?, token_scopes = ?, leased_until = ? WHERE provider = ? AND subject = ?")
	begin := w.prepare(insertSession)
	ctx := w.b.Context()
	beside(w.b, "login", func() {
		_, a := person(w.next())
		tx, err := w.pool.BeginTx(ctx, nil)
		w.must(err)
		var userID, issuer, name string
		var sealed []byte
		var disabled bool
		w.must(tx.StmtContext(ctx, find).QueryRowContext(ctx, a.Provider, a.Subject).Scan(&userID, &issuer, &sealed, &name, &disabled))
		now := time.Now().UnixMicro()
		_, err = tx.StmtContext(ctx, keep).ExecContext(ctx, a.Issuer, a.Email, a.Name, a.Username, a.AvatarURL, string(a.Profile), now,
			make([]byte, 300), now, scopes, 0, a.Provider, a.Subject)
		w.must(err)
		_, err = tx.StmtContext(ctx, begin).ExecContext(ctx, sessionValues(newSession(userID))...)
		w.must(err)
		w.must(tx.Commit())
	}, func() {
		n := w.next()
		a, u, old, err := w.s.AccountUser(ctx, key(n))
		w.must(err)
		a.UpdatedAt = time.Now()
		_, err = w.s.FinishLogin(ctx, a, old, sealedToken(), newSession(u.ID))
		if errors.Is(err, errors.ErrUnsupported) { // as a login does then
			w.must(w.s.UpdateAccountToken(ctx, a, old, sealedToken()))
			_, err = w.s.CreateCounted(ctx, newSession(u.ID))
		}
		w.must(err)
	})
}

// The floor of a renewal is to lease the token, to read it and to replace it.
func (w *bench) renewal() {
	lease := w.prepare("UPDATE gatepass_accounts SET leased_until = ? WHERE provider = ? AND subject = ? AND leased_until <= ?")
	read := w.prepare("SELECT sealed, token_expiry, token_scopes FROM gatepass_accounts WHERE provider = ? AND subject = ?")
	put := w.prepare(putToken)
	ctx := w.b.Context()
	beside(w.b, "renewal", func() {
		n := w.next()
		now := time.Now().UnixMicro()
		_, err := lease.ExecContext(ctx, now+30e6, "github", n, now)
		w.must(err)
		var sealed []byte
		var expiry int64
		var scopes string
		w.must(read.QueryRowContext(ctx, "github", n).Scan(&sealed, &expiry, &scopes))
		_, err = put.ExecContext(ctx, make([]byte, 300), now, scopes, 0, "github", n)
		w.must(err)
	}, func() {
		k := key(w.next())
		leased, err := w.s.LeaseToken(ctx, k, 30*time.Second)
		w.must(err)
		t := sealedToken()
		_, _ = rand.Read(t.Sealed)
		w.must(w.s.SwapToken(ctx, k, leased.Sealed, t))
	})
}
