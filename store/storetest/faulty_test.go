package storetest

import (
	"context"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A faulty store is a memstore with methods of which some are replaced.
type faulty struct {
	*memstore.Store
	able

	user               func(ctx context.Context, id string) (*store.User, error)
	updateUser         func(ctx context.Context, u *store.User) error
	userByEmail        func(ctx context.Context, email string) (*store.User, error)
	deleteUser         func(ctx context.Context, id string) error
	account            func(ctx context.Context, k store.Key) (*store.Account, error)
	userAccounts       func(ctx context.Context, userID string) ([]store.Account, error)
	createUser         func(ctx context.Context, u *store.User, a *store.Account) error
	addAccount         func(ctx context.Context, a *store.Account) error
	updateAccount      func(ctx context.Context, a *store.Account) error
	removeAccount      func(ctx context.Context, k store.Key, usable []string) error
	token              func(ctx context.Context, k store.Key) (*store.Token, error)
	putToken           func(ctx context.Context, k store.Key, t *store.Token) error
	swapToken          func(ctx context.Context, k store.Key, old []byte, t *store.Token) error
	leaseToken         func(ctx context.Context, k store.Key, d time.Duration) (*store.Token, error)
	deleteToken        func(ctx context.Context, k store.Key) error
	createSession      func(ctx context.Context, session *store.Session) error
	session            func(ctx context.Context, id string) (*store.Session, error)
	userSessions       func(ctx context.Context, userID string) ([]store.Session, error)
	touchSession       func(ctx context.Context, id string, seen, expires time.Time) error
	deleteSession      func(ctx context.Context, id string) error
	deleteUserSessions func(ctx context.Context, userID, except string) error
	mark               func(ctx context.Context, id string, until time.Time) error
	deleteExpired      func(ctx context.Context) error
	sessionUser        func(ctx context.Context, id string) (*store.Session, *store.User, error)
	transact           func(ctx context.Context, f func(store.Store) error) error
	listAccounts       func(ctx context.Context, after store.Key, n int) ([]store.Account, error)
}

func newFaulty() *faulty {
	m := memstore.New()
	return &faulty{
		Store:              m,
		able:               ableOf(m),
		user:               m.User,
		updateUser:         m.UpdateUser,
		userByEmail:        m.UserByEmail,
		deleteUser:         m.DeleteUser,
		account:            m.Account,
		userAccounts:       m.UserAccounts,
		createUser:         m.CreateUser,
		addAccount:         m.AddAccount,
		updateAccount:      m.UpdateAccount,
		removeAccount:      m.RemoveAccount,
		token:              m.Token,
		putToken:           m.PutToken,
		swapToken:          m.SwapToken,
		leaseToken:         m.LeaseToken,
		deleteToken:        m.DeleteToken,
		createSession:      m.CreateSession,
		session:            m.Session,
		userSessions:       m.UserSessions,
		touchSession:       m.TouchSession,
		deleteSession:      m.DeleteSession,
		deleteUserSessions: m.DeleteUserSessions,
		mark:               m.Mark,
		deleteExpired:      m.DeleteExpired,
		sessionUser:        m.SessionUser,
		transact:           m.Transact,
		listAccounts:       m.ListAccounts,
	}
}

func (s *faulty) User(ctx context.Context, id string) (*store.User, error) { return s.user(ctx, id) }

func (s *faulty) UpdateUser(ctx context.Context, u *store.User) error { return s.updateUser(ctx, u) }

func (s *faulty) UserByEmail(ctx context.Context, email string) (*store.User, error) {
	return s.userByEmail(ctx, email)
}

func (s *faulty) DeleteUser(ctx context.Context, id string) error { return s.deleteUser(ctx, id) }

func (s *faulty) Account(ctx context.Context, k store.Key) (*store.Account, error) {
	return s.account(ctx, k)
}

func (s *faulty) UserAccounts(ctx context.Context, userID string) ([]store.Account, error) {
	return s.userAccounts(ctx, userID)
}

func (s *faulty) CreateUser(ctx context.Context, u *store.User, a *store.Account) error {
	return s.createUser(ctx, u, a)
}

func (s *faulty) AddAccount(ctx context.Context, a *store.Account) error { return s.addAccount(ctx, a) }

func (s *faulty) UpdateAccount(ctx context.Context, a *store.Account) error {
	return s.updateAccount(ctx, a)
}

func (s *faulty) RemoveAccount(ctx context.Context, k store.Key, usable []string) error {
	return s.removeAccount(ctx, k, usable)
}

func (s *faulty) Token(ctx context.Context, k store.Key) (*store.Token, error) {
	return s.token(ctx, k)
}

func (s *faulty) PutToken(ctx context.Context, k store.Key, t *store.Token) error {
	return s.putToken(ctx, k, t)
}

func (s *faulty) SwapToken(ctx context.Context, k store.Key, old []byte, t *store.Token) error {
	return s.swapToken(ctx, k, old, t)
}

func (s *faulty) LeaseToken(ctx context.Context, k store.Key, d time.Duration) (*store.Token, error) {
	return s.leaseToken(ctx, k, d)
}

func (s *faulty) DeleteToken(ctx context.Context, k store.Key) error { return s.deleteToken(ctx, k) }

func (s *faulty) CreateSession(ctx context.Context, session *store.Session) error {
	return s.createSession(ctx, session)
}

func (s *faulty) Session(ctx context.Context, id string) (*store.Session, error) {
	return s.session(ctx, id)
}

func (s *faulty) UserSessions(ctx context.Context, userID string) ([]store.Session, error) {
	return s.userSessions(ctx, userID)
}

func (s *faulty) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	return s.touchSession(ctx, id, seen, expires)
}

func (s *faulty) DeleteSession(ctx context.Context, id string) error { return s.deleteSession(ctx, id) }

func (s *faulty) DeleteUserSessions(ctx context.Context, userID, except string) error {
	return s.deleteUserSessions(ctx, userID, except)
}

func (s *faulty) Mark(ctx context.Context, id string, until time.Time) error {
	return s.mark(ctx, id, until)
}

func (s *faulty) DeleteExpired(ctx context.Context) error { return s.deleteExpired(ctx) }

func (s *faulty) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	return s.sessionUser(ctx, id)
}

func (s *faulty) Transact(ctx context.Context, f func(store.Store) error) error {
	return s.transact(ctx, f)
}

func (s *faulty) ListAccounts(ctx context.Context, after store.Key, n int) ([]store.Account, error) {
	return s.listAccounts(ctx, after, n)
}
