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
// writes by a connection of its own beside those of [Store.DB].
func Open(d gorm.Dialector, opts ...Option) (*Store, error) {
	if _, err := dialectOf(d.Name()); err != nil {
		return nil, err
	}
	dsn := ""
	if d.Name() == "sqlite" {
		d, dsn = withParameters(d)
	}
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, fmt.Errorf("gormstore: opening the database: %w", err)
	}
	s := newStore(db, dsn != "", opts)
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
	if timeout == 0 || locking == "exclusive" {
		return nil
	}
	return s.openWriter(ctx, db, dsn, string(file), time.Duration(timeout)*time.Millisecond)
}

// withParameters returns d with parameters added to its DSN, and that DSN. It is
// empty if none could be added, or if transactions will not begin by taking the
// write lock.
//
// The settings are those of a connection, of which the pool opens new ones at
// any time, so that the DSN is the only way to them that works with every
// driver. Drivers are not imported here; their dialectors have a field for it.
func withParameters(d gorm.Dialector) (gorm.Dialector, string) {
	v := reflect.ValueOf(d)
	pointer := v.Kind() == reflect.Pointer
	if pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return d, ""
	}
	own := reflect.New(v.Type()) // the caller's stays as it is
	own.Elem().Set(v)
	field := own.Elem().FieldByName("DSN")
	conn := own.Elem().FieldByName("Conn")
	if !field.IsValid() || field.Kind() != reflect.String || !field.CanSet() || conn.IsValid() && !conn.IsZero() {
		return d, ""
	}
	dsn, ok := addParameters(field.String(), v.Type().PkgPath())
	if !ok {
		return d, ""
	}
	field.SetString(dsn)
	if !pointer {
		own = own.Elem()
	}
	changed, ok := own.Interface().(gorm.Dialector)
	if !ok {
		return d, ""
	}
	return changed, dsn
}

// addParameters adds what dsn lacks: to wait up to ten seconds for another
// process that writes, to take the write lock when a transaction begins, to
// enforce foreign keys, and to keep statements prepared. Each driver knows some
// of the parameters and ignores the others. Without "file:" in front, some drivers
// would take parameters for a part of the file's name, so that they are added
// only for those known not to.
func addParameters(dsn, pkg string) (string, bool) {
	if !strings.HasPrefix(dsn, "file:") && pkg != "gorm.io/driver/sqlite" && pkg != "github.com/glebarez/sqlite" {
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
