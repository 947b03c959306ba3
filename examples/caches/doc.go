// Package caches has no code. Its benchmarks are why package session has a cache
// of its own, and what sessions cost that apps have today. It is a module of its
// own, so that programs that import the library carry none of them.
//
//	go test -run '^$' -bench .
//
// Each candidate finds a request's session by the same cookie, read in the same
// way: only where it is kept differs. The ideal is a map in 256 shards, each
// with a lock. A session that ends here must not come back by a query that was
// under way meanwhile, which a cache has to allow for: it must be possible to add
// an entry only if nothing ended since a moment that is noted before the query.
//
//   - package session: yes, each shard counts what ended in it, and adds under its lock.
//   - otter: yes, in Compute, with a count of one's own.
//   - golang-lru: only with a lock of one's own around each addition.
//   - ristretto: no. An addition waits in a buffer, is made after Set has returned,
//     or not at all.
//   - go-cache: only with a lock of one's own around each addition; and it has no limit.
package caches
