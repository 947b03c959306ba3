package gormstore

import "strings"

// statements are all that a Store says to its database once the tables are
// there, in its dialect.
type statements struct {
	takeLock string

	user, userExists, userByEmail, insertUser, updateUser, deleteUser            string
	account, accountExists, userAccounts, insertAccount, updateAccount, lockUser string
	lockAccounts, deleteAccount, deleteAccounts                                  string
	accountUser, updateAccountToken, finishLogin                                 string
	token, putToken, swapToken, leaseByUs, leaseByDatabase, dropToken            string
	session, sessionUser, userSessions, insertSession, touchSession              string
	deleteSession, deleteSessions, deleteOthers, deleteFew, deleteMany           string
	renewSession, sidSessions, sessionValues, firstValues, swapValues            string
	mark, marks, insertMark, renewMark                                           string
	countSessions, insertCounted                                                 string
	remembered, userRemembered, sidRemembered, insertRemembered, swapRemembered  string
	deleteRemembered, deleteAllRemembered, deleteOtherRemembered                 string
	expiredSessions, expiredMarks, expiredRemembered                             string
}

// How many sessions end, or marks are looked for, in one statement, so that there
// are few different ones.
const (
	few  = 8
	many = 50
)

const (
	userColumns    = "u.id, u.username, u.name, u.email, u.email_verified, u.avatar_url, u.locale, u.disabled, u.created_at, u.updated_at"
	accountColumns = "provider, subject, issuer, user_id, email, name, username, avatar_url, profile, created_at, updated_at"
	sessionColumns = "s.user_id, s.provider, s.subject, s.sid, s.auth_time, s.reauthed, s.created_at, s.seen_at, s.expires_at, s.user_agent, s.ip, s.issuer, s.family"
	updateKept     = "UPDATE gatepass_accounts SET issuer = ?, email = ?, name = ?, username = ?, avatar_url = ?, profile = ?," +
		" updated_at = ?, sealed = ?, token_expiry = ?, token_scopes = ?, leased_until = ? WHERE provider = ? AND subject = ? AND user_id = ? AND sealed {is} ?"
	newColumns = "id, user_id, provider, subject, sid, auth_time, reauthed, created_at, seen_at, expires_at, user_agent, ip, issuer, family"
	newSession = "{insert} gatepass_sessions (" + newColumns + ", vals) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?){ignore}"
	// For PostgreSQL alone, which does not see in a SELECT what a parameter is for.
	newKept = "WITH kept AS (" + updateKept + " RETURNING 1) INSERT INTO gatepass_sessions (" + newColumns + ") SELECT CAST(? AS text), CAST(? AS text)," +
		" CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS bigint), CAST(? AS boolean), CAST(? AS bigint), CAST(? AS bigint), CAST(? AS bigint)," +
		" CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS text) FROM kept"
	countSessions     = "SELECT count(*) FROM gatepass_sessions WHERE user_id = ? AND expires_at > ?"
	rememberedColumns = "user_id, provider, subject, issuer, sid, validator, former, created_at, used_at, expires_at, user_agent, ip"
)

