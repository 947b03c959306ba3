package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/gorm"
)

// A Store is what Gatepass works with: people in tables of our own, sessions
// and used-up logins in those that Gatepass makes.
//
// It embeds the interface [store.Sessions] and not a *gormstore.Store, whose
// other methods would come along and look for people in the wrong table.
type Store struct {
	*Members
	store.Sessions
}

var (
	_ store.Transactor    = Store{}
	_ store.AccountLister = Store{}
)

// NewStore returns a Store in a database that has both kinds of tables.
func NewStore(db *gormstore.Store) Store {
	return Store{&Members{db.DB()}, db}
}

// Transact puts a whole sign-up (member, login, token, session) into one
// transaction, which is possible because both halves are in one database. If
// gormstore.Open got options, gormstore.New gets the same.
func (s Store) Transact(ctx context.Context, f func(store.Store) error) error {
	return s.transact(ctx, func(tx Store) error { return f(tx) })
}

func (s Store) transact(ctx context.Context, f func(Store) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return f(Store{&Members{tx}, gormstore.New(tx)})
	})
}

// DeleteUser also ends the sessions, of which Members knows nothing.
func (s Store) DeleteUser(ctx context.Context, id string) error {
	return s.transact(ctx, func(tx Store) error {
		return errors.Join(tx.DeleteUserSessions(ctx, id, ""), tx.Members.DeleteUser(ctx, id))
	})
}

// Members keeps people, their logins and tokens in members and member_logins.
//
// Within a transaction, one of its own is a savepoint. The database is the one
// of gormstore, which logs no statements; a *gorm.DB with a logger needs its
// ParameterizedQueries, or addresses and tokens are in the log.
type Members struct{ db *gorm.DB }

var _ interface {
	store.Users
	store.Accounts
	store.Tokens
} = (*Members)(nil)

// memberID reads an ID, which is the member's number as we write it: "01" is
// nobody's.
func memberID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != id {
		return 0, store.ErrNotFound
	}
	return n, nil
}

// check refuses what a table should not have to keep. SQLite has no limits of
// its own, other databases have, and PostgreSQL keeps no zero byte.
func check(limit int, texts ...string) error {
	for _, s := range texts {
		if len(s) > limit || !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			return fmt.Errorf("members: a text of %d bytes, want at most %d of UTF-8: %w", len(s), limit, store.ErrBadText)
		}
	}
	return nil
}

// found turns GORM's word for nothing there into Gatepass's.
func found(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return store.ErrNotFound
	}
	return err
}

// changed does so for a statement that changed no row.
func changed(db *gorm.DB, none error) error {
	if db.Error == nil && db.RowsAffected == 0 {
		return none
	}
	return db.Error
}

func (m *Member) user() *store.User {
	return &store.User{
		ID: strconv.FormatInt(m.ID, 10), Username: m.Handle, Name: m.DisplayName, Email: m.Mail, EmailVerified: m.MailConfirmed,
		AvatarURL: m.Photo, Locale: m.Language, Disabled: m.Blocked, CreatedAt: m.JoinedAt.UTC(), UpdatedAt: m.ChangedAt.UTC(),
	}
}

func newMember(u *store.User) (*Member, error) {
	return &Member{
		Handle: u.Username, DisplayName: u.Name, Mail: u.Email, MailConfirmed: u.EmailVerified, Photo: u.AvatarURL,
		Language: u.Locale, Blocked: u.Disabled, JoinedAt: u.CreatedAt.UTC(), ChangedAt: u.UpdatedAt.UTC(),
	}, check(1000, u.Username, u.Name, u.Email, u.AvatarURL, u.Locale)
}

// User implements [store.Users].
func (m *Members) User(ctx context.Context, id string) (*store.User, error) {
	n, err := memberID(id)
	if err != nil {
		return nil, err
	}
	var row Member
	if err := m.db.WithContext(ctx).Take(&row, n).Error; err != nil {
		return nil, found(err)
	}
	return row.user(), nil
}

// UpdateUser implements [store.Users].
func (m *Members) UpdateUser(ctx context.Context, u *store.User) error {
	n, err := memberID(u.ID)
	if err != nil {
		return err
	}
	row, err := newMember(u)
	if err != nil {
		return err
	}
	row.ChangedAt = time.Now().UTC()
	return changed(m.db.WithContext(ctx).Model(&Member{}).Where("id = ?", n).Select(userColumns).Updates(row), store.ErrNotFound)
}

// UserByEmail implements [store.Users]. NOCASE knows the letters of ASCII only,
// as it must be: that others look alike says nothing about a mailbox.
func (m *Members) UserByEmail(ctx context.Context, email string) (*store.User, error) {
	var rows []Member
	err := m.db.WithContext(ctx).Limit(2).Find(&rows, "mail = ? COLLATE NOCASE AND mail <> '' AND mail_confirmed", email).Error
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, store.ErrNotFound
	case len(rows) > 1:
		return nil, store.ErrAmbiguous
	}
	return rows[0].user(), nil
}

// DeleteUser implements [store.Users], but for the sessions: see
// [Store.DeleteUser].
func (m *Members) DeleteUser(ctx context.Context, id string) error {
	n, err := memberID(id)
	if err != nil {
		return ctx.Err() // nobody has it
	}
	return m.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Delete(&Login{}, "member_id = ?", n).Error; err != nil {
			return err
		}
		return tx.Delete(&Member{}, n).Error
	})
}
