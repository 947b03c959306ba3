package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gatepass/gatepass/store/storetest"
)

// Shop is a store of an app's own. It embeds the interfaces that others
// implement, and has methods of its own where it does more.
//
// It embeds interfaces, not a *memstore.Store: the Transact and SessionUser of
// that type would come along, and go past the methods below.
type Shop struct {
	people
	store.Sessions // elsewhere, such as in Redis

	mu      sync.Mutex
	baskets map[string]int
}

type people interface {
	store.Users
	store.Accounts
	store.Tokens
}

var _ store.Store = (*Shop)(nil)

func NewShop() *Shop {
	return &Shop{people: memstore.New(), Sessions: memstore.New(), baskets: map[string]int{}}
}

// DeleteUser also ends the sessions, which the store of the people does not
// know, and forgets what the person was about to buy.
func (s *Shop) DeleteUser(ctx context.Context, id string) error {
	if err := s.DeleteUserSessions(ctx, id, ""); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.baskets, id)
	s.mu.Unlock()
	return s.people.DeleteUser(ctx, id)
}

// A store of one's own is tested as ours are.
func TestShop(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return NewShop() })
}

func Example() {
	ctx := context.Background()
	shop := NewShop()

	ann := &store.User{Name: "Ann"}
	if err := shop.CreateUser(ctx, ann, &store.Account{Key: store.Key{Provider: "github", Subject: "583231"}}); err != nil {
		fmt.Println(err)
	}
	shop.baskets[ann.ID] = 3

	err := shop.CreateUser(ctx, &store.User{Name: "Bob"}, &store.Account{Key: store.Key{Provider: "github", Subject: "583231"}})
	fmt.Println(errors.Is(err, store.ErrExists))

	if err := shop.DeleteUser(ctx, ann.ID); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(shop.baskets))
	// Output:
	// true
	// 0
}
