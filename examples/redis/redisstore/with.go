package redisstore

import (
	"context"
	"errors"
	"sync"

	"github.com/gatepass/gatepass/store"
)

// With returns a Store of users, accounts and tokens in users and sessions in
// sessions, for a program that passes one around. DeleteUser ends the user's
// sessions as well, and forgets their browsers.
//
// If users is a [store.Transactor], so is what With returns, of its half: Redis
// takes no part in a transaction, and would keep what is taken back. A Store that
// is given to a transaction therefore refuses to change sessions, with an error
// that wraps [errors.ErrUnsupported]; save for DeleteUser, which logs the user out
// even if they are not deleted in the end. Package middleware begins and ends
// sessions outside of transactions. The rules of storetest about transactions,
// which change sessions in them, are not for such a Store.
func With(users store.Store, sessions *Store) store.Store {
	j := join(users, sessions, nil)
	if _, ok := users.(store.Transactor); ok {
		return &transactor{j}
	}
	return &j
}

// A joined has each half under its own name, so that no method of the other
// half comes along.
type joined struct {
	store.Users
	store.Accounts
	store.Tokens
	*Store

	users store.Store        // all three
	later func(store.Change) // takes what a transaction may change; nil outside of one
}

func join(users store.Store, sessions *Store, later func(store.Change)) joined {
	return joined{users, users, users, sessions, users, later}
}

var (
	_ store.Store         = (*joined)(nil)
	_ store.AccountLister = (*joined)(nil)
	_ store.Transactor    = (*transactor)(nil)
	_ store.Transactor    = (*within)(nil)
	_ store.Watcher       = (*joined)(nil)
)

// ListAccounts implements [store.AccountLister]. The error wraps
// [errors.ErrUnsupported] if the users' store cannot.
func (j *joined) ListAccounts(ctx context.Context, after store.Key, n int) ([]store.Account, error) {
	return store.ListAccounts(ctx, j.Accounts, after, n)
}

// DeleteUser implements [store.Users]. Sessions end first: if Redis fails, the
// user is still there, and deleting them again does the rest. Those that began
// meanwhile end after that.
func (j *joined) DeleteUser(ctx context.Context, id string) error {
	if err := j.end(ctx, id); err != nil {
		return err
	}
	err := j.Users.DeleteUser(ctx, id)
	j.changed(id)
	if err != nil {
		return err
	}
	return j.end(ctx, id)
}

// UpdateUser implements [store.Users].
func (j *joined) UpdateUser(ctx context.Context, u *store.User) error {
	err := j.Users.UpdateUser(ctx, u)
	j.changed(u.ID)
	return err
}

// Watch implements [store.Watcher] for both halves. It tells of what is changed
// past what With returned as well, if the users' store is a Watcher.
func (j *joined) Watch(f func(store.Change)) (stop func()) {
	sessions := j.Store.Watch(f)
	users, _ := store.Watch(j.Users, f)
	return func() {
		sessions()
		users()
	}
}

// changed tells of a user who may have changed, once others can see it.
func (j *joined) changed(userID string) {
	if j.later != nil {
		j.later(store.Change{UserID: userID})
		return
	}
	j.watchers.tell(store.Change{UserID: userID})
}

func (j *joined) end(ctx context.Context, userID string) error {
	return errors.Join(j.DeleteUserRemembered(ctx, userID, ""), j.DeleteUserSessions(ctx, userID, ""))
}

type transactor struct{ joined }

// Transact implements [store.Transactor] for users, accounts and tokens.
func (t *transactor) Transact(ctx context.Context, f func(store.Store) error) error {
	var mu sync.Mutex
	var changes []store.Change
	// Also if f fails or panics: to be told once too often is no harm.
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		t.watchers.tell(changes...)
	}()
	return transact(ctx, t.users, t.Store, f, func(c store.Change) {
		mu.Lock()
		defer mu.Unlock()
		changes = append(changes, c)
	})
}

func transact(ctx context.Context, users store.Store, sessions *Store, f func(store.Store) error, later func(store.Change)) error {
	return store.Transact(ctx, users, func(users store.Store) error {
		return f(&within{join(users, sessions, later)})
	})
}
