// Package redisstore keeps sessions in Redis or Valkey. Users are kept elsewhere:
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true, MaxRetries: 1})
//	auth, err := middleware.New(middleware.Config{
//		Store:   db, // users, accounts and tokens
//		Session: session.Config{Store: redisstore.New(client)},
//		…
//
// [With] makes one Store of both, for a program that wants a single one.
//
// # What Redis may forget
//
// Redis removes what is over by itself. Nothing here cannot be lost: people log
// in again. But what was ended must not come back, so
//
//   - Redis either keeps nothing on disk, or keeps an append-only file
//     (appendonly yes). After a start from an old snapshot, sessions are there
//     again that had been ended since: set session.Config.NotBefore then. The same
//     is true of a replica that takes over before it knew of them.
//   - maxmemory-policy is noeviction. With any other, people may be logged out
//     early, and a login that was used up may be used a second time within its ten
//     minutes. No other harm: a session counts only as long as the list of its
//     user's sessions has it, so that one of which the list was evicted has ended.
//
// # Redis Cluster
//
// What one call changes is under keys with the same hash tag, and so are all
// keys of a Store: in a cluster they are on one node. Every question goes to the
// primary, also if the client otherwise reads from replicas.
package redisstore

import (
	"net/url"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/redis/go-redis/v9"
)

// A Store keeps sessions, marks and remembered browsers in Redis. Make one with
// [New].
//
// It remembers nothing itself: what one process ends has ended for all. A method
// gives up when its context is done, though what it sent may still happen. It is
// quickest with a client that has ContextTimeoutEnabled: then a context with a
// deadline that is cancelled before may hold it up until the deadline. How soon it
// is an error that Redis is down is the client's business: its DialTimeout,
// DialerRetries, ReadTimeout and MaxRetries, of which the defaults take seconds.
type Store struct {
	// Now is the clock by which sessions and marks end. It is time.Now if nil.
	// Set it before the store is used.
	Now func() time.Time

	client   redis.UniversalClient
	heeds    bool   // the client looks at the deadlines of contexts
	prefix   string // what every key begins with
	scripts  scripts
	watchers watchers
}

var (
	_ store.SessionReplacer = (*Store)(nil)
	_ store.SessionValuer   = (*Store)(nil)
	_ store.SIDFinder       = (*Store)(nil)
	_ store.MarkFinder      = (*Store)(nil)
	_ store.Rememberer      = (*Store)(nil)
	_ store.Watcher         = (*Store)(nil)
)

// An Option changes how a Store keeps things.
type Option func(*Store)

// WithPrefix has every key begin with "{name}:" instead of "{gatepass}:", so that
// two apps can share a Redis. An empty name changes nothing: without a name, the
// nodes of a cluster would share out the keys.
func WithPrefix(name string) Option {
	return func(s *Store) {
		if name != "" {
			s.prefix = tag(name)
		}
	}
}

// New returns a Store that asks client, which stays the caller's to close. It
// does no I/O.
func New(client redis.UniversalClient, opts ...Option) *Store {
	s := &Store{client: client, heeds: heeds(client), prefix: tag("gatepass"), scripts: newScripts()}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// tag returns a prefix with a hash tag, which ends at the first brace.
func tag(name string) string { return "{" + url.PathEscape(name) + "}:" }

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
