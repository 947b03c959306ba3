package databases_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"
)

// fill puts n people into the tables of a store, numbered from 0, with what each
// has of accounts, tokens, sessions and marks. One session and one mark in a
// thousand are over. They are made inside the database, where a million of them
// take a minute.
func fill(tb testing.TB, db database, pool *sql.DB, n int) {
	tb.Helper()
	sealed := map[string]string{"sqlite": "x'0102'", "mysql": "x'0102'", "postgres": `'\x0102'`}[db.kind]
	date := map[string]string{"sqlite": "'2026-01-01 00:00:00+00:00'", "mysql": "'2026-01-01 00:00:00'",
		"postgres": "CAST('2026-01-01 00:00:00+00:00' AS timestamptz)"}[db.kind]
	now := time.Now().UnixMicro()
	end := fmt.Sprintf("CASE WHEN n %% 1000 = 999 THEN %d ELSE %d END", now-1e6, now+3600e6)
	for _, statement := range []string{
		`INSERT INTO gatepass_users (id, username, name, email, email_verified, avatar_url, locale, disabled, created_at, updated_at)
			SELECT concat('user', n), concat('handle', n), concat('Name ', n), concat('Person', n, '@example.com'), n % 2 = 0,
			concat('https://avatars.example.com/u/', n), 'en', n % 100 = 99, {date}, {date} FROM {numbers}`,
		`INSERT INTO gatepass_accounts (provider, subject, user_id, issuer, email, name, username, avatar_url, profile, created_at, updated_at,
			sealed, token_expiry, token_scopes, leased_until)
			SELECT 'github', concat('', n), concat('user', n), 'https://github.com', '', concat('Name ', n), '', '', '{}', {now} + n, {now} + n,
			{sealed}, {now} + n, '["read:user"]', 0 FROM {numbers}`,
		`INSERT INTO gatepass_sessions (id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip)
			SELECT concat('session', n), concat('user', n), 'github', concat('', n), CASE WHEN n % 4 = 0 THEN concat('sid', n) ELSE '' END,
			{now}, n % 2 = 0, {now}, {now} + n, {end}, 'Mozilla/5.0 (X11; Linux x86_64) Chrome/156', '192.0.2.1' FROM {numbers}`,
		`INSERT INTO gatepass_remembered (id, user_id, provider, subject, issuer, sid, validator, former, created_at, used_at, expires_at, user_agent, ip)
			SELECT concat('remembered', n), concat('user', n), 'github', concat('', n), 'https://github.com', '', {sealed}, NULL,
			{now}, {now}, {end}, 'Mozilla/5.0 (X11; Linux x86_64) Chrome/156', '192.0.2.1' FROM {numbers}`,
		`INSERT INTO gatepass_marks (id, ends_at) SELECT concat('mark', n), {end} FROM {numbers}`,
	} {
		statement = strings.NewReplacer("{numbers}", numbers(n), "{sealed}", sealed, "{date}", date, "{end}", end,
			"{now}", fmt.Sprint(now)).Replace(statement)
		if _, err := pool.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
}

// numbers is a table of the numbers below n in a form that all databases know.
func numbers(n int) string {
	digits := "(SELECT 0 AS d UNION ALL SELECT " + strings.Join(strings.Split("123456789", ""), " UNION ALL SELECT ") + ")"
	var sum, from []string
	for i, power := 0, 1; power < n; i, power = i+1, power*10 {
		sum = append(sum, fmt.Sprintf("%d * t%d.d", power, i))
		from = append(from, fmt.Sprintf("%s t%d", digits, i))
	}
	return fmt.Sprintf("(SELECT n FROM (SELECT %s AS n FROM %s) m WHERE n < %d) numbers", strings.Join(sum, " + "), strings.Join(from, ", "), n)
}

// analyze lets the database count what is in the tables, as it does by itself
// sooner or later.
func analyze(tb testing.TB, db database, pool *sql.DB) {
	tb.Helper()
	for _, table := range []string{"users", "accounts", "sessions", "remembered", "marks"} {
		statement := "ANALYZE gatepass_" + table
		if db.kind == "mysql" {
			statement = "ANALYZE TABLE gatepass_" + table
		}
		if _, err := pool.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
}
