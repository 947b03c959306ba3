package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatepass/gatepass/store"
)

var _ store.AccountLister = (*Store)(nil)

// ListAccounts implements [store.AccountLister]. It looks at all accounts for
// each page.
func (s *Store) ListAccounts(ctx context.Context, after store.Key, n int) ([]store.Account, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	keys := s.db.accounts.find(func(row *account) bool { return compareKeys(row.Key, after) > 0 })
	if s.tx != nil {
		for k := range s.tx.accounts.rows {
			if compareKeys(k, after) > 0 {
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, compareKeys)
	var list []store.Account
	for _, k := range slices.Compact(keys) {
		if len(list) >= n {
			break
		}
		if row := s.accounts().get(k); row != nil {
			list = append(list, copied(row.Account))
		}
	}
	return list, nil
}

func compareKeys(a, b store.Key) int {
	return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Subject, b.Subject))
}
