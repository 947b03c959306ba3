package storetest

import (
	"context"
	"errors"

	"github.com/gatepass/gatepass/store"
)

func countFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"CreateCountedStores": func(s *faulty) { // an insertion of its own that leaves out a column
			s.createCounted = func(ctx context.Context, session *store.Session) (int, error) {
				c := *session
				c.UserAgent = ""
				return s.Store.CreateCounted(ctx, &c)
			}
		},
		"CreateCountedCounts": func(s *faulty) { // those as well that are over and not swept away yet
			sessions := s.begun()
			s.createCounted = func(ctx context.Context, session *store.Session) (int, error) {
				n, err := s.Store.CreateCounted(ctx, session)
				if err == nil {
					n += len(sessions.find(func(c store.Session) bool { return c.UserID == session.UserID && over(c) }))
				}
				return n, err
			}
		},
		"CreateCountedExists": func(s *faulty) {
			s.createCounted = func(ctx context.Context, session *store.Session) (int, error) {
				n, err := s.Store.CreateCounted(ctx, session)
				if errors.Is(err, store.ErrExists) && session.ID == "taken" {
					_ = s.Store.DeleteSession(ctx, session.ID)
					_ = s.Store.CreateSession(ctx, session)
				}
				return n, err
			}
		},
		"CreateCountedAtOnce": func(s *faulty) { // looks, and then writes
			s.createCounted = func(ctx context.Context, session *store.Session) (int, error) {
				n, err := s.Store.CreateCounted(ctx, session)
				if errors.Is(err, store.ErrExists) && session.ID == "fresh" {
					return 1, nil
				}
				return n, err
			}
		},
		"TransactCounts": func(s *faulty) { // what others see
			inTransactions(s, func(tx *outer, _ func(func())) {
				tx.createCounted = func(ctx context.Context, session *store.Session) (int, error) {
					if _, err := tx.Store.CreateCounted(ctx, session); err != nil {
						return 0, err
					}
					list, err := s.Store.UserSessions(ctx, session.UserID)
					return len(list) + 1, err
				}
			})
		},
	}
}
