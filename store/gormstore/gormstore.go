// Package gormstore keeps everything in a database, by way of GORM.
//
// It runs on SQLite, PostgreSQL and MySQL or MariaDB, with whatever driver the
// program chooses:
//
//	db, err := gormstore.Open(sqlite.Open("app.db"))
//
// An app that has a *gorm.DB already gives it to [New]. To add columns of its
// own to the users, it embeds [User] in a model.
package gormstore

import (
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gatepass/gatepass/store"
	"gorm.io/gorm"
)

// A Store keeps users, accounts, tokens, sessions and browsers that are
// remembered in five tables of a database: gatepass_users, gatepass_accounts with
// the tokens, gatepass_sessions, gatepass_marks and gatepass_remembered. A sixth,
// gatepass_migrations, says which version they have. See [WithPrefix] for other
// names.
//
// It asks the database itself, past GORM's callbacks and its logger, so that no
// key or token is logged and no read goes to a replica that lags behind.
type Store struct {
	// Now is the clock by which sessions and marks end. It is time.Now if nil.
	// Set it before the store is used. Leases end by the database's own clock;
	// SQLite has none, and they too end by Now there.
	Now func() time.Time

	db   *gorm.DB
	sh   *shared
	tx   *transaction // nil outside Transact
	own  bool         // Open has opened db
	fail error        // what is wrong with db, told at the first use
}

var (
	_ store.Store             = (*Store)(nil)
	_ store.SessionUserFinder = (*Store)(nil)
	_ store.Transactor        = (*Store)(nil)
	_ store.LoginKeeper       = (*Store)(nil)
	_ store.LoginFinisher     = (*Store)(nil)
	_ store.SessionReplacer   = (*Store)(nil)
	_ store.SessionCounter    = (*Store)(nil)
	_ store.SessionValuer     = (*Store)(nil)
	_ store.SIDFinder         = (*Store)(nil)
	_ store.MarkFinder        = (*Store)(nil)
	_ store.Rememberer        = (*Store)(nil)
	_ store.Watcher           = (*Store)(nil)
)

// shared is what a Store and those of its transactions have in common.
type shared struct {
	dialect
	texts     statements
	immediate bool          // transactions take SQLite's write lock as they begin
	patience  time.Duration // how long to wait for another process that writes SQLite's file; 0 if that is the driver's business
	writes    *sql.DB       // where we write it, if we have patience
	memory    bool          // the database is in memory, and has one connection
	prepared  *prepared     // nil if the driver keeps statements prepared
	watchers  *watchers
	turn      *atomic.Uint32 // counts what is tried again
	writer    chan struct{}  // holds a value while someone writes; nil if the database copes
}

// New returns a Store in a database that is already open. It does not touch
// the database: call [Store.Migrate], or run what [Store.MigrationSQL] prints.
// Db may also be a transaction, for work that must happen together with the
// app's own. An option that cannot be is told at the first use.
func New(db *gorm.DB, opts ...Option) *Store {
	return newStore(db, false, opts)
}

func newStore(db *gorm.DB, immediate bool, opts []Option) *Store {
	s := &Store{db: db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true})}
	// A Transact within another must be able to fail alone.
	s.db.DisableNestedTransaction = false
	d, err := dialectOf(db.Name())
	for _, opt := range opts {
		if err == nil {
			err = opt(&d)
		}
	}
	if err != nil {
		s.fail = err
		return s
	}
	s.sh = &shared{dialect: d, texts: d.statements(), immediate: immediate, watchers: new(watchers), turn: new(atomic.Uint32)}
	if _, ok := db.Statement.ConnPool.(gorm.TxCommitter); ok {
		s.tx = &transaction{foreign: true}
	} else if d.sqlite {
		s.sh.writer = make(chan struct{}, 1)
	}
	s.sh.prepared = newPrepared(s.sh, db.Statement.ConnPool)
	return s
}

// DB returns the database, for tables of the app's own.
func (s *Store) DB() *gorm.DB { return s.db.Session(&gorm.Session{NewDB: true}) }

// Close closes a database that [Open] has opened. One that was given to [New]
// stays open.
func (s *Store) Close() error {
	if !s.own {
		return nil
	}
	db, err := s.db.DB()
	if err != nil {
		return err
	}
	if s.sh != nil && s.sh.writes != nil {
		return errors.Join(s.sh.writes.Close(), db.Close())
	}
	return db.Close()
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// sql returns the statements, also of a Store that cannot run them.
func (s *Store) sql() *statements {
	if s.sh == nil {
		return new(statements)
	}
	return &s.sh.texts
}
