package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
)

func sessionValueFaults() map[string]func(*faulty) {
	swap := func(s *faulty, f func(ctx context.Context, id string, old, values []byte, err error) error) {
		s.swapSessionValues = func(ctx context.Context, id string, old, values []byte) error {
			return f(ctx, id, old, values, s.Store.SwapSessionValues(ctx, id, old, values))
		}
	}
	return map[string]func(*faulty){
		"SessionValuesWhole": func(s *faulty) {
			s.sessionValues = func(ctx context.Context, id string) (*store.Session, []byte, error) {
				session, values, err := s.Store.SessionValues(ctx, id)
				if err == nil {
					session.UserAgent = ""
				}
				return session, values, err
			}
		},
		"SessionValuesNotThere": func(s *faulty) {
			s.sessionValues = func(ctx context.Context, id string) (*store.Session, []byte, error) {
				session, values, err := s.Store.SessionValues(ctx, id)
				return session, values, but(err, store.ErrNotFound, id == "%")
			}
		},
		"SwapSessionValuesStores": func(s *faulty) { // a column of a type for texts
			s.swapSessionValues = func(ctx context.Context, id string, old, values []byte) error {
				return s.Store.SwapSessionValues(ctx, id, old, bytes.TrimRight(values, " "))
			}
		},
		"SwapSessionValuesCompares": func(s *faulty) { // a collation
			swap(s, func(ctx context.Context, id string, old, values []byte, err error) error {
				_, now, _ := s.Store.SessionValues(ctx, id)
				if errors.Is(err, store.ErrExists) && len(old) > 0 && bytes.EqualFold(old, now) {
					return s.Store.SwapSessionValues(ctx, id, now, values)
				}
				return err
			})
		},
		"SwapSessionValuesNone": func(s *faulty) { // NULL is not ''
			var mu sync.Mutex
			empty := map[string]bool{}
			s.swapSessionValues = func(ctx context.Context, id string, old, values []byte) error {
				mu.Lock()
				defer mu.Unlock()
				if len(old) == 0 && old == nil && empty[id] {
					return store.ErrExists
				}
				err := s.Store.SwapSessionValues(ctx, id, old, values)
				if err == nil {
					empty[id] = values != nil && len(values) == 0
				}
				return err
			}
		},
		"SwapSessionValuesSame": func(s *faulty) { // "no row was changed"
			swap(s, func(_ context.Context, _ string, old, values []byte, err error) error {
				if err == nil && len(old) > 0 && bytes.Equal(old, values) {
					return store.ErrExists
				}
				return err
			})
		},
		"SwapSessionValuesAfterItsEnd": func(s *faulty) { // an upsert
			sessions := s.begun()
			swap(s, func(ctx context.Context, id string, _, values []byte, err error) error {
				if id != "deleted" && id != "expired" {
					return err
				}
				for _, c := range sessions.find(func(c store.Session) bool { return c.ID == id && errors.Is(err, store.ErrNotFound) }) {
					c.ExpiresAt = time.Now().Add(time.Hour)
					return errors.Join(s.Store.DeleteSession(ctx, id), s.Store.ReplaceSessions(ctx, &c, values, nil))
				}
				return err
			})
		},
		"SwapSessionValuesAtOnce": func(s *faulty) { // the first ones all read nothing, and the last one wins
			var mu sync.Mutex
			read := 0
			s.sessionValues = func(ctx context.Context, id string) (*store.Session, []byte, error) {
				session, values, err := s.Store.SessionValues(ctx, id)
				mu.Lock()
				defer mu.Unlock()
				if id == "counter" {
					read++
				}
				if read == 2 {
					values = nil
				}
				return session, values, err
			}
			swap(s, func(ctx context.Context, id string, old, values []byte, err error) error {
				for errors.Is(err, store.ErrExists) && len(old) == 0 && id == "counter" {
					_, now, _ := s.Store.SessionValues(ctx, id)
					err = s.Store.SwapSessionValues(ctx, id, now, values)
				}
				return err
			})
		},
		"SwapSessionValuesLogout": func(s *faulty) { // whichever comes second does not see the first
			var mu sync.Mutex
			calls := map[string]int{}
			again := func(ctx context.Context, id string) {
				mu.Lock()
				defer mu.Unlock()
				if calls[id]++; calls[id] == 2 && strings.HasPrefix(id, "logout") {
					_ = s.Store.CreateSession(ctx, visit(&store.User{}, id))
				}
			}
			swap(s, func(ctx context.Context, id string, _, _ []byte, err error) error {
				again(ctx, id)
				return err
			})
			s.deleteSession = func(ctx context.Context, id string) error {
				err := s.Store.DeleteSession(ctx, id)
				again(ctx, id)
				return err
			}
		},
		"SwapSessionValuesTooMuch": func(s *faulty) {
			s.swapSessionValues = func(ctx context.Context, id string, old, values []byte) error {
				return s.Store.SwapSessionValues(ctx, id, old, values[:min(len(values), store.MaxValues)])
			}
		},
		"TouchSessionKeepsValues": func(s *faulty) { // writes the whole row
			s.touchSession = func(ctx context.Context, id string, seen, expires time.Time) error {
				err := s.Store.TouchSession(ctx, id, seen, expires)
				if _, values, e := s.Store.SessionValues(ctx, id); e == nil && id == "a" {
					_ = s.Store.SwapSessionValues(ctx, id, values, nil)
				}
				return err
			}
		},
		"SessionValuesEnd": func(s *faulty) { // a table of their own that nobody sweeps
			var orphans sync.Map
			s.deleteUserSessions = func(ctx context.Context, userID, except string) error {
				if _, values, err := s.Store.SessionValues(ctx, "a"); err == nil && len(values) > 0 {
					orphans.Store("a", values)
				}
				return s.Store.DeleteUserSessions(ctx, userID, except)
			}
			s.sessionValues = func(ctx context.Context, id string) (*store.Session, []byte, error) {
				session, values, err := s.Store.SessionValues(ctx, id)
				if left, ok := orphans.Load(id); ok && err == nil && len(values) == 0 {
					values = bytes.Clone(left.([]byte))
				}
				return session, values, err
			}
		},
		"ReturnedValuesAreCopies": func(s *faulty) {
			var mu sync.Mutex
			given := map[string][]byte{} // by what they are
			s.sessionValues = func(ctx context.Context, id string) (*store.Session, []byte, error) {
				mu.Lock()
				defer mu.Unlock()
				session, values, err := s.Store.SessionValues(ctx, id)
				if shared, ok := given[string(values)]; ok {
					return session, shared, err
				}
				given[string(values)] = values
				return session, values, err
			}
		},
	}
}

func visitorFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"VisitorSessionsStay": func(s *faulty) { // a sweep of sessions whose user is gone
			s.deleteExpired = func(ctx context.Context) error {
				return errors.Join(s.Store.DeleteSession(ctx, "v1"), s.Store.DeleteExpired(ctx))
			}
		},
		"VisitorSessionsAreNobodys": func(s *faulty) { // WHERE user_id = ''
			sessions := s.begun()
			s.deleteUserSessions = func(ctx context.Context, userID, except string) error {
				for _, c := range sessions.find(func(c store.Session) bool { return c.UserID == userID && c.ID != except }) {
					if err := s.Store.DeleteSession(ctx, c.ID); err != nil {
						return err
					}
				}
				return s.Store.DeleteUserSessions(ctx, userID, except)
			}
		},
		"RenewSessionKeepsValues": func(s *faulty) { // only from user to user
			s.renewSession = func(ctx context.Context, id string, session *store.Session) error {
				old, err := s.Store.Session(ctx, id)
				if err == nil && old.UserID == "" {
					return s.Store.ReplaceSessions(ctx, session, nil, []string{id})
				}
				return s.Store.RenewSession(ctx, id, session)
			}
		},
		"ReplaceSessionsValues": func(s *faulty) {
			s.replaceSessions = func(ctx context.Context, session *store.Session, values []byte, over []string) error {
				if session.UserID == "" {
					values = nil
				}
				return s.Store.ReplaceSessions(ctx, session, values, over)
			}
		},
	}
}

func sidFaults() map[string]func(*faulty) {
	list := func(s *faulty, f func(provider, sid string, l []store.Session) []store.Session) {
		s.sidSessions = func(ctx context.Context, provider, sid string) ([]store.Session, error) {
			list, err := s.Store.SIDSessions(ctx, provider, sid)
			return f(provider, sid, list), err
		}
	}
	return map[string]func(*faulty){
		"SIDSessionsFinds": func(s *faulty) { // those of one user
			list(s, func(_, _ string, l []store.Session) []store.Session {
				return slices.DeleteFunc(l, func(c store.Session) bool { return c.UserID != l[0].UserID })
			})
		},
		"SIDSessionsLive": func(s *faulty) {
			sessions := s.begun()
			list(s, func(provider, sid string, l []store.Session) []store.Session {
				return append(l, sessions.find(func(c store.Session) bool { return over(c) && c.SID == sid && c.Provider == provider })...)
			})
		},
		"SIDSessionsBytes": func(s *faulty) { // one text of both
			sessions := s.begun()
			list(s, func(provider, sid string, l []store.Session) []store.Session {
				return append(l, sessions.find(func(c store.Session) bool {
					return c.Provider != provider && c.Provider+c.SID == provider+sid
				})...)
			})
		},
		"SIDSessionsEmpty": func(s *faulty) {
			sessions := s.begun()
			list(s, func(provider, sid string, l []store.Session) []store.Session {
				return append(l, sessions.find(func(c store.Session) bool { return sid == "" && c.SID == "" && c.Provider == provider })...)
			})
		},
		"SIDSessionsAfterRenewal": func(s *faulty) { // an index that only CreateSession writes
			list(s, func(_, _ string, l []store.Session) []store.Session {
				return slices.DeleteFunc(l, func(c store.Session) bool { return c.SID == "two" && c.ID == "b" })
			})
		},
		"SIDFinderKeepsIssuer": func(s *faulty) { // of the first one only
			s.createSession = func(ctx context.Context, session *store.Session) error {
				c := *session
				if c.ID == "b" && c.SID == "sid-b" {
					c.Issuer = ""
				}
				return s.Store.CreateSession(ctx, &c)
			}
		},
	}
}

func markedFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"MarkedTells": func(s *faulty) {
			s.marked = func(ctx context.Context, ids ...string) error {
				return but(s.Store.Marked(ctx, ids...), store.ErrNotFound, slices.Contains(ids, "m:%"))
			}
		},
		"MarkedOneOf": func(s *faulty) { // only so many are looked for
			s.marked = func(ctx context.Context, ids ...string) error { return s.Store.Marked(ctx, ids[:min(len(ids), 8)]...) }
		},
		"MarkedOver": func(s *faulty) {
			s.marked = func(ctx context.Context, ids ...string) error {
				return but(s.Store.Marked(ctx, ids...), store.ErrNotFound, slices.Contains(ids, "m:over"))
			}
		},
		"MarkedMarksNothing": func(s *faulty) { // Mark, turned round
			s.marked = func(ctx context.Context, ids ...string) error {
				err := s.Store.Marked(ctx, ids...)
				if errors.Is(err, store.ErrNotFound) && slices.Contains(ids, "m:late") {
					_ = s.Store.Mark(ctx, "m:late", time.Now().Add(time.Hour))
				}
				return err
			}
		},
	}
}
