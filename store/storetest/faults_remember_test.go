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

// met makes s remember browsers as they were when they were first stored.
func (s *faulty) met() *kept[store.Remembered] {
	browsers := new(kept[store.Remembered])
	s.createRemembered = func(ctx context.Context, r *store.Remembered) error {
		err := s.Store.CreateRemembered(ctx, r)
		if err == nil {
			browsers.add(*r)
		}
		return err
	}
	return browsers
}

func past(r store.Remembered) bool { return r.ExpiresAt.Before(time.Now()) }

func rememberFaults() map[string]func(*faulty) {
	user := func(s *faulty, f func([]store.Remembered) []store.Remembered) {
		s.userRemembered = func(ctx context.Context, id string) ([]store.Remembered, error) {
			list, err := s.Store.UserRemembered(ctx, id)
			return f(list), err
		}
	}
	sid := func(s *faulty, f func(provider, sid string, l []store.Remembered) []store.Remembered) {
		s.sidRemembered = func(ctx context.Context, provider, sid string) ([]store.Remembered, error) {
			list, err := s.Store.SIDRemembered(ctx, provider, sid)
			return f(provider, sid, list), err
		}
	}
	return map[string]func(*faulty){
		"CreateRememberedStores": func(s *faulty) { // a column that has a value of its own
			s.createRemembered = func(ctx context.Context, r *store.Remembered) error {
				c := *r
				if c.UsedAt.IsZero() {
					c.UsedAt = time.Now()
				}
				return s.Store.CreateRemembered(ctx, &c)
			}
		},
		"CreateRememberedExists": func(s *faulty) {
			s.createRemembered = func(ctx context.Context, r *store.Remembered) error {
				err := s.Store.CreateRemembered(ctx, r)
				if errors.Is(err, store.ErrExists) {
					_ = s.Store.DeleteRemembered(ctx, r.ID)
					_ = s.Store.CreateRemembered(ctx, r)
				}
				return err
			}
		},
		"RememberedNotThere": func(s *faulty) {
			s.remembered = func(ctx context.Context, id string) (*store.Remembered, error) {
				r, err := s.Store.Remembered(ctx, id)
				return r, but(err, store.ErrNotFound, id == "%")
			}
		},
		"RememberedExpired": func(s *faulty) {
			browsers := s.met()
			s.remembered = func(ctx context.Context, id string) (*store.Remembered, error) {
				r, err := s.Store.Remembered(ctx, id)
				return instead(r, err, browsers.find(func(c store.Remembered) bool { return c.ID == id && id == "expired" && past(c) }))
			}
		},
		"UserRememberedLatestFirst": func(s *faulty) {
			user(s, func(l []store.Remembered) []store.Remembered { slices.Reverse(l); return l })
		},
		"UserRememberedWhole": func(s *faulty) {
			user(s, func(l []store.Remembered) []store.Remembered {
				for i := range l {
					l[i].Former = bytes.Clone(l[i].Validator)
				}
				return l
			})
		},
		"UserRememberedLive": func(s *faulty) {
			browsers := s.met()
			s.userRemembered = func(ctx context.Context, id string) ([]store.Remembered, error) {
				list, err := s.Store.UserRemembered(ctx, id)
				return append(list, browsers.find(func(c store.Remembered) bool { return c.UserID == id && past(c) })...), err
			}
		},
		"SIDRememberedFinds": func(s *faulty) { // those of one user
			sid(s, func(_, _ string, l []store.Remembered) []store.Remembered {
				return slices.DeleteFunc(l, func(c store.Remembered) bool { return c.UserID != l[0].UserID })
			})
		},
		"SIDRememberedBytes": func(s *faulty) {
			browsers := s.met()
			sid(s, func(provider, sid string, l []store.Remembered) []store.Remembered {
				return append(l, browsers.find(func(c store.Remembered) bool { return sid == "" && c.SID == "" && c.Provider == provider })...)
			})
		},
		"RemembererKeepsFamily": func(s *faulty) {
			s.createSession = func(ctx context.Context, session *store.Session) error {
				c := *session
				if c.ID == "b" {
					c.Family = ""
				}
				return s.Store.CreateSession(ctx, &c)
			}
		},
	}
}

func swapFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"SwapRememberedReplaces": func(s *faulty) { // another user's
			s.swapRemembered = func(ctx context.Context, validator []byte, r *store.Remembered) error {
				old, err := s.Store.Remembered(ctx, r.ID)
				if err != nil || !bytes.Equal(old.Validator, validator) || old.UserID == r.UserID {
					return s.Store.SwapRemembered(ctx, validator, r)
				}
				return errors.Join(s.Store.DeleteRemembered(ctx, r.ID), s.Store.CreateRemembered(ctx, r))
			}
		},
		"SwapRememberedSame": func(s *faulty) { // "no row was changed"
			s.swapRemembered = func(ctx context.Context, validator []byte, r *store.Remembered) error {
				err := s.Store.SwapRemembered(ctx, validator, r)
				if err == nil && bytes.Equal(validator, r.Validator) && r.ID == "b1" {
					return store.ErrExists
				}
				return err
			}
		},
		"SwapRememberedCompares": func(s *faulty) { // also with the one before
			s.swapRemembered = func(ctx context.Context, validator []byte, r *store.Remembered) error {
				if old, err := s.Store.Remembered(ctx, r.ID); err == nil && bytes.Equal(validator, old.Former) {
					validator = old.Validator
				}
				return s.Store.SwapRemembered(ctx, validator, r)
			}
		},
		"SwapRememberedAfterItsEnd": func(s *faulty) { // an upsert
			s.swapRemembered = func(ctx context.Context, validator []byte, r *store.Remembered) error {
				err := s.Store.SwapRemembered(ctx, validator, r)
				if errors.Is(err, store.ErrNotFound) && r.ID == "everywhere" {
					return s.Store.CreateRemembered(ctx, r)
				}
				return err
			}
		},
		"SwapRememberedAtOnce": func(s *faulty) { // looks, and then writes
			s.swapRemembered = func(ctx context.Context, validator []byte, r *store.Remembered) error {
				return but(s.Store.SwapRemembered(ctx, validator, r), store.ErrExists, strings.HasPrefix(r.ID, "once"))
			}
		},
		"SwapRememberedLogout": func(s *faulty) { // whichever comes second does not see the first
			var mu sync.Mutex
			calls := 0
			again := func(ctx context.Context, id string) {
				mu.Lock()
				defer mu.Unlock()
				if calls++; calls%2 == 0 {
					_ = s.Store.CreateRemembered(ctx, browser(&store.User{}, id))
				}
			}
			browsers := s.met()
			s.deleteUserRemembered = func(ctx context.Context, userID, except string) error {
				err := s.Store.DeleteUserRemembered(ctx, userID, except)
				all := browsers.find(func(r store.Remembered) bool { return strings.HasPrefix(r.ID, "logout") })
				if len(all) > 0 {
					again(ctx, all[len(all)-1].ID)
				}
				return err
			}
			s.swapRemembered = func(ctx context.Context, validator []byte, r *store.Remembered) error {
				err := s.Store.SwapRemembered(ctx, validator, r)
				if strings.HasPrefix(r.ID, "logout") {
					again(ctx, r.ID)
				}
				return err
			}
		},
		"RememberedTextsAreNeverCut": func(s *faulty) {
			s.createRemembered = func(ctx context.Context, r *store.Remembered) error {
				c := *r
				c.UserAgent = c.UserAgent[:min(len(c.UserAgent), 255)]
				return s.Store.CreateRemembered(ctx, &c)
			}
		},
		"ReturnedRememberedAreCopies": func(s *faulty) {
			var mu sync.Mutex
			given := map[string][]byte{} // by what they are
			s.remembered = func(ctx context.Context, id string) (*store.Remembered, error) {
				mu.Lock()
				defer mu.Unlock()
				r, err := s.Store.Remembered(ctx, id)
				if err != nil || id != "copy" {
					return r, err
				}
				if shared, ok := given[string(r.Validator)]; ok {
					r.Validator = shared
				} else {
					given[string(r.Validator)] = r.Validator
				}
				return r, nil
			}
		},
	}
}

func forgetFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"DeleteRememberedForgets": func(s *faulty) { // all of the user's
			s.deleteRemembered = func(ctx context.Context, id string) error {
				if r, err := s.Store.Remembered(ctx, id); err == nil && id == "b1" {
					return s.Store.DeleteUserRemembered(ctx, r.UserID, "")
				}
				return s.Store.DeleteRemembered(ctx, id)
			}
		},
		"DeleteRememberedNotThere": func(s *faulty) {
			s.deleteRemembered = func(ctx context.Context, id string) error {
				if _, err := s.Store.Remembered(ctx, id); err != nil {
					return err
				}
				return s.Store.DeleteRemembered(ctx, id)
			}
		},
		"DeleteUserRememberedForgets": func(s *faulty) {
			s.deleteUserRemembered = func(ctx context.Context, id, except string) error {
				return errors.Join(s.Store.DeleteRemembered(ctx, "his"), s.Store.DeleteUserRemembered(ctx, id, except))
			}
		},
		"DeleteUserRememberedExcept": func(s *faulty) {
			s.deleteUserRemembered = func(ctx context.Context, id, _ string) error {
				return s.Store.DeleteUserRemembered(ctx, id, "")
			}
		},
		"DeleteUserForgets": func(s *faulty) { // a table that the deletion forgot
			orphans := new(kept[store.Remembered])
			s.deleteUser = func(ctx context.Context, id string) error {
				list, _ := s.Store.UserRemembered(ctx, id)
				orphans.add(list...)
				return s.Store.DeleteUser(ctx, id)
			}
			s.remembered = func(ctx context.Context, id string) (*store.Remembered, error) {
				r, err := s.Store.Remembered(ctx, id)
				return instead(r, err, orphans.find(func(c store.Remembered) bool { return c.ID == id }))
			}
		},
		"DeleteExpiredRemembered": func(s *faulty) { // sweeps sessions and marks only
			browsers := new(kept[store.Remembered])
			s.createRemembered = func(ctx context.Context, r *store.Remembered) error {
				if len(browsers.find(func(c store.Remembered) bool { return c.ID == r.ID && past(c) })) > 0 {
					return store.ErrExists
				}
				err := s.Store.CreateRemembered(ctx, r)
				if err == nil {
					browsers.add(*r)
				}
				return err
			}
		},
	}
}
