package storetest

import (
	"context"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// able is what a faulty store does beyond what every store must.
type able struct {
	accountUser          func(ctx context.Context, k store.Key) (*store.Account, *store.User, *store.Token, error)
	updateAccountToken   func(ctx context.Context, a *store.Account, old, t *store.Token) error
	finishLogin          func(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error)
	replaceSessions      func(ctx context.Context, session *store.Session, values []byte, over []string) error
	renewSession         func(ctx context.Context, id string, session *store.Session) error
	createCounted        func(ctx context.Context, session *store.Session) (int, error)
	sessionValues        func(ctx context.Context, id string) (*store.Session, []byte, error)
	swapSessionValues    func(ctx context.Context, id string, old, values []byte) error
	sidSessions          func(ctx context.Context, provider, sid string) ([]store.Session, error)
	marked               func(ctx context.Context, ids ...string) error
	createRemembered     func(ctx context.Context, r *store.Remembered) error
	remembered           func(ctx context.Context, id string) (*store.Remembered, error)
	swapRemembered       func(ctx context.Context, validator []byte, r *store.Remembered) error
	userRemembered       func(ctx context.Context, userID string) ([]store.Remembered, error)
	sidRemembered        func(ctx context.Context, provider, sid string) ([]store.Remembered, error)
	deleteRemembered     func(ctx context.Context, id string) error
	deleteUserRemembered func(ctx context.Context, userID, except string) error
	watch                func(f func(store.Change)) (stop func())
}

func ableOf(m *memstore.Store) able {
	return able{
		accountUser:          m.AccountUser,
		updateAccountToken:   m.UpdateAccountToken,
		finishLogin:          m.FinishLogin,
		replaceSessions:      m.ReplaceSessions,
		renewSession:         m.RenewSession,
		createCounted:        m.CreateCounted,
		sessionValues:        m.SessionValues,
		swapSessionValues:    m.SwapSessionValues,
		sidSessions:          m.SIDSessions,
		marked:               m.Marked,
		createRemembered:     m.CreateRemembered,
		remembered:           m.Remembered,
		swapRemembered:       m.SwapRemembered,
		userRemembered:       m.UserRemembered,
		sidRemembered:        m.SIDRemembered,
		deleteRemembered:     m.DeleteRemembered,
		deleteUserRemembered: m.DeleteUserRemembered,
		watch:                m.Watch,
	}
}

func (s *faulty) AccountUser(ctx context.Context, k store.Key) (*store.Account, *store.User, *store.Token, error) {
	return s.accountUser(ctx, k)
}

func (s *faulty) UpdateAccountToken(ctx context.Context, a *store.Account, old, t *store.Token) error {
	return s.updateAccountToken(ctx, a, old, t)
}

func (s *faulty) FinishLogin(ctx context.Context, a *store.Account, old, t *store.Token, session *store.Session) (int, error) {
	return s.finishLogin(ctx, a, old, t, session)
}

func (s *faulty) ReplaceSessions(ctx context.Context, session *store.Session, values []byte, over []string) error {
	return s.replaceSessions(ctx, session, values, over)
}

func (s *faulty) RenewSession(ctx context.Context, id string, session *store.Session) error {
	return s.renewSession(ctx, id, session)
}

func (s *faulty) CreateCounted(ctx context.Context, session *store.Session) (int, error) {
	return s.createCounted(ctx, session)
}

func (s *faulty) SessionValues(ctx context.Context, id string) (*store.Session, []byte, error) {
	return s.sessionValues(ctx, id)
}

func (s *faulty) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	return s.swapSessionValues(ctx, id, old, values)
}

func (s *faulty) SIDSessions(ctx context.Context, provider, sid string) ([]store.Session, error) {
	return s.sidSessions(ctx, provider, sid)
}

func (s *faulty) Marked(ctx context.Context, ids ...string) error { return s.marked(ctx, ids...) }

func (s *faulty) CreateRemembered(ctx context.Context, r *store.Remembered) error {
	return s.createRemembered(ctx, r)
}

func (s *faulty) Remembered(ctx context.Context, id string) (*store.Remembered, error) {
	return s.remembered(ctx, id)
}

func (s *faulty) SwapRemembered(ctx context.Context, validator []byte, r *store.Remembered) error {
	return s.swapRemembered(ctx, validator, r)
}

func (s *faulty) UserRemembered(ctx context.Context, userID string) ([]store.Remembered, error) {
	return s.userRemembered(ctx, userID)
}

func (s *faulty) SIDRemembered(ctx context.Context, provider, sid string) ([]store.Remembered, error) {
	return s.sidRemembered(ctx, provider, sid)
}

func (s *faulty) DeleteRemembered(ctx context.Context, id string) error {
	return s.deleteRemembered(ctx, id)
}

func (s *faulty) DeleteUserRemembered(ctx context.Context, userID, except string) error {
	return s.deleteUserRemembered(ctx, userID, except)
}

func (s *faulty) Watch(f func(store.Change)) (stop func()) { return s.watch(f) }
