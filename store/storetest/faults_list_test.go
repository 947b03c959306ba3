package storetest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/gatepass/gatepass/store"
)

func listFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"ListAccountsAll": func(s *faulty) { // in the order of a dictionary
			s.listAccounts = func(ctx context.Context, after store.Key, n int) ([]store.Account, error) {
				all, err := s.Store.ListAccounts(ctx, store.Key{}, 1000)
				compare := func(a, b store.Key) int {
					return cmp.Or(cmp.Compare(a.Provider, b.Provider),
						cmp.Compare(strings.ToLower(a.Subject), strings.ToLower(b.Subject)), cmp.Compare(a.Subject, b.Subject))
				}
				slices.SortFunc(all, func(a, b store.Account) int { return compare(a.Key, b.Key) })
				all = slices.DeleteFunc(all, func(a store.Account) bool { return compare(a.Key, after) <= 0 })
				return all[:min(n, len(all))], err
			}
		},
		"ListAccountsMeanwhile": func(s *faulty) { // by how many came before
			var last store.Key
			var offset int
			s.listAccounts = func(ctx context.Context, after store.Key, n int) ([]store.Account, error) {
				if after == (store.Key{}) || after != last {
					offset = 0
				} else {
					after = store.Key{}
				}
				list, err := s.Store.ListAccounts(ctx, after, offset+n)
				list = list[min(offset, len(list)):]
				offset += len(list)
				if len(list) > 0 {
					last = list[len(list)-1].Key
				}
				return list, err
			}
		},
	}
}