func (d dialect) statements() statements {
	return statements{
		takeLock: d.render("DELETE FROM gatepass_marks WHERE 1 = 0"),

		user:        d.render("SELECT " + userColumns + " FROM gatepass_users u WHERE u.id = ?"),
		userExists:  d.render("SELECT 1 FROM gatepass_users WHERE id = ?"),
		userByEmail: d.render("SELECT " + userColumns + " FROM gatepass_users u WHERE {email} = {fold} AND u.email_verified = ?"),
		insertUser: d.render("INSERT INTO gatepass_users (id, username, name, email, email_verified, avatar_url, locale, disabled, created_at, updated_at)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		updateUser: d.render("UPDATE gatepass_users SET username = ?, name = ?, email = ?, email_verified = ?, avatar_url = ?, locale = ?," +
			" disabled = ?, updated_at = ? WHERE id = ?"),
		deleteUser: d.render("DELETE FROM gatepass_users WHERE id = ?"),
		lockUser:   d.render("SELECT 1 FROM gatepass_users WHERE id = ?{for update}"),

		account:       d.render("SELECT " + accountColumns + " FROM gatepass_accounts WHERE provider = ? AND subject = ?"),
		accountExists: d.render("SELECT 1 FROM gatepass_accounts WHERE provider = ? AND subject = ?"),
		userAccounts:  d.render("SELECT " + accountColumns + " FROM gatepass_accounts WHERE user_id = ? ORDER BY created_at, provider, subject"),
		insertAccount: d.render("{insert} gatepass_accounts (" + accountColumns + ", token_expiry, leased_until)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?){ignore}"),
		updateAccount: d.render("UPDATE gatepass_accounts SET issuer = ?, email = ?, name = ?, username = ?, avatar_url = ?, profile = ?," +
			" updated_at = ? WHERE provider = ? AND subject = ?"),
		accountUser: d.render("SELECT a." + strings.ReplaceAll(accountColumns, ", ", ", a.") + ", a.sealed, a.token_expiry, a.token_scopes, " + userColumns +
			" FROM gatepass_accounts a JOIN gatepass_users u ON u.id = a.user_id WHERE a.provider = {text} AND a.subject = {text}"),
		updateAccountToken: d.render(updateKept),
		finishLogin:        d.render(newKept + " RETURNING (" + countSessions + ")"),
		lockAccounts:       d.render("SELECT provider, subject FROM gatepass_accounts WHERE user_id = ? ORDER BY provider, subject{for update}"),
		deleteAccount:      d.render("DELETE FROM gatepass_accounts WHERE provider = ? AND subject = ?"),
		deleteAccounts:     d.render("DELETE FROM gatepass_accounts WHERE user_id = ?"),

		token: d.render("SELECT sealed, token_expiry, token_scopes FROM gatepass_accounts" +
			" WHERE provider = ? AND subject = ? AND sealed IS NOT NULL"),
		putToken: d.render("UPDATE gatepass_accounts SET sealed = ?, token_expiry = ?, token_scopes = ?, leased_until = ?" +
			" WHERE provider = ? AND subject = ?"),
		swapToken: d.render("UPDATE gatepass_accounts SET sealed = ?, token_expiry = ?, token_scopes = ?, leased_until = ?" +
			" WHERE provider = ? AND subject = ? AND sealed = ?"),
		leaseByUs: d.render("UPDATE gatepass_accounts SET leased_until = ?" +
			" WHERE provider = ? AND subject = ? AND sealed IS NOT NULL AND leased_until <= ?"),
		leaseByDatabase: d.render("UPDATE gatepass_accounts SET leased_until = {now} + ?" +
			" WHERE provider = ? AND subject = ? AND sealed IS NOT NULL AND leased_until <= {now}"),
		dropToken: d.render("UPDATE gatepass_accounts SET sealed = NULL, token_expiry = ?, token_scopes = NULL, leased_until = ?" +
			" WHERE provider = ? AND subject = ?"),

		session: d.render("SELECT " + sessionColumns + " FROM gatepass_sessions s WHERE s.id = ? AND s.expires_at > ?"),
		sessionUser: d.render("SELECT " + sessionColumns + ", " + strings.TrimPrefix(userColumns, "u.id, ") +
			" FROM gatepass_sessions s JOIN gatepass_users u ON u.id = s.user_id WHERE s.id = {text}"),
		userSessions: d.render("SELECT " + sessionColumns + ", s.id FROM gatepass_sessions s WHERE s.user_id = ? AND s.expires_at > ?" +
			" ORDER BY s.seen_at DESC, s.created_at DESC, s.id"),
		sidSessions: d.render("SELECT " + sessionColumns + ", s.id FROM gatepass_sessions s WHERE {sid} AND provider = ? AND expires_at > ?" +
			" ORDER BY s.seen_at DESC, s.created_at DESC, s.id"),
		insertSession: d.render(newSession),
		countSessions: d.render(countSessions),
		insertCounted: d.render(newSession + " RETURNING (" + countSessions + ")"), // for PostgreSQL alone
		renewSession: d.render("{update} gatepass_sessions SET id = ?, user_id = ?, provider = ?, subject = ?, sid = ?, auth_time = ?, reauthed = ?," +
			" created_at = ?, seen_at = ?, expires_at = ?, user_agent = ?, ip = ?, issuer = ?, family = ? WHERE id = ? AND expires_at > ?{free}"),
		touchSession: d.render("UPDATE gatepass_sessions SET seen_at = ?, expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END" +
			" WHERE id = ? AND expires_at > ? AND seen_at <= ?"),
		deleteSession:  d.render("DELETE FROM gatepass_sessions WHERE id = ?"),
		deleteSessions: d.render("DELETE FROM gatepass_sessions WHERE user_id = ?"),
		deleteOthers:   d.render("DELETE FROM gatepass_sessions WHERE user_id = ? AND id <> ?"),
		deleteFew:      d.render("DELETE FROM gatepass_sessions WHERE id IN (?" + strings.Repeat(", ?", few-1) + ")"),
		deleteMany:     d.render("DELETE FROM gatepass_sessions WHERE id IN (?" + strings.Repeat(", ?", many-1) + ")"),

		sessionValues: d.render("SELECT " + sessionColumns + ", s.vals FROM gatepass_sessions s WHERE s.id = ? AND s.expires_at > ?"),
		firstValues:   d.render("UPDATE gatepass_sessions SET vals = ? WHERE id = ? AND expires_at > ? AND vals IS NULL"),
		swapValues:    d.render("UPDATE gatepass_sessions SET vals = ? WHERE id = ? AND expires_at > ? AND vals = ?"),

		mark:       d.render("SELECT 1 FROM gatepass_marks WHERE id = ? AND ends_at > ?"),
		marks:      d.render("SELECT 1 FROM gatepass_marks WHERE id IN (?" + strings.Repeat(", ?", few-1) + ") AND ends_at > ?"),
		insertMark: d.render("{insert} gatepass_marks (id, ends_at) VALUES (?, ?){ignore}"),
		renewMark:  d.render("UPDATE gatepass_marks SET ends_at = ? WHERE id = ? AND ends_at <= ?"),

		remembered: d.render("SELECT " + rememberedColumns + " FROM gatepass_remembered WHERE id = ? AND expires_at > ?"),
		userRemembered: d.render("SELECT " + rememberedColumns + ", id FROM gatepass_remembered WHERE user_id = ? AND expires_at > ?" +
			" ORDER BY used_at DESC, created_at DESC, id"),
		sidRemembered: d.render("SELECT " + rememberedColumns + ", id FROM gatepass_remembered WHERE {sid} AND provider = ? AND expires_at > ?" +
			" ORDER BY used_at DESC, created_at DESC, id"),
		insertRemembered: d.render("{insert} gatepass_remembered (id, " + rememberedColumns + ")" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?){ignore}"),
		swapRemembered: d.render("UPDATE gatepass_remembered SET provider = ?, subject = ?, issuer = ?, sid = ?, validator = ?, former = ?," +
			" used_at = ?, expires_at = ?, user_agent = ?, ip = ? WHERE id = ? AND validator = ? AND expires_at > ?"),
		deleteRemembered:      d.render("DELETE FROM gatepass_remembered WHERE id = ?"),
		deleteAllRemembered:   d.render("DELETE FROM gatepass_remembered WHERE user_id = ?"),
		deleteOtherRemembered: d.render("DELETE FROM gatepass_remembered WHERE user_id = ? AND id <> ?"),

		expiredSessions:   d.sweep(d.prefix+"sessions", "expires_at"),
		expiredMarks:      d.sweep(d.prefix+"marks", "ends_at"),
		expiredRemembered: d.sweep(d.prefix+"remembered", "expires_at"),
	}
}

// sweep deletes rows of which the time in a column has come, a thousand at a
// time, so that no lock is held for long. In each database this is the form for
// which it reads nothing but those rows, however many others there are.
func (d dialect) sweep(table, column string) string {
	some := "SELECT id FROM " + table + " WHERE " + column + " <= ? ORDER BY " + column + " LIMIT 1000"
	switch {
	case d.sqlite:
		return "DELETE FROM " + table + " WHERE id IN (" + some + ")"
	case d.numbered:
		// The column a second time, because PostgreSQL looks at no more than the
		// outer condition again when it has waited for someone who made the row
		// last longer.
		return strings.ReplaceAll("DELETE FROM "+table+" WHERE id = ANY (ARRAY("+some+")) AND "+column+" <= ?", "?", "$1")
	}
	return "DELETE FROM " + table + " WHERE " + column + " <= ? ORDER BY " + column + " LIMIT 1000"
}
