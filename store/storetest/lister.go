package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/gatepass/gatepass/store"
)

// maxPages ends a walk that would go on for ever.
const maxPages = 100

// walk returns all accounts, n at a time. Between runs after each page.
func walk(ctx context.Context, t testing.TB, l store.AccountLister, n int, between func(page int)) []store.Account {
	t.Helper()
	var all []store.Account
	var after store.Key
	for page := range maxPages {
		list, err := l.ListAccounts(ctx, after, n)
		must(t, "ListAccounts", err)
		if len(list) > n {
			t.Errorf("ListAccounts: got %d accounts, want at most %d", len(list), n)
		}
		if len(list) == 0 {
			return all
		}
		all = append(all, list...)
		after = list[len(list)-1].Key
		if between != nil {
			between(page)
		}
	}
	t.Fatalf("ListAccounts: no page of %d is the last", maxPages)
	return nil
}

func listRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.AccountLister)) func(context.Context, testing.TB, store.Store) {
		return needs("AccountLister", check)
	}
	keysOf := func(list []store.Account) []store.Key {
		var keys []store.Key
		for _, a := range list {
			keys = append(keys, a.Key)
		}
		return keys
	}
	return []rule{
		{"ListAccountsAll", "ListAccounts returns every account once, as Account does, in the order of provider and subject, byte for byte, in pages of any size.",
			with(func(ctx context.Context, t testing.TB, s store.Store, l store.AccountLister) {
				if list := walk(ctx, t, l, 3, nil); len(list) != 0 {
					t.Errorf("in an empty store: got %q", subjects(list))
				}
				// In the order in which they must come back. Other alphabets, or a
				// comparison of the two as one text, would order them otherwise.
				want := []store.Key{
					{Provider: "Acme", Subject: "b"}, {Provider: home, Subject: "B"}, {Provider: home, Subject: "a"},
					{Provider: home, Subject: "a "}, {Provider: home, Subject: "a\u0301"}, {Provider: home, Subject: "\u00e1"},
					{Provider: home + "2", Subject: "0"}, {Provider: "zeta", Subject: "a"},
				}
				u, a := person("ann")
				a.Key = want[4]
				must(t, "CreateUser", s.CreateUser(ctx, u, a))
				for _, i := range []int{6, 0, 3, 7, 1, 5, 2} {
					link(ctx, t, s, u, want[i])
				}
				for _, n := range []int{1, 3, len(want), len(want) + 1} {
					list := walk(ctx, t, l, n, nil)
					if got := keysOf(list); !slices.Equal(got, want) {
						t.Errorf("in pages of %d:\n got %q\nwant %q", n, got, want)
						continue
					}
					wantSame(t, "the account with everything in it", &list[4], a)
				}
				// After a key that has no account, it goes on with the next.
				list, err := l.ListAccounts(ctx, key("a!"), 1)
				must(t, "ListAccounts", err)
				if got := keysOf(list); !slices.Equal(got, want[4:5]) {
					t.Errorf("after a key that is not there: got %q, want %q", got, want[4:5])
				}
			})},
		{"ListAccountsMeanwhile", "An account that is there from the first page to the last is listed once, whatever comes and goes meanwhile.",
			with(func(ctx context.Context, t testing.TB, s store.Store, l store.AccountLister) {
				u, _ := signUp(ctx, t, s, "m0")
				stay := []store.Key{key("m0")}
				for i := 1; i < 6; i++ {
					k := key(fmt.Sprint("m", i))
					link(ctx, t, s, u, k)
					stay = append(stay, k)
				}
				first := link(ctx, t, s, u, key("a"))
				list := walk(ctx, t, l, 2, func(page int) {
					if page == 0 {
						must(t, "RemoveAccount", s.RemoveAccount(ctx, first.Key, []string{home}))
					}
					if page < 3 {
						link(ctx, t, s, u, key(fmt.Sprint("b", page)))
					}
				})
				for _, k := range stay {
					n := 0
					for _, got := range keysOf(list) {
						if got == k {
							n++
						}
					}
					if n != 1 {
						t.Errorf("%s was listed %d times in %q, want once", k.Subject, n, subjects(list))
					}
				}
			})},
	}
}
