package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
)

// begun makes s remember sessions as they began.
func (s *faulty) begun() *kept[store.Session] {
	sessions := new(kept[store.Session])
	s.createSession = func(ctx context.Context, session *store.Session) error {
		err := s.Store.CreateSession(ctx, session)
		if err == nil {
			sessions.add(*session)
		}
		return err
	}
	return sessions
}

func over(s store.Session) bool { return s.ExpiresAt.Before(time.Now()) }

func sessionFaults() map[string]func(*faulty) {
	list := func(s *faulty, f func([]store.Session) []store.Session) {
		s.userSessions = func(ctx context.Context, id string) ([]store.Session, error) {
			list, err := s.Store.UserSessions(ctx, id)
			return f(list), err
		}
	}
	return map[string]func(*faulty){
		"CreateSessionStores": func(s *faulty) {
			s.createSession = func(ctx context.Context, session *store.Session) error {
				c := *session
				if c.AuthTime.IsZero() {
					c.AuthTime = time.Now()
				}
				return s.Store.CreateSession(ctx, &c)
			}
		},
		"CreateSessionExists": func(s *faulty) {
			s.createSession = func(ctx context.Context, session *store.Session) error {
				err := s.Store.CreateSession(ctx, session)
				if errors.Is(err, store.ErrExists) {
					_ = s.Store.DeleteSession(ctx, session.ID)
					_ = s.Store.CreateSession(ctx, session)
				}
				return err
			}
		},
		"SessionNotThere": func(s *faulty) {
			s.session = func(ctx context.Context, id string) (*store.Session, error) {
				if id == "%" {
					return nil, nil
				}
				return s.Store.Session(ctx, id)
			}
		},
		"SessionExpired": func(s *faulty) {
			sessions := s.begun()
			s.session = func(ctx context.Context, id string) (*store.Session, error) {
				session, err := s.Store.Session(ctx, id)
				return instead(session, err, sessions.find(func(c store.Session) bool { return c.ID == id && id == "s1" && over(c) }))
			}
		},
		"UserSessionsLatestFirst": func(s *faulty) {
			list(s, func(l []store.Session) []store.Session { slices.Reverse(l); return l })
		},
		"UserSessionsWhole": func(s *faulty) {
			list(s, func(l []store.Session) []store.Session {
				for i := range l {
					l[i].UserAgent = ""
				}
				return l
			})
		},
		"UserSessionsLive": func(s *faulty) {
			sessions := s.begun()
			list(s, func(l []store.Session) []store.Session { return append(l, sessions.find(over)...) })
		},
		"UserSessionsEmpty": func(s *faulty) {
			s.userSessions = func(ctx context.Context, id string) ([]store.Session, error) {
				if id == "nobody" {
					return nil, store.ErrNotFound
				}
				return s.Store.UserSessions(ctx, id)
			}
		},
		"TouchSessionMoves": func(s *faulty) {
			s.touchSession = func(ctx context.Context, id string, seen, _ time.Time) error {
				return s.Store.TouchSession(ctx, id, seen, seen)
			}
		},
		"TouchSessionNeverBackwards": func(s *faulty) {
			s.touchSession = func(ctx context.Context, id string, seen, expires time.Time) error {
				session, values, err := s.Store.SessionValues(ctx, id)
				if err != nil {
					return err
				}
				session.SeenAt, session.ExpiresAt = seen, expires
				return errors.Join(s.Store.DeleteSession(ctx, id), s.Store.ReplaceSessions(ctx, session, values, nil))
			}
		},
		"TouchSessionNotThere": func(s *faulty) {
			s.touchSession = func(ctx context.Context, id string, seen, expires time.Time) error {
				return but(s.Store.TouchSession(ctx, id, seen, expires), store.ErrNotFound, id == "s1")
			}
		},
		"TouchSessionAfterItsEnd": func(s *faulty) {
			sessions := s.begun()
			s.touchSession = func(ctx context.Context, id string, seen, expires time.Time) error {
				err := s.Store.TouchSession(ctx, id, seen, expires)
				for _, c := range sessions.find(func(c store.Session) bool { return c.ID == id && errors.Is(err, store.ErrNotFound) }) {
					c.SeenAt, c.ExpiresAt = seen, expires
					return errors.Join(s.Store.DeleteSession(ctx, id), s.Store.CreateSession(ctx, &c))
				}
				return err
			}
		},
		"DeleteSessionEnds": func(s *faulty) {
			s.deleteSession = func(ctx context.Context, id string) error {
				if id == "s1" {
					_ = s.Store.DeleteSession(ctx, "s2")
				}
				return s.Store.DeleteSession(ctx, id)
			}
		},
		"DeleteSessionNotThere": func(s *faulty) {
			s.deleteSession = func(ctx context.Context, id string) error {
				if _, err := s.Store.Session(ctx, id); err != nil {
					return err
				}
				return s.Store.DeleteSession(ctx, id)
			}
		},
		"DeleteUserSessionsEnds": func(s *faulty) {
			s.deleteUserSessions = func(ctx context.Context, id, except string) error {
				return errors.Join(s.Store.DeleteSession(ctx, "other"), s.Store.DeleteUserSessions(ctx, id, except))
			}
		},
		"DeleteUserSessionsExcept": func(s *faulty) {
			s.deleteUserSessions = func(ctx context.Context, id, _ string) error {
				return s.Store.DeleteUserSessions(ctx, id, "")
			}
		},
	}
}

func markFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"MarkOnce": func(s *faulty) { // an upsert
			var marks sync.Map
			s.mark = func(ctx context.Context, id string, until time.Time) error {
				err := s.Store.Mark(ctx, id, until)
				if err == nil {
					marks.Store(id, until)
				}
				before, ok := marks.Load(id)
				return but(err, store.ErrExists, ok && until.After(before.(time.Time).Add(time.Minute)))
			}
		},
		"MarkAtOnce": func(s *faulty) {
			s.mark = func(ctx context.Context, id string, until time.Time) error {
				return but(s.Store.Mark(ctx, id, until), store.ErrExists, id == "f:3")
			}
		},
		"MarkOver": func(s *faulty) {
			var marks sync.Map
			s.mark = func(ctx context.Context, id string, until time.Time) error {
				err := s.Store.Mark(ctx, id, until)
				if err == nil {
					if _, there := marks.LoadOrStore(id, true); there {
						err = store.ErrExists
					}
				}
				return err
			}
		},
		"DeleteExpiredSessions": func(s *faulty) { // sweeps marks only
			sessions := new(kept[store.Session])
			s.createSession = func(ctx context.Context, session *store.Session) error {
				if len(sessions.find(func(c store.Session) bool { return c.ID == session.ID && over(c) })) > 0 {
					return store.ErrExists
				}
				err := s.Store.CreateSession(ctx, session)
				if err == nil {
					sessions.add(*session)
				}
				return err
			}
		},
		"DeleteExpiredKeepsLive": func(s *faulty) {
			s.deleteExpired = func(ctx context.Context) error {
				return errors.Join(s.Store.DeleteSession(ctx, "s1"), s.Store.DeleteExpired(ctx))
			}
		},
	}
}

func valueFaults() map[string]func(*faulty) {
	names := func(s *faulty, f func(string) string) {
		s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
			before := u.Name
			u.Name = f(u.Name)
			err := s.Store.CreateUser(ctx, u, a)
			u.Name = before
			return err
		}
	}
	created := func(s *faulty, f func(time.Time) time.Time) {
		s.user = func(ctx context.Context, id string) (*store.User, error) {
			u, err := s.Store.User(ctx, id)
			if err == nil {
				u.CreatedAt = f(u.CreatedAt)
			}
			return u, err
		}
	}
	return map[string]func(*faulty){
		"TimesAreUTC": func(s *faulty) {
			created(s, func(t time.Time) time.Time { return t.In(time.FixedZone("Vienna", 3600)) })
		},
		"TimesToTheMillisecond": func(s *faulty) {
			created(s, func(t time.Time) time.Time { return t.Round(time.Millisecond) })
		},
		"TextsStayWhole":   func(s *faulty) { names(s, func(s string) string { return strings.TrimRight(s, " ") }) },
		"TextsAreNeverCut": func(s *faulty) { names(s, func(s string) string { return s[:min(len(s), 1024)] }) },
		"SubjectsAreNeverCut": func(s *faulty) {
			s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
				c := *a
				c.Subject = c.Subject[:min(len(c.Subject), 255)]
				err := s.Store.CreateUser(ctx, u, &c)
				a.UserID, a.CreatedAt, a.UpdatedAt = c.UserID, c.CreatedAt, c.UpdatedAt
				return err
			}
		},
		"ProfilesAreLarge": func(s *faulty) { // a column of a JSON type
			s.createUser = func(ctx context.Context, u *store.User, a *store.Account) error {
				before := a.Profile
				var b bytes.Buffer
				if json.Compact(&b, a.Profile) == nil {
					a.Profile = b.Bytes()
				}
				err := s.Store.CreateUser(ctx, u, a)
				a.Profile = before
				return err
			}
		},
		"ReturnedUsersAreCopies":    func(s *faulty) { s.user = sharing(s.Store.User) },
		"ReturnedAccountsAreCopies": func(s *faulty) { s.account = sharing(s.Store.Account) },
		"ReturnedTokensAreCopies":   func(s *faulty) { s.token = sharing(s.Store.Token) },
		"ReturnedSessionsAreCopies": func(s *faulty) { s.session = sharing(s.Store.Session) },
	}
}

// sharing is a lookup that returns the same record until it changes.
func sharing[K comparable, V any](get func(context.Context, K) (*V, error)) func(context.Context, K) (*V, error) {
	type entry struct{ given, was *V }
	var mu sync.Mutex
	cache := map[K]entry{}
	return func(ctx context.Context, k K) (*V, error) {
		mu.Lock()
		defer mu.Unlock()
		now, err := get(ctx, k)
		if err != nil {
			return nil, err
		}
		if e, ok := cache[k]; ok && reflect.DeepEqual(e.was, now) {
			return e.given, nil
		}
		given, err := get(ctx, k)
		cache[k] = entry{given: given, was: now}
		return given, err
	}
}
