package memstore_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// The floor is a map in shards that holds sessions by value.
type shardedMap struct {
	seed   maphash.Seed
	shards [64]struct {
		sync.RWMutex
		m map[string]store.Session
	}
}

func (m *shardedMap) get(id string) (store.Session, bool) {
	s := &m.shards[maphash.String(m.seed, id)%64]
	s.RLock()
	defer s.RUnlock()
	v, ok := s.m[id]
	return v, ok
}

func (m *shardedMap) put(v store.Session) {
	s := &m.shards[maphash.String(m.seed, v.ID)%64]
	if s.m == nil {
		s.m = map[string]store.Session{}
	}
	s.m[v.ID] = v
}

// What a request asks of the store, with one session, a thousand and a million,
// from one goroutine and from many.
func BenchmarkSessions(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{1, 1e3, 1e6} {
		s := memstore.New()
		floor := &shardedMap{seed: maphash.MakeSeed()}
		u := &store.User{Name: "Mona"}
		if err := s.CreateUser(ctx, u, &store.Account{Key: store.Key{Provider: "p", Subject: "1"}}); err != nil {
			b.Fatal(err)
		}
		ids := make([]string, n)
		err := s.Transact(ctx, func(tx store.Store) error {
			for i := range ids {
				ids[i] = fmt.Sprintf("%043d", i)
				v := store.Session{ID: ids[i], UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)}
				floor.put(v)
				if err := tx.CreateSession(ctx, &v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		for _, bench := range []struct {
			name string
			f    func(id string) bool
		}{
			{"floor", func(id string) bool { _, ok := floor.get(id); return ok }},
			{"Session", func(id string) bool { _, err := s.Session(ctx, id); return err == nil }},
			{"SessionUser", func(id string) bool { _, _, err := s.SessionUser(ctx, id); return err == nil }},
		} {
			b.Run(fmt.Sprintf("%s/sessions=%d", bench.name, n), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if !bench.f(ids[i%n]) {
						b.Fatal("not found")
					}
					i += 7919 // a prime, so that neighbours do not follow each other
				}
			})
			b.Run(fmt.Sprintf("%s/sessions=%d/parallel", bench.name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(32)
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i += 7919 {
						if !bench.f(ids[i%n]) {
							b.Error("not found")
							return
						}
					}
				})
			})
		}
	}
}
