// Package memstore keeps users, accounts, tokens and sessions in memory, for
// tests and for programs that may forget everyone when they end.
//
// It is the reference for what package
// [github.com/gatepass/gatepass/store] asks of a store.
package memstore

import (
	"context"
	"errors"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A Store keeps everything in memory. Make one with [New].
//
// Reads take no lock that all requests share. Writes happen one after the
// other, and a transaction holds up other writes until it ends, but no reads.
type Store struct {
	// Now is the store's clock, for expiry and leases. It is time.Now if nil.
	// Set it before the store is used.
	Now func() time.Time

	db *database
	tx *transaction // nil outside Transact
}

var (
	_ store.Store             = (*Store)(nil)
	_ store.SessionUserFinder = (*Store)(nil)
	_ store.Transactor        = (*Store)(nil)
	_ store.LoginKeeper       = (*Store)(nil)
	_ store.LoginFinisher     = (*Store)(nil)
	_ store.SessionReplacer   = (*Store)(nil)
	_ store.SessionCounter    = (*Store)(nil)
	_ store.SessionValuer     = (*Store)(nil)
	_ store.SIDFinder         = (*Store)(nil)
	_ store.MarkFinder        = (*Store)(nil)
	_ store.Rememberer        = (*Store)(nil)
	_ store.Watcher           = (*Store)(nil)
)

// New returns an empty Store.
func New() *Store {
	return &Store{db: newDatabase()}
}

// errDone is what a transaction's Store says after Transact has returned.
var errDone = errors.New("memstore: transaction has ended")

// Transact runs f with a Store whose writes all happen when f returns nil, and
// not at all if it fails, panics, or ctx is done by then. Nobody else sees them
// before.
func (s *Store) Transact(ctx context.Context, f func(store.Store) error) error {
	if s.tx != nil {
		return s.nest(ctx, f)
	}
	return s.alone(ctx, func(tx *transaction) error {
		defer tx.end()
		if err := f(&Store{Now: s.Now, db: s.db, tx: tx}); err != nil {
			return err
		}
		return ctx.Err()
	})
}

// alone runs f while nobody else writes, commits what it wrote if it returns
// nil, and tells watchers once others may write again.
func (s *Store) alone(ctx context.Context, f func(*transaction) error) error {
	changes, err := func() ([]store.Change, error) {
		if err := s.db.lock(ctx); err != nil {
			return nil, err
		}
		defer s.db.unlock()
		tx := newTransaction(s.db)
		if err := f(tx); err != nil {
			return nil, err
		}
		tx.commit()
		return tx.changes, nil
	}()
	s.db.watchers.tell(changes)
	return err
}

// nest runs f within a transaction, and takes back f's writes alone if it fails.
func (s *Store) nest(ctx context.Context, f func(store.Store) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	before := s.tx.save()
	s.leave()
	ok := false
	defer func() {
		if ok {
			return
		}
		s.tx.mu.Lock()
		defer s.tx.mu.Unlock()
		if !s.tx.done { // or it is being committed, without the lock
			s.tx.restore(before)
		}
	}()
	if err := f(s); err != nil {
		return err
	}
	ok = true
	return nil
}

// enter begins a read, which leave ends if enter returns nil. Outside a
// transaction it locks nothing.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil || s.tx == nil {
		return err
	}
	s.tx.mu.Lock()
	if s.tx.done {
		s.tx.mu.Unlock()
		return errDone
	}
	return nil
}

func (s *Store) leave() {
	if s.tx != nil {
		s.tx.mu.Unlock()
	}
}

// write runs f alone. F looks at everything before it changes anything, so that
// one that fails has changed nothing.
func (s *Store) write(ctx context.Context, f func(*transaction) error) error {
	if s.tx != nil {
		if err := s.enter(ctx); err != nil {
			return err
		}
		defer s.leave()
		return f(s.tx)
	}
	return s.alone(ctx, f)
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return utc(s.Now())
	}
	return utc(time.Now())
}

// utc drops the place and the monotonic reading, as a database would.
func utc(t time.Time) time.Time { return t.Round(0).UTC() }

func (s *Store) users() rows[string, store.User] {
	if s.tx != nil {
		return &s.tx.users
	}
	return s.db.users
}

func (s *Store) accounts() rows[store.Key, account] {
	if s.tx != nil {
		return &s.tx.accounts
	}
	return s.db.accounts
}

func (s *Store) sessions() rows[string, session] {
	if s.tx != nil {
		return &s.tx.sessions
	}
	return s.db.sessions
}

func (s *Store) remembered() rows[string, store.Remembered] {
	if s.tx != nil {
		return &s.tx.remembered
	}
	return s.db.remembered
}

func (s *Store) marks() rows[string, time.Time] {
	if s.tx != nil {
		return &s.tx.marks
	}
	return s.db.marks
}
