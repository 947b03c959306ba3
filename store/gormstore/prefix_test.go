package gormstore_test

import (
	"strings"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/storetest"
	"gorm.io/driver/sqlite"
)

// Guest is a user of a shop, in a table with the shop's prefix.
type Guest struct {
	gormstore.User
	Points int `gorm:"not null;default:7"`
}

func (Guest) TableName() string { return "shop_users" }

func TestWithPrefix(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s, err := gormstore.Open(sqlite.Open(file(t)), gormstore.WithPrefix("shop_"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}

// Two apps in one database do not meet.
func TestWithPrefixBesideAnother(t *testing.T) {
	ctx := t.Context()
	name := file(t)
	shop := gormstore.New(own(t, sqlite.Open(name)), gormstore.WithPrefix("shop_"))
	if text, err := shop.MigrationSQL(ctx); err != nil || strings.Contains(text, "gatepass") {
		t.Errorf("got %v, %s", err, text)
	}
	if err := shop.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if got := schema(t, shop.DB()); strings.Contains(got, "gatepass") || !strings.Contains(got, "shop_users_email") {
		t.Errorf("got %s", got)
	}
	if err := shop.DB().AutoMigrate(&Guest{}); err != nil {
		t.Fatal(err)
	}
	id := signUp(t, shop)
	other := open(t, name)
	if got := dump(t, other); got != "" {
		t.Errorf("got %s, want nobody", got)
	}
	if err := other.DeleteSession(ctx, id); err != nil {
		t.Fatal(err)
	}
	_, u, err := shop.SessionUser(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	var g Guest
	if err := shop.DB().First(&g, "id = ?", u.ID).Error; err != nil || g.Points != 7 || g.Name != u.Name {
		t.Errorf("got %+v, %v", g, err)
	}
}

func TestWithPrefixRefuses(t *testing.T) {
	for _, p := range []string{"", "Shop_", "1shop", "shop.", "shop-", `s"; DROP TABLE x; --`, "_shop", strings.Repeat("a", 31), "shop_\n"} {
		if _, err := gormstore.Open(sqlite.Open(file(t)), gormstore.WithPrefix(p)); err == nil || !strings.Contains(err.Error(), "want a prefix") {
			t.Errorf("%q: got error %v", p, err)
		}
		s := gormstore.New(own(t, sqlite.Open(file(t))), gormstore.WithPrefix(p))
		if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "want a prefix") {
			t.Errorf("%q: Migrate: got error %v", p, err)
		}
		if _, err := s.User(t.Context(), "x"); err == nil {
			t.Errorf("%q: User: got no error", p)
		}
	}
	if _, err := gormstore.Open(sqlite.Open(file(t)), gormstore.WithPrefix(strings.Repeat("a", 30))); err != nil {
		t.Error(err)
	}
}
