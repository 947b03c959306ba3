package main

import "time"

// schema is what this app has, whether or not Gatepass is there.
//
// AUTOINCREMENT, because without it SQLite gives the number of a deleted member
// to the next one, who would then be taken for them. The key of a login is TEXT
// in SQLite's own order, which compares bytes; elsewhere it takes a collation,
// such as utf8mb4_nopad_bin. The index is for [Members.UserByEmail].
const schema = `
CREATE TABLE IF NOT EXISTS members (
	id             integer PRIMARY KEY AUTOINCREMENT,
	handle         text NOT NULL DEFAULT '',
	display_name   text NOT NULL,
	mail           text NOT NULL DEFAULT '',
	mail_confirmed boolean NOT NULL DEFAULT false,
	photo          text NOT NULL DEFAULT '',
	language       text NOT NULL DEFAULT '',
	blocked        boolean NOT NULL DEFAULT false,
	newsletter     boolean NOT NULL DEFAULT true,
	joined_at      datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
	changed_at     datetime NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS members_mail ON members (mail COLLATE NOCASE);
CREATE TABLE IF NOT EXISTS member_logins (
	provider      text NOT NULL,
	subject       text NOT NULL,
	member_id     integer NOT NULL REFERENCES members (id),
	issuer        text NOT NULL,
	mail          text NOT NULL DEFAULT '',
	display_name  text NOT NULL DEFAULT '',
	handle        text NOT NULL DEFAULT '',
	photo         text NOT NULL DEFAULT '',
	profile       blob,
	linked_at     datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
	last_login_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
	sealed        blob,
	expiry        datetime,
	scopes        text,
	leased_until  integer NOT NULL DEFAULT 0,
	PRIMARY KEY (provider, subject)
);
CREATE INDEX IF NOT EXISTS member_logins_member ON member_logins (member_id);
`

// A Member is a row of members.
type Member struct {
	ID            int64
	Handle        string
	DisplayName   string
	Mail          string
	MailConfirmed bool
	Photo         string
	Language      string
	Blocked       bool
	Newsletter    bool `gorm:"default:true"` // Gatepass does not know of it, so that a sign-up leaves it to the database
	JoinedAt      time.Time
	ChangedAt     time.Time
}

// A Login is a row of member_logins: a way in, and the token that came with it,
// so that no token outlives its account.
type Login struct {
	Provider    string `gorm:"primaryKey"`
	Subject     string `gorm:"primaryKey"`
	MemberID    int64
	Issuer      string
	Mail        string
	DisplayName string
	Handle      string
	Photo       string
	Profile     []byte // bytes and no text: services send what is not UTF-8
	LinkedAt    time.Time
	LastLoginAt time.Time
	Sealed      []byte // null if there is no token
	Expiry      time.Time
	Scopes      []string `gorm:"serializer:json"`
	LeasedUntil int64    // microseconds since 1970, since it is compared
}

// TableName tells GORM the name.
func (Login) TableName() string { return "member_logins" }

// The columns that Gatepass may change. Without a list, GORM leaves out what is
// empty or false.
var (
	userColumns  = []string{"handle", "display_name", "mail", "mail_confirmed", "photo", "language", "blocked", "changed_at"}
	loginColumns = []string{"issuer", "mail", "display_name", "handle", "photo", "profile", "last_login_at"}
	tokenColumns = []string{"sealed", "expiry", "scopes", "leased_until"}
)
