package databases_test

import (
	"context"
	"database/sql"
	"sync"

	"gorm.io/gorm"
)

// A recorder is a pool of connections that keeps each statement that runs, with
// what it was last given.
type recorder struct {
	*sql.DB
	*record
}

type record struct {
	mu   sync.Mutex
	seen map[string][]any
}

func (r *record) note(query string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[query] = args
}

// take returns what was recorded since the last call.
func (r *record) take() map[string][]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = map[string][]any{}
	return seen
}

var (
	_ gorm.ConnPool         = (*recorder)(nil)
	_ gorm.ConnPoolBeginner = (*recorder)(nil)
	_ gorm.TxCommitter      = (*recorderTx)(nil)
)

func recording(db *sql.DB) *recorder { return &recorder{db, &record{seen: map[string][]any{}}} }

// GetDBConn tells GORM what is below.
func (r *recorder) GetDBConn() (*sql.DB, error) { return r.DB, nil }

func (r *recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.note(query, args)
	return r.DB.ExecContext(ctx, query, args...)
}

func (r *recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.note(query, args)
	return r.DB.QueryContext(ctx, query, args...)
}

func (r *recorder) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := r.DB.BeginTx(ctx, opts)
	return &recorderTx{tx, r.record}, err
}

type recorderTx struct {
	*sql.Tx
	*record
}

func (tx *recorderTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tx.note(query, args)
	return tx.Tx.ExecContext(ctx, query, args...)
}

func (tx *recorderTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	tx.note(query, args)
	return tx.Tx.QueryContext(ctx, query, args...)
}
