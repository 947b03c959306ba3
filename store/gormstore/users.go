package gormstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"strings"

	"github.com/gatepass/gatepass/store"
)

// A User is the row of a user, for an app that embeds it in a model of its own
// to add columns to the same table. Such columns need a default or must allow
// null, because a sign-up does not know them. AutoMigrate of the model and
// [Store.Migrate] come in any order. With [WithPrefix], the model needs a
// TableName of its own. On MySQL leave DefaultStringSize of GORM's driver at
// zero, or AutoMigrate shortens the columns of names and addresses.
//
// [Store.DeleteUser] removes the whole row. To delete users by way of GORM
// leaves their sessions, and on SQLite it fails while they have accounts.
type User struct{ store.User }

// TableName returns the name of the users table.
func (User) TableName() string { return "gatepass_users" }

// appendUser appends where the columns of userColumns go.
func appendUser(dest []any, u *store.User) []any {
	return append(dest, (*text)(&u.ID), (*text)(&u.Username), (*text)(&u.Name), (*text)(&u.Email), (*flag)(&u.EmailVerified),
		(*text)(&u.AvatarURL), (*text)(&u.Locale), (*flag)(&u.Disabled), (*clock)(&u.CreatedAt), (*clock)(&u.UpdatedAt))
}

func checkUser(u *store.User) error {
	var c checker
	c.texts("username", u.Username, "name", u.Name, "email", u.Email, "avatar URL", u.AvatarURL, "locale", u.Locale)
	return c.err
}

// bad reports whether an ID could not be that of anything stored. PostgreSQL
// would not even look for one with a zero byte.
func bad(id string) bool {
	var c checker
	c.key("", id)
	return c.err != nil
}

// badUser is bad for a user's ID. None is empty: the sessions of visitors have
// that.
func (s *Store) badUser(id string) bool { return id == "" || bad(id) || s.padded(id) }

// padded reports whether id ends with spaces where those make no difference. It
// would be the ID of someone else.
func (s *Store) padded(id string) bool {
	return s.sh != nil && s.sh.dialect.padded && strings.HasSuffix(id, " ")
}

// User implements [store.Users].
func (s *Store) User(ctx context.Context, id string) (*store.User, error) {
	if s.badUser(id) {
		return nil, store.ErrNotFound
	}
	u := new(store.User)
	if err := s.one(ctx, s.sql().user, []any{id}, appendUser(nil, u)...); err != nil {
		return nil, err
	}
	// The column is the app's to declare, and may ignore case or trailing spaces.
	if u.ID != id {
		return nil, store.ErrNotFound
	}
	return u, nil
}

// UpdateUser implements [store.Users].
func (s *Store) UpdateUser(ctx context.Context, u *store.User) error {
	if s.badUser(u.ID) {
		return store.ErrNotFound
	}
	if err := checkUser(u); err != nil {
		return err
	}
	n, err := s.exec(ctx, s.sql().updateUser, u.Username, u.Name, u.Email, u.EmailVerified, u.AvatarURL, u.Locale,
		u.Disabled, userTime(s.now()), u.ID)
	s.tell(store.Change{UserID: u.ID})
	if err != nil || n > 0 {
		return err
	}
	// MySQL does not count rows that were the same before.
	return s.exists(ctx, s.sql().userExists, u.ID)
}

// exists returns nil if the query finds a row, or [store.ErrNotFound].
func (s *Store) exists(ctx context.Context, query string, args ...any) error {
	var n int
	return s.one(ctx, query, args, &n)
}

// UserByEmail implements [store.Users].
func (s *Store) UserByEmail(ctx context.Context, email string) (*store.User, error) {
	var c checker
	c.texts("", email)
	if email == "" || c.err != nil {
		return nil, store.ErrNotFound
	}
	email = lower(email)
	var found []*store.User
	err := s.query(ctx, s.sql().userByEmail, func(rows *sql.Rows) error {
		u := new(store.User)
		if err := rows.Scan(appendUser(nil, u)...); err != nil {
			return err
		}
		// A database may take more letters for the same than it should.
		if lower(u.Email) == email {
			found = append(found, u)
		}
		return nil
	}, email, true)
	if err != nil {
		return nil, err
	}
	switch len(found) {
	case 0:
		return nil, store.ErrNotFound
	case 1:
		return found[0], nil
	}
	return nil, store.ErrAmbiguous
}

// DeleteUser implements [store.Users].
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	if s.badUser(id) {
		return nil
	}
	// Each table by name, because foreign keys may be off.
	return s.atomic(ctx, func(tx *Store) error {
		defer tx.tell(store.Change{UserID: id})
		t := tx.sql()
		if _, err := tx.exec(ctx, t.deleteAllRemembered, id); err != nil {
			return err
		}
		// The accounts first: a login that is being kept holds its own, and has stored
		// its session once that is let go.
		if _, err := tx.exec(ctx, t.deleteAccounts, id); err != nil {
			return err
		}
		if err := tx.endAll(ctx, t.deleteSessions, id); err != nil {
			return err
		}
		_, err := tx.exec(ctx, t.deleteUser, id)
		return err
	})
}

// lower lowers ASCII letters only: that other letters are the same in some
// language says nothing about mailboxes.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// newID returns 130 random bits, in letters that are the same in any case. It is
// never a row number: SQLite gives that of a deleted row away again.
func newID() string { return strings.ToLower(rand.Text()) }
