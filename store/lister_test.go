package store_test

import (
	"errors"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func TestListAccounts(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	k := store.Key{Provider: "github", Subject: "583231"}
	if err := s.CreateUser(ctx, &store.User{Name: "Mona"}, &store.Account{Key: k}); err != nil {
		t.Fatal(err)
	}
	list, err := store.ListAccounts(ctx, s, store.Key{}, 10)
	if err != nil || len(list) != 1 || list[0].Key != k {
		t.Errorf("got %v, %v; want the one account", list, err)
	}
	if list, err = store.ListAccounts(ctx, s, k, 10); err != nil || len(list) != 0 {
		t.Errorf("after the last: got %v, %v; want none", list, err)
	}
	if _, err = store.ListAccounts(ctx, plain{s}, store.Key{}, 10); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a store that cannot: got error %v, want %v", err, errors.ErrUnsupported)
	}
}
