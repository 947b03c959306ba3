package redisstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatepass/gatepass/store"
)

// CreateRemembered implements [store.Rememberer].
func (s *Store) CreateRemembered(ctx context.Context, r *store.Remembered) error {
	f, err := rememberedFields(r)
	if err != nil {
		return err
	}
	args := append(append([]any{"remembered", r.ID}, f...), r.Validator)
	return s.do(ctx, "remember a browser", s.scripts.create, "remembered:"+r.ID, args...)
}

// Remembered implements [store.Rememberer].
func (s *Store) Remembered(ctx context.Context, id string) (*store.Remembered, error) {
	e, err := s.read(ctx, "find a remembered browser", "remembered", id, 1)
	if err != nil {
		return nil, err
	}
	return e.remembered(id)
}

// SwapRemembered implements [store.Rememberer].
func (s *Store) SwapRemembered(ctx context.Context, validator []byte, r *store.Remembered) error {
	f, err := rememberedFields(r)
	if err != nil {
		return err
	}
	args := append(append([]any{r.ID, validator}, f...), r.Validator)
	return s.do(ctx, "swap a remembered browser", s.scripts.swapRemembered, "remembered:"+r.ID, args...)
}

// UserRemembered implements [store.Rememberer].
func (s *Store) UserRemembered(ctx context.Context, userID string) ([]store.Remembered, error) {
	return s.allRemembered(ctx, "list a user's remembered browsers", "user", userID)
}

// SIDRemembered implements [store.Rememberer].
func (s *Store) SIDRemembered(ctx context.Context, provider, sid string) ([]store.Remembered, error) {
	return s.allRemembered(ctx, "find remembered browsers by SID", "sid", sidName(provider, sid))
}

func (s *Store) allRemembered(ctx context.Context, op, list, name string) ([]store.Remembered, error) {
	if name == "" {
		return nil, ctx.Err()
	}
	entries, err := s.list(ctx, op, "remembered", list, name)
	if err != nil {
		return nil, err
	}
	var all []store.Remembered
	for _, e := range entries {
		r, err := e.remembered(e.id)
		if err != nil {
			return nil, err
		}
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b store.Remembered) int {
		return cmp.Or(b.UsedAt.Compare(a.UsedAt), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// DeleteRemembered implements [store.Rememberer].
func (s *Store) DeleteRemembered(ctx context.Context, id string) error {
	return s.do(ctx, "forget a browser", s.scripts.delete, "remembered:"+id, "remembered", id)
}

// DeleteUserRemembered implements [store.Rememberer].
func (s *Store) DeleteUserRemembered(ctx context.Context, userID, except string) error {
	if userID == "" {
		return ctx.Err()
	}
	return s.do(ctx, "forget a user's browsers", s.scripts.deleteUser, "remembered-user:"+userID, "remembered", except)
}
