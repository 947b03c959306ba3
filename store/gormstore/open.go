package gormstore

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Open opens a database, and makes the tables or brings them up to date as
// [Store.Migrate] does, as in
//
//	gormstore.Open(sqlite.Open("app.db"))
//
// Where a program must not change tables, someone runs what
// [Store.MigrationSQL] prints before it starts; Open then only looks.
//
// SQLite needs no parameters: writers wait for each other, readers do not wait
// for writers, and a database in memory lives as long as the Store. Parameters
// that the name of the database has are left as they are. To a file, the Store
// writes by a connection of its own beside those of [Store.DB]. In its
// transactions, what the app has set, attached or prepared on those is not there;
// what the driver does with each connection is.
func Open(d gorm.Dialector, opts ...Option) (*Store, error) {
	if _, err := dialectOf(d.Name()); err != nil {
		return nil, err
	}
	dsn, immediate := "", false
	if d.Name() == "sqlite" {
		d, dsn, immediate = withParameters(d)
	}
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, fmt.Errorf("gormstore: opening the database: %w", err)
	}
	s := newStore(db, immediate, opts)
	s.own = true
	ctx := context.Background()
	err = s.fail
	if err == nil && s.sh.sqlite {
		err = s.prepareSQLite(ctx, dsn)
	}
	if err == nil {
		err = s.Migrate(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// mainFile asks SQLite for the file it has open, "" if that is in memory.
const mainFile = "SELECT file FROM pragma_database_list WHERE name = 'main'"

// prepareSQLite sets what holds for the whole file, and opens what we write by.
func (s *Store) prepareSQLite(ctx context.Context, dsn string) error {
	db, err := s.db.DB()
	if err != nil {
		return fmt.Errorf("gormstore: opening the database: %w", err)
	}
	var file text
	if err := s.one(ctx, mainFile, nil, &file); err != nil {
		return fmt.Errorf("gormstore: opening the database: %w", err)
	}
	if file == "" {
		// In memory, each connection has a database of its own, which goes when
		// the connection goes.
		s.sh.memory = true
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
		db.SetConnMaxLifetime(0)
		db.SetConnMaxIdleTime(0)
		return nil
	}
	// With a write-ahead log, readers and the writer do not wait for each other.
	// A file system that cannot have one keeps its mode, and says so only in
	// the answer, which is not needed.
	var mode text
	if err := s.again(ctx, func() error { return s.one(ctx, "PRAGMA journal_mode = WAL", nil, &mode) }); err != nil {
		return err
	}
	// Without the log, a commit waits for readers, and patience ends when a
	// transaction has begun.
	if !s.sh.immediate || mode != "wal" {
		return nil
	}
	var timeout int64
	var locking text
	err = s.one(ctx, "PRAGMA busy_timeout", nil, &timeout)
	if err == nil {
		err = s.one(ctx, "PRAGMA locking_mode", nil, &locking)
	}
	if err != nil {
		return fmt.Errorf("gormstore: opening the database: %w", err)
	}
	// A file that one connection keeps for itself has room for no other.
	if timeout == 0 || locking == "exclusive" || dsn == "" {
		return nil
	}
	return s.openWriter(ctx, db, dsn, string(file), time.Duration(timeout)*time.Millisecond)
}

// withParameters returns d with parameters added to its DSN, and whether
// transactions will begin by taking the write lock. The DSN is empty unless d is
// known to do no more than to give it to the driver.
//
// The settings are those of a connection, of which the pool opens new ones at
// any time, so that the DSN is the only way to them that works with every
// driver. Drivers are not imported here; their dialectors have a field for it.
func withParameters(d gorm.Dialector) (_ gorm.Dialector, dsn string, immediate bool) {
	v := reflect.ValueOf(d)
	pointer := v.Kind() == reflect.Pointer
	if pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return d, "", false
	}
	own := reflect.New(v.Type()) // the caller's stays as it is
	own.Elem().Set(v)
	field := own.Elem().FieldByName("DSN")
	conn := own.Elem().FieldByName("Conn")
	if !field.IsValid() || field.Kind() != reflect.String || !field.CanSet() || conn.IsValid() && !conn.IsZero() {
		return d, "", false
	}
	pkg := v.Type().PkgPath()
	dsn, immediate = addParameters(field.String(), pkg)
	if !immediate {
		return d, "", false
	}
	field.SetString(dsn)
	if !pointer {
		own = own.Elem()
	}
	changed, ok := own.Interface().(gorm.Dialector)
	if !ok {
		return d, "", false
	}
	if !known(pkg) {
		dsn = ""
	}
	return changed, dsn, true
}

// known reports whether pkg has one of the dialectors that give their DSN to the
// driver and take nothing in it for a part of the file's name. Another one may do
// more with each connection, such as give it a key or a function.
func known(pkg string) bool {
	return pkg == "gorm.io/driver/sqlite" || pkg == "github.com/glebarez/sqlite"
}

// addParameters adds what dsn lacks: to wait up to ten seconds for another
// process that writes, to take the write lock when a transaction begins, to
// enforce foreign keys, and to keep statements prepared. Each driver knows some
// of the parameters and ignores the others. Without "file:" in front, some drivers
// would take parameters for a part of the file's name, so that they are added
// only for those known not to.
func addParameters(dsn, pkg string) (string, bool) {
	if !strings.HasPrefix(dsn, "file:") && !known(pkg) {
		return dsn, false
	}
	name, query, _ := strings.Cut(dsn, "?")
	have, err := url.ParseQuery(query)
	if err != nil || name == "" {
		return dsn, false // for the driver to complain about
	}
	pragma := func(name string) bool {
		return slices.ContainsFunc(have["_pragma"], func(s string) bool { return strings.HasPrefix(s, name) })
	}
	add := func(param string) {
		if query != "" {
			query += "&"
		}
		query += param
	}
	if !have.Has("_busy_timeout") && !have.Has("_timeout") && !pragma("busy_timeout") {
		add("_busy_timeout=10000&_pragma=busy_timeout(10000)")
	}
	if !have.Has("_foreign_keys") && !have.Has("_fk") && !pragma("foreign_keys") {
		add("_foreign_keys=1&_pragma=foreign_keys(1)")
	}
	if !have.Has("_stmt_cache_size") {
		add("_stmt_cache_size=64")
	}
	immediate := true
	if have.Has("_txlock") {
		immediate = have.Get("_txlock") != "deferred"
	} else {
		add("_txlock=immediate")
	}
	return name + "?" + query, immediate
}
