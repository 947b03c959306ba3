package gormstore_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// A file name is enough, and so is ":memory:".
func ExampleOpen() {
	db, err := gormstore.Open(sqlite.Open(":memory:"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	ctx := context.Background()
	u := &store.User{Name: "Mona"}
	if err := db.CreateUser(ctx, u, &store.Account{Key: store.Key{Provider: "github", Subject: "583231"}}); err != nil {
		log.Fatal(err)
	}
	a, err := db.Account(ctx, store.Key{Provider: "github", Subject: "583231"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.UserID == u.ID)
	// Output: true
}

// An app that has a database already keeps its own settings.
func ExampleNew() {
	db, err := gorm.Open(sqlite.Open("file:shop?mode=memory&cache=shared"), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	s := gormstore.New(db)
	if err := s.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Migrator().HasTable("gatepass_users"))
	// Output: true
}

// Where someone else makes the tables, they get the SQL.
func ExampleStore_MigrationSQL() {
	db, err := gorm.Open(sqlite.Open("file:bank?mode=memory&cache=shared"), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	s := gormstore.New(db)
	text, err := s.MigrationSQL(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	first, _, _ := strings.Cut(text, "\n")
	fmt.Println(first)

	// They run it by tools of their own.
	if err := db.Exec(text).Error; err != nil {
		log.Fatal(err)
	}

	text, err = s.MigrationSQL(context.Background())
	fmt.Printf("%q %v\n", text, err)
	// Output:
	// CREATE TABLE gatepass_migrations (
	// "" <nil>
}

// Customer is a user with columns of the app's own, in the same table.
type Customer struct {
	gormstore.User
	Plan string `gorm:"not null;default:free"`
}

func ExampleUser() {
	s, err := gormstore.Open(sqlite.Open(":memory:"))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	db := s.DB()
	if err := db.AutoMigrate(&Customer{}); err != nil {
		log.Fatal(err)
	}

	// What a first login does.
	u := &store.User{Name: "Mona"}
	if err := s.CreateUser(context.Background(), u, &store.Account{Key: store.Key{Provider: "github", Subject: "583231"}}); err != nil {
		log.Fatal(err)
	}

	var c Customer
	if err := db.First(&c, "id = ?", u.ID).Error; err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Name, c.Plan)
	if err := db.Model(&c).Update("plan", "paid").Error; err != nil {
		log.Fatal(err)
	}
	var n int64
	db.Model(&Customer{}).Where("plan = ?", "paid").Count(&n)
	fmt.Println(n)
	// Output:
	// Mona free
	// 1
}

// loud changes what a user is called. It embeds a *gormstore.Store, and gets
// that type's SessionUser as well, which does not know of the method here.
type loud struct{ *gormstore.Store }

func (s loud) User(ctx context.Context, id string) (*store.User, error) {
	u, err := s.Store.User(ctx, id)
	if err == nil {
		u.Name += "!"
	}
	return u, err
}

// To embed a *Store and replace some methods leaves Transact and SessionUser
// going past them. Embed the interfaces of package store instead, or replace
// those two as well. Package storetest tells the difference.
func ExampleStore_incorrect() {
	db, err := gormstore.Open(sqlite.Open(":memory:"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	s := loud{db}
	u := &store.User{Name: "Mona"}
	if err := s.CreateUser(ctx, u, &store.Account{Key: store.Key{Provider: "github", Subject: "583231"}}); err != nil {
		log.Fatal(err)
	}
	session := newSession(u.ID)
	if err := s.CreateSession(ctx, session); err != nil {
		log.Fatal(err)
	}

	one, _ := s.User(ctx, u.ID)
	_, other, _ := store.SessionUser(ctx, s, s, session.ID)
	fmt.Println(one.Name, other.Name)
	// Output: Mona! Mona
}
