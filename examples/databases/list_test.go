package databases_test

import (
	"fmt"
	"testing"

	"github.com/gatepass/gatepass/store"
)

// To go through all accounts reads each of them once: a page begins in the
// middle of an index and ends there.
func TestPlanOfListAccounts(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		n := rows(t, 10_000)
		dsn := db.fresh(t)
		pool := connect(t, db.driver, dsn)
		rec := recording(pool)
		s := opened(t, db.dialector(dsn, rec))
		fill(t, db, pool, n)
		analyze(t, db, pool)
		rec.take()
		var after store.Key
		seen := 0
		for {
			list, err := s.ListAccounts(t.Context(), after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			seen += len(list)
			after = list[len(list)-1].Key
		}
		if want := int(count(t, s, "gatepass_accounts")); seen != want {
			t.Errorf("listed %d accounts, want %d", seen, want)
		}
		if _, err := s.ListAccounts(t.Context(), key(fmt.Sprint(n/2)), 100); err != nil {
			t.Fatal(err)
		}
		queries := ours(rec.take())
		if len(queries) != 3 { // and the count
			t.Errorf("got %d statements, want 3", len(queries))
		}
		for query, args := range queries {
			if len(args) == 0 {
				continue
			}
			for _, plan := range explain(t, db, pool, query, args) {
				if bad := scans(db, plan); bad != "" {
					t.Errorf("%s\nreads a whole table: %s\n%s", query, bad, plan)
				}
			}
		}
	})
}
