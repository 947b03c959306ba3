package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func ExampleTransact() {
	ctx := context.Background()
	s := memstore.New()
	k := store.Key{Provider: "github", Subject: "583231"}

	err := store.Transact(ctx, s, func(tx store.Store) error {
		if err := tx.CreateUser(ctx, &store.User{Name: "Mona"}, &store.Account{Key: k}); err != nil {
			return err
		}
		return errors.New("the shop is closed today")
	})
	fmt.Println(err)

	_, err = s.Account(ctx, k)
	fmt.Println(errors.Is(err, store.ErrNotFound))
	// Output:
	// the shop is closed today
	// true
}
