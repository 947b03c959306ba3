package memstore

import (
	"context"

	"github.com/gatepass/gatepass/store"
)

// SIDSessions implements [store.SIDFinder].
func (s *Store) SIDSessions(ctx context.Context, provider, sid string) ([]store.Session, error) {
	return s.list(ctx, ofSID(provider, sid))
}

// Marked implements [store.MarkFinder].
func (s *Store) Marked(ctx context.Context, ids ...string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	now := s.now()
	for _, id := range ids {
		if until := s.marks().get(id); until != nil && until.After(now) {
			return nil
		}
	}
	return store.ErrNotFound
}
