package main

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gatepass/gatepass/store"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func (l *Login) account() store.Account {
	return store.Account{
		Key: store.Key{Provider: l.Provider, Subject: l.Subject}, Issuer: l.Issuer, UserID: strconv.FormatInt(l.MemberID, 10),
		Email: l.Mail, Name: l.DisplayName, Username: l.Handle, AvatarURL: l.Photo, Profile: l.Profile,
		CreatedAt: l.LinkedAt.UTC(), UpdatedAt: l.LastLoginAt.UTC(),
	}
}

func newLogin(a *store.Account) (*Login, error) {
	return &Login{
		Provider: a.Provider, Subject: a.Subject, Issuer: a.Issuer, Mail: a.Email, DisplayName: a.Name, Handle: a.Username,
		Photo: a.AvatarURL, Profile: a.Profile, LinkedAt: a.CreatedAt.UTC(), LastLoginAt: a.UpdatedAt.UTC(),
	}, errors.Join(check(255, a.Provider, a.Subject), check(1000, a.Issuer, a.Email, a.Name, a.Username, a.AvatarURL))
}

// at begins a statement about the login with that key.
func (m *Members) at(ctx context.Context, k store.Key) *gorm.DB {
	return m.db.WithContext(ctx).Model(&Login{}).Where("provider = ? AND subject = ?", k.Provider, k.Subject)
}

// add inserts a login. That the key is taken shows in the number of rows, with
// no error: PostgreSQL would end the transaction, and each database has words
// of its own for it.
func add(tx *gorm.DB, l *Login) error {
	return changed(tx.Clauses(clause.OnConflict{DoNothing: true}).Create(l), store.ErrExists)
}

// lock keeps a member from going, and from losing a login, until the end of the
// transaction. SQLite has one writer at a time and ignores it; other databases
// need it.
func lock(tx *gorm.DB, id int64) error {
	return found(tx.Clauses(clause.Locking{Strength: "UPDATE"}).Select("id").Take(&Member{}, id).Error)
}

// Account implements [store.Accounts].
func (m *Members) Account(ctx context.Context, k store.Key) (*store.Account, error) {
	var row Login
	if err := m.at(ctx, k).Take(&row).Error; err != nil {
		return nil, found(err)
	}
	a := row.account()
	return &a, nil
}

// UserAccounts implements [store.Accounts].
func (m *Members) UserAccounts(ctx context.Context, userID string) ([]store.Account, error) {
	n, err := memberID(userID)
	if err != nil {
		return nil, ctx.Err()
	}
	return accounts(m.db.WithContext(ctx).Where("member_id = ?", n).Order("linked_at"))
}

func accounts(query *gorm.DB) ([]store.Account, error) {
	var rows []Login
	err := query.Find(&rows).Error
	var all []store.Account
	for _, row := range rows {
		all = append(all, row.account())
	}
	return all, err
}

// ListAccounts implements [store.AccountLister], without which tokens cannot be
// sealed anew when the app's secret changes.
func (m *Members) ListAccounts(ctx context.Context, after store.Key, n int) ([]store.Account, error) {
	return accounts(m.db.WithContext(ctx).Where("(provider, subject) > (?, ?)", after.Provider, after.Subject).
		Order("provider, subject").Limit(n))
}

// CreateUser implements [store.Accounts].
func (m *Members) CreateUser(ctx context.Context, u *store.User, a *store.Account) error {
	user, acc, now := *u, *a, time.Now()
	for _, t := range []*time.Time{&user.CreatedAt, &user.UpdatedAt, &acc.CreatedAt, &acc.UpdatedAt} {
		*t = cmp.Or(*t, now)
	}
	member, errMember := newMember(&user)
	login, errLogin := newLogin(&acc)
	if err := errors.Join(errMember, errLogin); err != nil {
		return err
	}
	err := m.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(member).Error; err != nil {
			return err
		}
		login.MemberID = member.ID
		return add(tx, login) // ErrExists takes the member back
	})
	if err == nil {
		*u, *a = *member.user(), login.account()
	}
	return err
}

