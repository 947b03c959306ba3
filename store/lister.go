package store

import (
	"context"
	"errors"
	"fmt"
)

// An AccountLister goes through all accounts there are, for work on every row
// such as sealing all tokens anew.
type AccountLister interface {
	Accounts

	// ListAccounts returns at most n accounts whose keys come after after: first
	// by Provider, then by Subject, byte for byte. The zero Key comes before
	// all. An account that is there from the first page to the last is in
	// exactly one of them, whatever comes and goes meanwhile. There are no more
	// once a page is empty.
	ListAccounts(ctx context.Context, after Key, n int) ([]Account, error)
}

// ListAccounts returns the accounts that come after a key. The error wraps
// [errors.ErrUnsupported] if accounts is no [AccountLister].
func ListAccounts(ctx context.Context, accounts Accounts, after Key, n int) ([]Account, error) {
	l, ok := accounts.(AccountLister)
	if !ok {
		return nil, fmt.Errorf("store: %T cannot list accounts: %w", accounts, errors.ErrUnsupported)
	}
	return l.ListAccounts(ctx, after, n)
}
