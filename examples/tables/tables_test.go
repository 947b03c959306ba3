// The tests are in package main, since nobody else can import it.
package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider/providertest"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/storetest"
	"gorm.io/driver/sqlite"
)

// open returns a database with the app's tables, and nobody in them.
func open(t *testing.T) *gormstore.Store {
	t.Helper()
	db, err := gormstore.Open(sqlite.Open(filepath.Join(t.TempDir(), "members.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.DB().Exec(schema).Error; err != nil {
		t.Fatal(err)
	}
	return db
}

func exec(t *testing.T, db *gormstore.Store, query string) {
	t.Helper()
	if err := db.DB().Exec(query).Error; err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return NewStore(open(t))
	})
}

// visit opens the app's page as someone whom the service knows by that subject.
func visit(t *testing.T, db *gormstore.Store, service *providertest.Server, subject, name string) string {
	t.Helper()
	service.Profile = map[string]any{"sub": subject, "name": name, "email": name + "@example.com", "email_verified": true}
	srv := httptest.NewUnstartedServer(nil)
	base := "http://" + srv.Listener.Addr().String()
	app, err := newApp(base, "4vN0s9QeLw7Ky2TzXb5RmUj8HcGd1PfA", db, service.Provider())
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = app
	srv.Start()
	defer srv.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html") // a page is wanted, so that a visitor goes to log in
	res, err := (&http.Client{Jar: jar}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.Status + ": " + string(body)
}

func TestSignUpMakesAMember(t *testing.T) {
	db, service := open(t), providertest.NewServer(t)
	want := "200 OK: Hello, Ada! You are member 1 and get our newsletter.\n"
	if got := visit(t, db, service, "17", "Ada"); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	var m Member
	if err := db.DB().Take(&m, "mail = ?", "Ada@example.com").Error; err != nil {
		t.Fatal(err)
	}
	if m.ID != 1 || m.DisplayName != "Ada" || !m.MailConfirmed || m.Blocked || m.JoinedAt.IsZero() {
		t.Errorf("got %+v", m)
	}
	var l Login
	if err := db.DB().Take(&l, "member_id = ?", m.ID).Error; err != nil {
		t.Fatal(err)
	}
	if l.Provider != "test" || l.Subject != "17" || l.Issuer != service.URL || len(l.Sealed) == 0 {
		t.Errorf("got %+v", l)
	}
	var sessions, users int64
	db.DB().Table("gatepass_sessions").Where("user_id = '1'").Count(&sessions)
	db.DB().Table("gatepass_users").Count(&users)
	if sessions != 1 || users != 0 {
		t.Errorf("got %d sessions and %d users in Gatepass's tables, want 1 and 0", sessions, users)
	}

	// What the app does with its own columns stays as it is at the next login.
	exec(t, db, "UPDATE members SET newsletter = false, display_name = 'Ada L.'")
	want = "200 OK: Hello, Ada L.! You are member 1 and do not get our newsletter.\n"
	if got := visit(t, db, service, "17", "Ada"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	exec(t, db, "UPDATE members SET blocked = true")
	if got := visit(t, db, service, "17", "Ada"); strings.Contains(got, "Hello") || !strings.HasPrefix(got, "403") {
		t.Errorf("a blocked member: got %q, want 403", got)
	}
}

// An app that knows which of its members has which account at the service tells
// Gatepass with a row of member_logins.
func TestMemberFromBefore(t *testing.T) {
	db, service := open(t), providertest.NewServer(t)
	exec(t, db, `INSERT INTO members (id, display_name, newsletter) VALUES (7, 'Grace', false)`)
	exec(t, db, `INSERT INTO member_logins (provider, subject, member_id, issuer) VALUES ('test', '42', 7, '`+service.URL+`')`)

	want := "200 OK: Hello, Grace! You are member 7 and do not get our newsletter.\n"
	if got := visit(t, db, service, "42", "Amazing Grace"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want = "200 OK: Hello, Mallory! You are member 8 and get our newsletter.\n"
	if got := visit(t, db, service, "43", "Mallory"); got != want {
		t.Errorf("another person: got %q, want %q", got, want)
	}
}

// What the suite leaves to a store: which texts are IDs, and which it refuses.
func TestWhatIsRefused(t *testing.T) {
	ctx, people := t.Context(), NewStore(open(t))
	u, k := &store.User{Name: "Ada"}, store.Key{Provider: "test", Subject: "17"}
	if err := people.CreateUser(ctx, u, &store.Account{Key: k}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"0" + u.ID, "+" + u.ID, " " + u.ID, u.ID + ".0"} {
		if _, err := people.User(ctx, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("User(%q): got error %v, want %v", id, err, store.ErrNotFound)
		}
	}
	for _, text := range []string{"zero\x00byte", "not UTF-8: \xff", strings.Repeat("x", 1001)} {
		u.Name = text
		if err := people.UpdateUser(ctx, u); !errors.Is(err, store.ErrBadText) {
			t.Errorf("UpdateUser with %.20q: got error %v, want %v", text, err, store.ErrBadText)
		}
	}
}
