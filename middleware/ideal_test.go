package middleware_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"

	"github.com/gatepass/gatepass/store"
)

// ideal is the least that a session kept by the server can cost: scan the
// cookie, decode and hash it on the stack, look it up in a sharded map. It has no
// clock, no limit, no other process and nothing that ends.
type ideal struct {
	key    [32]byte
	shards [256]struct {
		mu sync.RWMutex
		m  map[[32]byte]*idealEntry
	}
}

type idealEntry struct {
	mark [15]byte
	user store.User
}

// newIdeal returns one in which the sessions of the cookies are.
func newIdeal(cookies ...string) *ideal {
	p := &ideal{}
	_, _ = rand.Read(p.key[:])
	for i := range p.shards {
		p.shards[i].m = make(map[[32]byte]*idealEntry)
	}
	for _, cookie := range cookies {
		_, value, _ := strings.Cut(cookie, "=")
		raw, id := p.decode(value)
		e := &idealEntry{user: store.User{Name: "Ada"}}
		copy(e.mark[:], raw[33:])
		p.shards[raw[1]].m[id] = e
	}
	return p
}

func (p *ideal) decode(value string) (raw [48]byte, id [32]byte) {
	_, _ = base64.RawURLEncoding.Decode(raw[:], []byte(value))
	var block [64]byte
	copy(block[:], p.key[:22])
	copy(block[22:], raw[:33])
	return raw, sha256.Sum256(block[:55])
}

func (p *ideal) find(r *http.Request) *store.User {
	for _, line := range r.Header["Cookie"] {
		i := strings.Index(line, "__Host-session=")
		if i < 0 || len(line) < i+15+64 {
			continue
		}
		raw, id := p.decode(line[i+15 : i+15+64])
		s := &p.shards[raw[1]]
		s.mu.RLock()
		e := s.m[id]
		s.mu.RUnlock()
		if e != nil && subtle.ConstantTimeCompare(e.mark[:], raw[33:]) == 1 {
			return &e.user
		}
	}
	return nil
}

type idealContext struct {
	context.Context
	user store.User
}

// serve is find with the user in the request's context. It says nothing of what
// the answer depends on, and so must not be used as it is.
func (p *ideal) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := p.find(r)
		if u == nil {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(&idealContext{r.Context(), *u}))
	})
}

var idealVary = []string{"Cookie"}

// load is serve for everybody: a visitor's page, which caches may keep, has to
// say that it is another with a cookie.
func (p *ideal) load(next http.Handler) http.Handler {
	serve := p.serve(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Vary"] = idealVary
		serve.ServeHTTP(w, r)
	})
}
