package gormstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatepass/gatepass/store"
)

// A profile is the JSON of an account, nil if there is none.
type profile json.RawMessage

func (p *profile) Scan(src any) error {
	var t text
	if err := t.Scan(src); err != nil {
		return err
	}
	*p = nil
	if t != "" {
		*p = profile(t)
	}
	return nil
}

// scannedAccount returns where the columns of accountColumns go.
func scannedAccount(a *store.Account) []any {
	return []any{(*text)(&a.Provider), (*text)(&a.Subject), (*text)(&a.Issuer), (*text)(&a.UserID), (*text)(&a.Email),
		(*text)(&a.Name), (*text)(&a.Username), (*text)(&a.AvatarURL), (*profile)(&a.Profile),
		(*micro)(&a.CreatedAt), (*micro)(&a.UpdatedAt)}
}

func checkAccount(a *store.Account) error {
	if err := checkKey(a.Key); err != nil {
		return err
	}
	var c checker
	c.texts("issuer", a.Issuer, "email", a.Email, "name", a.Name, "username", a.Username, "avatar URL", a.AvatarURL)
	if utf8.Valid(a.Profile) {
		c.text("profile", string(a.Profile), len(a.Profile))
	}
	return c.err
}

// profileText is p as it is kept. Services do send JSON that is not UTF-8; each
// wrong byte becomes U+FFFD, as it does in a decoder of JSON.
func profileText(p json.RawMessage) string { return strings.ToValidUTF8(string(p), "\ufffd") }

// Account implements [store.Accounts].
func (s *Store) Account(ctx context.Context, k store.Key) (*store.Account, error) {
	if checkKey(k) != nil {
		return nil, store.ErrNotFound
	}
	a := new(store.Account)
	if err := s.one(ctx, s.sql().account, []any{k.Provider, k.Subject}, scannedAccount(a)...); err != nil {
		return nil, err
	}
	return a, nil
}

// UserAccounts implements [store.Accounts].
func (s *Store) UserAccounts(ctx context.Context, userID string) ([]store.Account, error) {
	if s.badUser(userID) {
		return nil, ctx.Err()
	}
	var found []store.Account
	err := s.query(ctx, s.sql().userAccounts, func(rows *sql.Rows) error {
		var a store.Account
		if err := rows.Scan(scannedAccount(&a)...); err != nil {
			return err
		}
		found = append(found, a)
		return nil
	}, userID)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// CreateUser implements [store.Accounts].
func (s *Store) CreateUser(ctx context.Context, u *store.User, a *store.Account) error {
	if err := checkUser(u); err != nil {
		return err
	}
	if err := checkAccount(a); err != nil {
		return err
	}
	user, acc := *u, *a
	user.ID = newID()
	acc.UserID = user.ID
	now := s.now()
	stamp(now, userTime, &user.CreatedAt, &user.UpdatedAt)
	stamp(now, accountTime, &acc.CreatedAt, &acc.UpdatedAt)
	err := s.atomic(ctx, func(tx *Store) error {
		if _, err := tx.exec(ctx, tx.sql().insertUser, user.ID, user.Username, user.Name, user.Email, user.EmailVerified,
			user.AvatarURL, user.Locale, user.Disabled, user.CreatedAt, user.UpdatedAt); err != nil {
			return err
		}
		n, err := tx.insertAccount(ctx, &acc)
		if err != nil || n > 0 {
			return err
		}
		// In someone else's transaction nothing else takes the user back.
		if _, err := tx.exec(ctx, tx.sql().deleteUser, user.ID); err != nil {
			return err
		}
		return store.ErrExists
	})
	if err != nil {
		return err
	}
	*u, *a = user, acc
	return nil
}

func (s *Store) insertAccount(ctx context.Context, a *store.Account) (int64, error) {
	return s.exec(ctx, s.sql().insertAccount, a.Provider, a.Subject, a.Issuer, a.UserID, a.Email, a.Name, a.Username,
		a.AvatarURL, profileText(a.Profile), micros(a.CreatedAt), micros(a.UpdatedAt), never, never)
}

// AddAccount implements [store.Accounts].
func (s *Store) AddAccount(ctx context.Context, a *store.Account) error {
	if s.badUser(a.UserID) {
		return store.ErrNotFound
	}
	if err := checkAccount(a); err != nil {
		return err
	}
	acc := *a
	stamp(s.now(), accountTime, &acc.CreatedAt, &acc.UpdatedAt)
	err := s.atomic(ctx, func(tx *Store) error {
		// Locked, so that the user does not go in between.
		if err := tx.exists(ctx, tx.sql().lockUser, acc.UserID); err != nil {
			return err
		}
		n, err := tx.insertAccount(ctx, &acc)
		if err == nil && n == 0 {
			return store.ErrExists
		}
		return err
	})
	if err == nil {
		*a = acc
	}
	return err
}

// UpdateAccount implements [store.Accounts].
func (s *Store) UpdateAccount(ctx context.Context, a *store.Account) error {
	if checkKey(a.Key) != nil {
		return store.ErrNotFound
	}
	if err := checkAccount(a); err != nil {
		return err
	}
	n, err := s.exec(ctx, s.sql().updateAccount, a.Issuer, a.Email, a.Name, a.Username, a.AvatarURL,
		profileText(a.Profile), micros(a.UpdatedAt), a.Provider, a.Subject)
	if err != nil || n > 0 {
		return err
	}
	return s.accountExists(ctx, a.Key)
}

func (s *Store) accountExists(ctx context.Context, k store.Key) error {
	return s.exists(ctx, s.sql().accountExists, k.Provider, k.Subject)
}

// RemoveAccount implements [store.Accounts].
func (s *Store) RemoveAccount(ctx context.Context, k store.Key, usable []string) error {
	if checkKey(k) != nil {
		return store.ErrNotFound
	}
	return s.atomic(ctx, func(tx *Store) error {
		a, err := tx.Account(ctx, k)
		if err != nil {
			return err
		}
		// All of the user's accounts, locked and in order: the second of two
		// removals waits here, and then no longer sees what the first removed.
		there, other := false, false
		err = tx.query(ctx, tx.sql().lockAccounts, func(rows *sql.Rows) error {
			var found store.Key
			if err := rows.Scan((*text)(&found.Provider), (*text)(&found.Subject)); err != nil {
				return err
			}
			if found == k {
				there = true
			} else if slices.Contains(usable, found.Provider) {
				other = true
			}
			return nil
		}, a.UserID)
		switch {
		case err != nil:
			return err
		case !there:
			return store.ErrNotFound
		case !other:
			return store.ErrLastAccount
		}
		_, err = tx.exec(ctx, tx.sql().deleteAccount, k.Provider, k.Subject)
		return err
	})
}