// AddAccount implements [store.Accounts].
func (m *Members) AddAccount(ctx context.Context, a *store.Account) error {
	n, err := memberID(a.UserID)
	if err != nil {
		return err
	}
	acc, now := *a, time.Now()
	acc.CreatedAt, acc.UpdatedAt = cmp.Or(a.CreatedAt, now), cmp.Or(a.UpdatedAt, now)
	login, err := newLogin(&acc)
	if err != nil {
		return err
	}
	login.MemberID = n
	err = m.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := lock(tx, n); err != nil {
			return err
		}
		return add(tx, login)
	})
	if err == nil {
		*a = login.account()
	}
	return err
}

// UpdateAccount implements [store.Accounts].
func (m *Members) UpdateAccount(ctx context.Context, a *store.Account) error {
	row, err := newLogin(a)
	if err != nil {
		return err
	}
	return changed(m.at(ctx, a.Key).Select(loginColumns).Updates(row), store.ErrNotFound)
}

// RemoveAccount implements [store.Accounts].
func (m *Members) RemoveAccount(ctx context.Context, k store.Key, usable []string) error {
	return m.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var row Login
		in := &Members{tx}
		if err := in.at(ctx, k).Take(&row).Error; err != nil {
			return found(err)
		}
		if err := lock(tx, row.MemberID); err != nil {
			return err
		}
		var others int64
		err := tx.Model(&Login{}).Where("member_id = ? AND provider IN ?", row.MemberID, usable).
			Where("NOT (provider = ? AND subject = ?)", k.Provider, k.Subject).Count(&others).Error
		if err == nil && others == 0 {
			err = store.ErrLastAccount
		}
		if err != nil {
			return err
		}
		return changed(in.at(ctx, k).Delete(&Login{}), store.ErrNotFound)
	})
}

// Token implements [store.Tokens].
func (m *Members) Token(ctx context.Context, k store.Key) (*store.Token, error) {
	var row Login
	if err := m.at(ctx, k).Where("sealed IS NOT NULL").Take(&row).Error; err != nil {
		return nil, found(err)
	}
	return &store.Token{Sealed: row.Sealed, Expiry: row.Expiry.UTC(), Scopes: row.Scopes}, nil
}

// put stores a token and ends its lease.
func put(db *gorm.DB, t *store.Token, none error) error {
	if err := check(1000, t.Scopes...); err != nil {
		return err
	}
	sealed := append([]byte{}, t.Sealed...) // never nil, which would be no token
	return changed(db.Select(tokenColumns).Updates(&Login{Sealed: sealed, Expiry: t.Expiry.UTC(), Scopes: t.Scopes}), none)
}

// PutToken implements [store.Tokens].
func (m *Members) PutToken(ctx context.Context, k store.Key, t *store.Token) error {
	return put(m.at(ctx, k), t, store.ErrNotFound)
}

// SwapToken implements [store.Tokens].
func (m *Members) SwapToken(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
	return put(m.at(ctx, k).Where("sealed = ?", append([]byte{}, old...)), t, store.ErrExists)
}

// LeaseToken implements [store.Tokens]. It reads in the transaction in which it
// takes the lease: a token that came in between has no lease any more. The
// processes that share an SQLite file share the machine's clock; with a
// database elsewhere, ask its clock.
func (m *Members) LeaseToken(ctx context.Context, k store.Key, d time.Duration) (t *store.Token, err error) {
	err = m.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		in, now := &Members{tx}, time.Now()
		res := in.at(ctx, k).Where("leased_until <= ?", now.UnixMicro()).Update("leased_until", now.Add(d).UnixMicro())
		if res.Error != nil {
			return res.Error
		}
		if t, err = in.Token(ctx, k); err != nil {
			return err
		}
		return changed(res, store.ErrLeased)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// DeleteToken implements [store.Tokens].
func (m *Members) DeleteToken(ctx context.Context, k store.Key) error {
	return m.at(ctx, k).Select(tokenColumns).Updates(&Login{}).Error
}
