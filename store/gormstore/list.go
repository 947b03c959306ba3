package gormstore

import (
	"context"
	"database/sql"

	"github.com/gatepass/gatepass/store"
)

var _ store.AccountLister = (*Store)(nil)

// Two statements, because no one condition on two columns makes all of the
// databases begin in the middle of the index.
const (
	listSubjects  = "SELECT " + accountColumns + " FROM gatepass_accounts WHERE provider = ? AND subject > ? ORDER BY provider, subject LIMIT ?"
	listProviders = "SELECT " + accountColumns + " FROM gatepass_accounts WHERE provider > ? ORDER BY provider, subject LIMIT ?"
)

// ListAccounts implements [store.AccountLister].
func (s *Store) ListAccounts(ctx context.Context, after store.Key, n int) ([]store.Account, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	if err := checkKey(after); err != nil {
		return nil, err
	}
	var found []store.Account
	scan := func(rows *sql.Rows) error {
		var a store.Account
		if err := rows.Scan(scannedAccount(&a)...); err != nil {
			return err
		}
		found = append(found, a)
		return nil
	}
	if n <= 0 {
		return nil, ctx.Err()
	}
	// The zero key comes before all; no account has a key without a provider.
	if after.Provider != "" {
		if err := s.query(ctx, s.sh.render(listSubjects), scan, after.Provider, after.Subject, int64(n)); err != nil {
			return nil, err
		}
	}
	if len(found) < n {
		if err := s.query(ctx, s.sh.render(listProviders), scan, after.Provider, int64(n-len(found))); err != nil {
			return nil, err
		}
	}
	return found, nil
}
