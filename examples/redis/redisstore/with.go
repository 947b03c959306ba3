package redisstore

import (
	"context"
	"errors"

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
// sessions outside of transactions.
func With(users store.Store, sessions *Store) store.Store {
	j := &joined{users, users, users, sessions}
	if tx, ok := users.(store.Transactor); ok {
		return &transactor{j, tx}
	}
	return j
}

// A joined has each half under its own name, so that no method of the other
// half comes along.
type joined struct {
	store.Users
	store.Accounts
	store.Tokens
	*Store
}

var (
	_ store.Store         = (*joined)(nil)
	_ store.AccountLister = (*joined)(nil)
	_ store.Transactor    = (*transactor)(nil)
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
	if err := j.Users.DeleteUser(ctx, id); err != nil {
		return err
	}
	return j.end(ctx, id)
}

func (j *joined) end(ctx context.Context, userID string) error {
	return errors.Join(j.DeleteUserRemembered(ctx, userID, ""), j.DeleteUserSessions(ctx, userID, ""))
}

type transactor struct {
	*joined
	tx store.Transactor
}

// Transact implements [store.Transactor] for users, accounts and tokens.
func (t *transactor) Transact(ctx context.Context, f func(store.Store) error) error {
	return t.tx.Transact(ctx, func(users store.Store) error {
		return f(&within{joined{users, users, users, t.Store}})
	})
}
