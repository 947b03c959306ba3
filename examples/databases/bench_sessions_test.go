package databases_test

import (
	"crypto/rand"
	"database/sql"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

const insertWhole = `INSERT INTO gatepass_sessions (id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip,
	issuer, family, vals) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// The floor of a session in the place of another is an insertion and a deletion
// in one transaction, and that of its renewal an update.
func (w *bench) replacement() {
	stmts := []*sql.Stmt{w.prepare(insertWhole), w.prepare("DELETE FROM gatepass_sessions WHERE id = ?")}
	ctx := w.b.Context()
	begin := func(s *gormstore.Store) string {
		v := newSession("user0")
		w.must(s.CreateSession(ctx, v))
		return v.ID
	}
	below, own := begin(w.below), begin(w.s)
	beside(w.b, "session/replace", func() {
		v := newSession("user0")
		w.together(stmts, append(sessionValues(v), v.Issuer, v.Family, nil), []any{below})
		below = v.ID
	}, func() {
		v := newSession("user0")
		w.must(store.ReplaceSessions(ctx, w.s, v, nil, []string{own}))
		own = v.ID
	})
	update := w.prepare(`UPDATE gatepass_sessions SET id = ?, user_id = ?, provider = ?, subject = ?, sid = ?, auth_time = ?, reauthed = ?, created_at = ?,
		seen_at = ?, expires_at = ?, user_agent = ?, ip = ?, issuer = ?, family = ? WHERE id = ?`)
	beside(w.b, "session/renew", func() {
		v := newSession("user0")
		_, err := update.ExecContext(ctx, append(sessionValues(v), v.Issuer, v.Family, below)...)
		w.must(err)
		below = v.ID
	}, func() {
		v := newSession("user0")
		w.must(store.RenewSession(ctx, w.s, own, v))
		own = v.ID
	})
}

// The floor of a value that changes is to read all of a session's, and to replace
// them if they still are what was read.
func (w *bench) values() {
	read := w.prepare("SELECT vals FROM gatepass_sessions WHERE id = ? AND expires_at > ?")
	put := w.prepare("UPDATE gatepass_sessions SET vals = ? WHERE id = ? AND expires_at > ? AND vals = ?")
	ctx := w.b.Context()
	cart := func() []byte { return []byte(rand.Text() + rand.Text()) }
	v := newSession("user0")
	w.must(store.ReplaceSessions(ctx, w.s, v, cart(), nil))
	if w.below != w.s {
		w.must(store.ReplaceSessions(ctx, w.below, v, cart(), nil))
	}
	beside(w.b, "session/values", func() {
		var old []byte
		w.must(read.QueryRowContext(ctx, v.ID, time.Now().UnixMicro()).Scan(&old))
		_, err := put.ExecContext(ctx, cart(), v.ID, time.Now().UnixMicro(), old)
		w.must(err)
	}, func() {
		_, old, err := store.SessionValues(ctx, w.s, v.ID)
		w.must(err)
		w.must(store.SwapSessionValues(ctx, w.s, v.ID, old, cart()))
	})
}
