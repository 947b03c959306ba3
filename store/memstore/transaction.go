package memstore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A database is what all Stores of one New share.
type database struct {
	writer     chan struct{} // holds a value while someone writes
	users      *table[string, store.User]
	accounts   *table[store.Key, account]
	sessions   *table[string, session]
	remembered *table[string, store.Remembered]
	marks      *table[string, time.Time]
	watchers   watchers
}

// An account is an account with its token, if it has one.
type account struct {
	store.Account
	token *store.Token
	lease time.Time // over once this has passed
}

// A session is a session with the app's values.
type session struct {
	store.Session
	values []byte
}

func newDatabase() *database {
	return &database{
		writer: make(chan struct{}, 1),
		users: newTable[string](func(u *store.User) groups {
			if !u.EmailVerified {
				return groups{}
			}
			return groups{ofEmail(u.Email)}
		}),
		accounts: newTable[store.Key](func(a *account) groups { return groups{ofUser(a.UserID)} }),
		sessions: newTable[string](func(s *session) groups {
			return groups{ofUser(s.UserID), ofSID(s.Provider, s.SID)}
		}),
		remembered: newTable[string](func(r *store.Remembered) groups {
			return groups{ofUser(r.UserID), ofSID(r.Provider, r.SID)}
		}),
		marks: newTable[string](func(*time.Time) groups { return groups{} }),
	}
}

// lower lowers ASCII letters only: that other letters are the same in some
// language says nothing about mailboxes.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// lock waits until nobody else writes. It is no mutex, because a caller whose
// context ends does not wait any longer.
func (db *database) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case db.writer <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *database) unlock() { <-db.writer }

// A transaction keeps what was written until commit. Its holder has the
// database's writer lock, so that nothing below it changes.
type transaction struct {
	mu   sync.Mutex // a transaction's Store may be used from several goroutines
	done bool
	state
}

type state struct {
	users      layer[string, store.User]
	accounts   layer[store.Key, account]
	sessions   layer[string, session]
	remembered layer[string, store.Remembered]
	marks      layer[string, time.Time]
	changes    []store.Change // to tell watchers after commit
}

func newTransaction(db *database) *transaction {
	return &transaction{state: state{
		users:      layer[string, store.User]{below: db.users},
		accounts:   layer[store.Key, account]{below: db.accounts},
		sessions:   layer[string, session]{below: db.sessions},
		remembered: layer[string, store.Remembered]{below: db.remembered},
		marks:      layer[string, time.Time]{below: db.marks},
	}}
}

// commit writes users first, so that who finds an account or a session finds
// its user; and when a user is deleted, users last, for the same reason. New
// sessions come before the old ones go, so that who looks for all of a user's
// while one takes the place of another finds one of them.
func (tx *transaction) commit() {
	tx.users.put()
	tx.accounts.put()
	tx.remembered.put()
	tx.sessions.put()
	tx.marks.put()
	tx.sessions.delete()
	tx.remembered.delete()
	tx.accounts.delete()
	tx.users.delete()
	tx.marks.delete()
}

func (tx *transaction) end() {
	tx.mu.Lock()
	tx.done = true
	tx.mu.Unlock()
}

func (tx *transaction) save() state {
	return state{
		tx.users.clone(), tx.accounts.clone(), tx.sessions.clone(), tx.remembered.clone(), tx.marks.clone(),
		slices.Clone(tx.changes),
	}
}

func (tx *transaction) restore(s state) { tx.state = s }

// A layer is a table with changes that only its transaction sees.
type layer[K comparable, V any] struct {
	below *table[K, V]
	rows  map[K]*V // nil: removed
}

func (l *layer[K, V]) get(k K) *V {
	if v, ok := l.rows[k]; ok {
		return v
	}
	return l.below.get(k)
}

func (l *layer[K, V]) members(g group) []*V {
	var list []*V
	for _, k := range l.below.keys(g) {
		if _, ok := l.rows[k]; !ok {
			list = append(list, l.below.get(k))
		}
	}
	for _, v := range l.rows {
		if v != nil && l.below.groups(v).has(g) {
			list = append(list, v)
		}
	}
	return list
}

func (l *layer[K, V]) set(k K, v *V) {
	if l.rows == nil {
		l.rows = map[K]*V{}
	}
	l.rows[k] = v
}

func (l *layer[K, V]) delete() {
	for k, v := range l.rows {
		if v == nil {
			l.below.set(k, nil)
		}
	}
}

func (l *layer[K, V]) put() {
	for k, v := range l.rows {
		if v != nil {
			l.below.set(k, v)
		}
	}
}

func (l *layer[K, V]) clone() layer[K, V] {
	return layer[K, V]{below: l.below, rows: maps.Clone(l.rows)}
}
