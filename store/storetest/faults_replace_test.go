package storetest

import (
	"context"
	"errors"
	"strings"

	"github.com/gatepass/gatepass/store"
)

func replaceFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"ReplaceSessionsStores": func(s *faulty) { // ends those of the same user only
			s.replaceSessions = func(ctx context.Context, session *store.Session, values []byte, over []string) error {
				var own []string
				for _, id := range over {
					if old, err := s.Store.Session(ctx, id); err == nil && old.UserID == session.UserID {
						own = append(own, id)
					}
				}
				return s.Store.ReplaceSessions(ctx, session, values, own)
			}
		},
		"ReplaceSessionsNotThere": func(s *faulty) {
			s.replaceSessions = func(ctx context.Context, session *store.Session, values []byte, over []string) error {
				for _, id := range over {
					if _, err := s.Store.Session(ctx, id); err != nil {
						return err
					}
				}
				return s.Store.ReplaceSessions(ctx, session, values, over)
			}
		},
		"ReplaceSessionsExists": func(s *faulty) { // one after the other
			s.replaceSessions = func(ctx context.Context, session *store.Session, values []byte, over []string) error {
				err := s.Store.ReplaceSessions(ctx, session, values, over)
				if errors.Is(err, store.ErrExists) && session.ID == "taken" {
					_ = s.Store.DeleteSession(ctx, over[0])
				}
				return err
			}
		},
		"ReplaceSessionsAtOnce": func(s *faulty) {
			s.replaceSessions = func(ctx context.Context, session *store.Session, values []byte, over []string) error {
				err := s.Store.ReplaceSessions(ctx, session, values, over)
				if errors.Is(err, store.ErrExists) && len(over) == 1 && len(over[0]) == len("old0") {
					return errors.Join(s.Store.DeleteSession(ctx, over[0]), err)
				}
				return err
			}
		},
		"ReplaceSessionsKeeps": func(s *faulty) { // a query that leaves out a column
			s.userSessions = func(ctx context.Context, id string) ([]store.Session, error) {
				list, err := s.Store.UserSessions(ctx, id)
				for i := range list {
					if list[i].ID == "renewed" {
						list[i].Family = ""
					}
				}
				return list, err
			}
		},
	}
}

func renewFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"RenewSessionReplaces": func(s *faulty) { // moves the ID alone
			s.renewSession = func(ctx context.Context, id string, session *store.Session) error {
				c := *session
				if old, err := s.Store.Session(ctx, id); err == nil {
					c.UserAgent = old.UserAgent
				}
				return s.Store.RenewSession(ctx, id, &c)
			}
		},
		"RenewSessionUser": func(s *faulty) { // moves all but whose it is
			s.renewSession = func(ctx context.Context, id string, session *store.Session) error {
				c := *session
				if old, err := s.Store.Session(ctx, id); err == nil && old.UserID != "" {
					c.UserID = old.UserID
				}
				return s.Store.RenewSession(ctx, id, &c)
			}
		},
		"RenewSessionAfterItsEnd": func(s *faulty) { // forgets to look at the time
			sessions := s.begun()
			s.renewSession = func(ctx context.Context, id string, session *store.Session) error {
				err := s.Store.RenewSession(ctx, id, session)
				for range sessions.find(func(c store.Session) bool { return c.ID == id && over(c) && err != nil }) {
					return s.Store.CreateSession(ctx, session)
				}
				return err
			}
		},
		"RenewSessionExists": func(s *faulty) { // one after the other
			s.renewSession = func(ctx context.Context, id string, session *store.Session) error {
				err := s.Store.RenewSession(ctx, id, session)
				if errors.Is(err, store.ErrExists) {
					_ = s.Store.DeleteSession(ctx, id)
				}
				return err
			}
		},
		"RenewSessionAtOnce": func(s *faulty) { // looks, and then writes
			s.renewSession = func(ctx context.Context, id string, session *store.Session) error {
				err := s.Store.RenewSession(ctx, id, session)
				if errors.Is(err, store.ErrNotFound) && strings.HasPrefix(id, "old") && strings.HasPrefix(session.ID, "fresh") {
					return s.Store.CreateSession(ctx, session)
				}
				return err
			}
		},
		"RenewSessionLogout": func(s *faulty) { // whoever renews and whoever deletes do not see what the other writes
			fresh := func(id string) bool { return strings.HasPrefix(id, "anew") }
			s.renewSession = func(ctx context.Context, id string, session *store.Session) error {
				if !fresh(session.ID) {
					return s.Store.RenewSession(ctx, id, session)
				}
				return errors.Join(s.Store.CreateSession(ctx, session), s.Store.DeleteSession(ctx, id))
			}
			s.deleteUserSessions = func(ctx context.Context, userID, except string) error {
				list, _ := s.Store.UserSessions(ctx, userID)
				for _, c := range list {
					if fresh(c.ID) {
						return s.Store.DeleteUserSessions(ctx, userID, c.ID)
					}
				}
				return s.Store.DeleteUserSessions(ctx, userID, except)
			}
		},
	}
}
