package gormstore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/gatepass/gatepass/store"
)

// appendRemembered appends where the columns of rememberedColumns go.
func appendRemembered(dest []any, r *store.Remembered) []any {
	return append(dest, (*text)(&r.UserID), (*text)(&r.Provider), (*text)(&r.Subject), (*text)(&r.Issuer), (*text)(&r.SID),
		&r.Validator, &r.Former, (*micro)(&r.CreatedAt), (*micro)(&r.UsedAt), (*micro)(&r.ExpiresAt), (*text)(&r.UserAgent), (*text)(&r.IP))
}

func (s *Store) checkRemembered(r *store.Remembered) error {
	if err := checkKey(r.Key); err != nil {
		return err
	}
	var c checker
	c.key("ID", r.ID)
	c.text("user ID", r.UserID, 191)
	c.texts("issuer", r.Issuer, "SID", r.SID, "user agent", r.UserAgent, "IP", r.IP)
	if c.err == nil && s.padded(r.UserID) {
		return fmt.Errorf("gormstore: user ID ends with a space: %w", store.ErrBadText)
	}
	return c.err
}

// CreateRemembered implements [store.Rememberer]. The user may be one of another
// store.
func (s *Store) CreateRemembered(ctx context.Context, r *store.Remembered) error {
	if err := s.checkRemembered(r); err != nil {
		return err
	}
	n, err := s.exec(ctx, s.sql().insertRemembered, r.ID, r.UserID, r.Provider, r.Subject, r.Issuer, r.SID, sealed(r.Validator),
		kept(r.Former), micros(r.CreatedAt), micros(r.UsedAt), micros(r.ExpiresAt), r.UserAgent, r.IP)
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

// Remembered implements [store.Rememberer].
func (s *Store) Remembered(ctx context.Context, id string) (*store.Remembered, error) {
	if bad(id) {
		return nil, store.ErrNotFound
	}
	r := &store.Remembered{ID: id}
	if err := s.one(ctx, s.sql().remembered, []any{id, micros(s.now())}, appendRemembered(nil, r)...); err != nil {
		return nil, err
	}
	return r, nil
}

// SwapRemembered implements [store.Rememberer].
func (s *Store) SwapRemembered(ctx context.Context, validator []byte, r *store.Remembered) error {
	if bad(r.ID) {
		return store.ErrNotFound
	}
	if err := s.checkRemembered(r); err != nil {
		return err
	}
	n, err := s.exec(ctx, s.sql().swapRemembered, r.Provider, r.Subject, r.Issuer, r.SID, sealed(r.Validator), kept(r.Former),
		micros(r.UsedAt), micros(r.ExpiresAt), r.UserAgent, r.IP, r.ID, sealed(validator), micros(s.now()))
	if err != nil || n > 0 {
		return err
	}
	now, err := s.Remembered(ctx, r.ID)
	if err != nil {
		return err
	}
	// MySQL does not count a row that was the same before.
	if bytes.Equal(r.Validator, validator) && bytes.Equal(now.Validator, validator) {
		return nil
	}
	return store.ErrExists
}

// UserRemembered implements [store.Rememberer].
func (s *Store) UserRemembered(ctx context.Context, userID string) ([]store.Remembered, error) {
	if s.badUser(userID) {
		return nil, ctx.Err()
	}
	return s.listRemembered(ctx, s.sql().userRemembered, userID, micros(s.now()))
}

// SIDRemembered implements [store.Rememberer].
func (s *Store) SIDRemembered(ctx context.Context, provider, sid string) ([]store.Remembered, error) {
	if noSID(provider, sid) {
		return nil, ctx.Err()
	}
	found, err := s.listRemembered(ctx, s.sql().sidRemembered, sid, provider, micros(s.now()))
	return slices.DeleteFunc(found, func(r store.Remembered) bool { return r.Provider != provider || r.SID != sid }), err
}

func (s *Store) listRemembered(ctx context.Context, query string, args ...any) ([]store.Remembered, error) {
	var found []store.Remembered
	err := s.query(ctx, query, func(rows *sql.Rows) error {
		var r store.Remembered
		if err := rows.Scan(append(appendRemembered(nil, &r), (*text)(&r.ID))...); err != nil {
			return err
		}
		found = append(found, r)
		return nil
	}, args...)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// DeleteRemembered implements [store.Rememberer].
func (s *Store) DeleteRemembered(ctx context.Context, id string) error {
	if bad(id) {
		return ctx.Err()
	}
	_, err := s.exec(ctx, s.sql().deleteRemembered, id)
	return err
}

// DeleteUserRemembered implements [store.Rememberer].
func (s *Store) DeleteUserRemembered(ctx context.Context, userID, except string) error {
	if s.badUser(userID) {
		return ctx.Err()
	}
	var err error
	if except == "" || bad(except) {
		_, err = s.exec(ctx, s.sql().deleteAllRemembered, userID)
	} else {
		_, err = s.exec(ctx, s.sql().deleteOtherRemembered, userID, except)
	}
	return err
}
