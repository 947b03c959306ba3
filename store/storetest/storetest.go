// Package storetest tests implementations of [store.Store].
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return newTestStore(t) })
//	}
//
// Each rule is a subtest, so that one of them can be run alone, as in
//
//	go test -run TestStore/RemoveAccountKeepsTheLast
//
// The rules are those of the comments in package store. Where a comment leaves
// something open, the suite accepts either.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A rule is a sentence of package store, and a check of it.
type rule struct {
	name  string
	text  string // said when the check fails
	check func(ctx context.Context, t testing.TB, s store.Store)
}

// Run tests that a Store does what the interface promises, each rule in a
// subtest named for it. NewStore makes an empty store, afresh for each subtest;
// it cleans up with t.Cleanup. The store's clock must be that of the machine,
// and no rule takes more than a moment.
//
// The rules of an optional interface, such as [store.Transactor] or
// [store.Rememberer], are skipped for a store that is not that.
func Run(t *testing.T, newStore func(t *testing.T) store.Store) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) { r.run(t, newStore(t)) })
	}
}

func rules() []rule {
	var all []rule
	for _, part := range [][]rule{
		userRules(), emailRules(), accountRules(), linkRules(), tokenRules(), leaseRules(),
		sessionRules(), markRules(), valueRules(), contextRules(),
	} {
		all = append(all, part...)
	}
	return append(all, optionalRules()...)
}

// optionalRules are those that not every store must obey.
func optionalRules() []rule {
	var all []rule
	for _, part := range [][]rule{
		finderRules(), loginRules(), finishRules(), transactionRules(), listRules(), replaceRules(), renewRules(), countRules(),
		sessionValueRules(), visitorRules(), sidRules(), markedRules(),
		rememberRules(), swapRules(), forgetRules(),
		watchRules(), withinRules(), ableRules(),
	} {
		all = append(all, part...)
	}
	return all
}

// run checks the rule, and says it if the store breaks it.
func (r rule) run(t testing.TB, s store.Store) {
	// A store that waits for ever fails in time to tell which rule it was.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer func() {
		if t.Failed() {
			t.Logf("the rule: %s", r.text)
		}
	}()
	r.check(ctx, t, s)
}
