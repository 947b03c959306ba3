package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/redis/go-redis/v9"
	"gorm.io/driver/sqlite"
)

// What it costs to find a session in Redis and its user in SQLite, when the
// process has not seen it within the last second, beside the least that a
// question to each costs.
func BenchmarkResolve(b *testing.B) {
	opts, err := redis.ParseURL(server(b, "GATEPASS_REDIS"))
	if err != nil {
		b.Fatal(err)
	}
	opts.ContextTimeoutEnabled = true
	client := redis.NewClient(opts)
	defer client.Close()
	db, err := gormstore.Open(sqlite.Open(filepath.Join(b.TempDir(), "app.db")))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	u := &store.User{Name: "Ada"}
	if err := db.CreateUser(b.Context(), u, &store.Account{Key: store.Key{Provider: "test", Subject: "17"}}); err != nil {
		b.Fatal(err)
	}
	sessions := redisstore.New(client, redisstore.WithPrefix("bench"+rand.Text()))
	defer sessions.DeleteUserSessions(context.Background(), u.ID, "")
	m, err := session.New(session.Config{Store: sessions, Users: db, Secret: secret, Cache: -1})
	if err != nil {
		b.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "https://app.example.com/", nil)
	s := &store.Session{UserID: u.ID, Key: store.Key{Provider: "test", Subject: "17"}, SID: "sid", AuthTime: time.Now()}
	if err := m.Begin(w, r, s); err != nil {
		b.Fatal(err)
	}
	r.AddCookie(w.Result().Cookies()[0])
	key := "bench:" + rand.Text()
	if err := client.Set(b.Context(), key, make([]byte, 300), time.Minute).Err(); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour) // as a Manager asks
	defer cancel()
	for _, of := range []struct {
		name string
		do   func() error
	}{
		{"GET of 300 bytes", func() error { return client.Get(ctx, key).Err() }},
		{"user in SQLite", func() error { _, err := db.User(ctx, u.ID); return err }},
		{"session in Redis", func() error { _, err := sessions.Session(ctx, s.ID); return err }},
		{"resolve", func() error { _, err := m.Resolve(r); return err }},
	} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := of.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
