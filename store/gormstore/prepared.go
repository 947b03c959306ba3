package gormstore

import (
	"context"
	"database/sql"
	"runtime"
	"sync"

	"gorm.io/gorm"
)

// A prepared keeps statements prepared, for MySQL. Its driver goes to the server
// three times for one query with parameters: to prepare it, to run it, to forget
// it. Other drivers keep statements prepared by themselves.
type prepared struct {
	db     *sql.DB
	mu     sync.RWMutex
	stmts  map[string]*sql.Stmt // nil: worth it, but not prepared yet
	wanted []string             // by transactions
}

// newPrepared returns nil where there is nothing to gain, or no pool of
// connections that is known to be one.
func newPrepared(sh *shared, pool gorm.ConnPool) *prepared {
	if p, ok := pool.(*gorm.PreparedStmtDB); ok {
		pool = p.ConnPool
	}
	db, ok := pool.(*sql.DB)
	if !ok || !sh.prepare {
		return nil
	}
	p := &prepared{db: db, stmts: map[string]*sql.Stmt{}}
	t := &sh.texts
	// Not all of them, because each takes room on every connection.
	for _, query := range []string{
		t.session, t.sessionUser, t.touchSession, t.user, // a request
		t.accountUser, t.updateAccountToken, t.account, t.insertUser, t.insertAccount, t.updateAccount, t.putToken, t.insertSession, t.countSessions, t.insertMark, t.deleteSession, // a login
		t.renewSession, t.sessionValues, t.firstValues, t.swapValues, // a session that goes on
		t.remembered, t.swapRemembered, // and one that begins again
		t.token, t.leaseByDatabase, t.swapToken, // a renewal
	} {
		p.stmts[query] = nil
	}
	// An app may make a Store for a moment, on a database that stays open.
	runtime.AddCleanup(sh, (*prepared).close, p)
	return p
}

// stmt returns the statement, or nil if it is to run as it is. What is wrong
// with it, if anything, shows when it runs.
func (p *prepared) stmt(ctx context.Context, query string) *sql.Stmt {
	p.mu.RLock()
	stmt, often := p.stmts[query]
	p.mu.RUnlock()
	if stmt != nil || !often {
		return stmt
	}
	stmt, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.stmts[query]; other != nil {
		stmt.Close()
		return other
	}
	p.stmts[query] = stmt
	return stmt
}

// inside is stmt for use in a transaction. It prepares nothing: that takes
// another connection, and all of them may be held by transactions that wait for
// one. The next transaction will have it.
func (p *prepared) inside(query string) *sql.Stmt {
	p.mu.RLock()
	stmt, often := p.stmts[query]
	p.mu.RUnlock()
	if stmt == nil && often {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.wanted) < len(p.stmts) {
			p.wanted = append(p.wanted, query)
		}
	}
	return stmt
}

// ahead prepares what transactions have wanted, before one begins.
func (p *prepared) ahead(ctx context.Context) {
	p.mu.RLock()
	none := len(p.wanted) == 0
	p.mu.RUnlock()
	if none {
		return
	}
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	for _, query := range wanted {
		p.stmt(ctx, query)
	}
}

func (p *prepared) close() {
	for _, stmt := range p.stmts {
		if stmt != nil {
			stmt.Close()
		}
	}
}

// pool is where statements go that are not prepared here. GORM's own cache of
// prepared statements prepares anew in every transaction.
func (s *Store) pool() gorm.ConnPool {
	if tx, ok := s.db.Statement.ConnPool.(*gorm.PreparedStmtTX); ok {
		return tx.Tx
	}
	return s.db.Statement.ConnPool
}

// ready returns the statement as prepared for where s runs, or nil.
func (s *Store) ready(ctx context.Context, query string) *sql.Stmt {
	if s.sh.prepared == nil {
		return nil
	}
	if s.tx == nil {
		return s.sh.prepared.stmt(ctx, query)
	}
	if tx, ok := s.pool().(*sql.Tx); ok {
		if stmt := s.sh.prepared.inside(query); stmt != nil {
			return tx.StmtContext(ctx, stmt)
		}
	}
	return nil
}

func (s *Store) execContext(ctx context.Context, query string, args []any) (sql.Result, error) {
	if stmt := s.ready(ctx, query); stmt != nil {
		return stmt.ExecContext(ctx, args...)
	}
	return s.pool().ExecContext(ctx, query, args...)
}

func (s *Store) queryContext(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if stmt := s.ready(ctx, query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return s.pool().QueryContext(ctx, query, args...)
}
