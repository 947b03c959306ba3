package databases_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	mysqldriver "github.com/go-sql-driver/mysql"
)

// alike are subjects that a database that compares as people do takes for the
// same.
var alike = []string{
	"mona", "Mona", "MONA", "mona ", "mona  ", " mona", "mona\t", "mona\u00a0", "mona\u200b", "möna", "moena",
	"caf\u00e9", "cafe\u0301", "cafe", "CAFÉ", "stra\u00dfe", "strasse", "\u0131", "i", "I", "\u0130", "\ufb01", "fi",
	"1", "01", "1.0", "1e0", "+1", "\u2460", "\uff11", "\U0001f600", "\U0001f601", "\u212b", "\u00c5", "A\u030a",
	"%", "_", "m%", `mona\`, "'", `"`, "--", "NULL", "true", "\ufeffmona",
}

// Two subjects that differ in any byte are two accounts of two people.
func TestSubjectsAreComparedByteForByte(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		owner := map[store.Key]string{}
		for _, text := range alike {
			for _, k := range []store.Key{key(text), {Provider: text, Subject: "1"}} {
				if _, err := s.Account(ctx, k); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%q: taken for another: got error %v", k, err)
				}
				u, a := person("")
				a.Key = k
				if err := s.CreateUser(ctx, u, a); err != nil {
					t.Fatalf("%q: CreateUser: %v", k, err)
				}
				if err := s.PutToken(ctx, k, &store.Token{Sealed: []byte(text)}); err != nil {
					t.Errorf("%q: PutToken: %v", k, err)
				}
				if err := s.CreateUser(ctx, u, a); !errors.Is(err, store.ErrExists) {
					t.Errorf("%q: CreateUser again: got error %v, want %v", k, err, store.ErrExists)
				}
				owner[k] = a.UserID
			}
		}
		for k, want := range owner {
			a, err := s.Account(ctx, k)
			if err != nil || a.Key != k {
				t.Errorf("%q: got %q, %v", k, a.Key, err)
				continue
			}
			list, err := s.UserAccounts(ctx, want)
			if err != nil || len(list) != 1 || list[0].Key != k {
				t.Errorf("UserAccounts of %q: got %v, %v", k, list, err)
			}
		}
		if err := s.RemoveAccount(ctx, key("Mona"), []string{"github"}); !errors.Is(err, store.ErrLastAccount) {
			t.Errorf("RemoveAccount: got error %v, want %v", err, store.ErrLastAccount)
		}
		if err := s.DeleteToken(ctx, key("mona ")); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"mona", "Mona", "mona  "} {
			if got, err := s.Token(ctx, key(text)); err != nil || string(got.Sealed) != text {
				t.Errorf("the token of %q after that of %q was deleted: %v", text, "mona ", err)
			}
		}
	})
}

// The same for what sessions, marks and users are found by.
func TestIDsAreComparedByteForByte(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		u, _, _ := signUp(t, s, "owner")
		for _, id := range alike {
			if err := s.Mark(ctx, id, time.Now().Add(time.Hour)); err != nil {
				t.Errorf("Mark %q: taken for another: %v", id, err)
			}
			session := newSession(u.ID)
			session.ID = id
			if err := s.CreateSession(ctx, session); err != nil {
				t.Errorf("CreateSession %q: taken for another: %v", id, err)
			}
		}
		if err := s.DeleteSession(ctx, "mona "); err != nil {
			t.Fatal(err)
		}
		for _, id := range alike {
			_, _, err := s.SessionUser(ctx, id)
			if want := id != "mona "; want && err != nil || !want && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("SessionUser %q: got error %v", id, err)
			}
		}
		// That an ID of a user differs in case must not find them, nor change or
		// delete them.
		for _, id := range []string{strings.ToUpper(u.ID), u.ID + " ", " " + u.ID, u.ID[:len(u.ID)-1]} {
			if _, err := s.User(ctx, id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("User %q: got error %v, want %v", id, err, store.ErrNotFound)
			}
			if err := s.UpdateUser(ctx, &store.User{ID: id, Name: "Changed"}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("UpdateUser %q: got error %v, want %v", id, err, store.ErrNotFound)
			}
			if err := s.AddAccount(ctx, &store.Account{Key: key(id), UserID: id}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("AddAccount to %q: got error %v, want %v", id, err, store.ErrNotFound)
			}
			if list, err := s.UserSessions(ctx, id); err != nil || len(list) != 0 {
				t.Errorf("UserSessions of %q: got %d, %v", id, len(list), err)
			}
			if list, err := s.UserAccounts(ctx, id); err != nil || len(list) != 0 {
				t.Errorf("UserAccounts of %q: got %d, %v", id, len(list), err)
			}
			if err := s.DeleteUserSessions(ctx, id, ""); err != nil {
				t.Errorf("DeleteUserSessions of %q: %v", id, err)
			}
			if err := s.DeleteUser(ctx, id); err != nil {
				t.Errorf("DeleteUser %q: %v", id, err)
			}
		}
		if got, err := s.User(ctx, u.ID); err != nil || got.Name != u.Name {
			t.Errorf("the user has changed: got %+v, %v", got, err)
		}
		if got, err := s.UserSessions(ctx, u.ID); err != nil || len(got) != len(alike) {
			t.Errorf("got %d sessions, want %d (%v)", len(got), len(alike), err)
		}
	})
}

// Addresses are the same without regard to the case of ASCII letters, and to
// nothing else.
func TestAddressesAreFoldedInASCII(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		long := strings.Repeat("a", 400)
		for i, email := range []string{"Mona@Example.com", "m\u00f6na@example.com", "M\u00d6NA@example.com", "mo\u0308na@example.com",
			"mona@example.com ", "\u212aelvin@example.com", "I@example.com", "\u0130@example.com", long + "1@example.com", long + "2@example.com"} {
			u, a := person(fmt.Sprint(i))
			u.Email, u.EmailVerified = email, true
			if err := s.CreateUser(ctx, u, a); err != nil {
				t.Fatal(err)
			}
		}
		for email, want := range map[string]string{
			"mona@example.com": "Mona@Example.com", "MONA@EXAMPLE.COM": "Mona@Example.com", "m\u00f6na@EXAMPLE.com": "m\u00f6na@example.com",
			"m\u00d6na@example.com": "M\u00d6NA@example.com", "mo\u0308na@example.com": "mo\u0308na@example.com",
			"mona@example.com ": "mona@example.com ", "kelvin@example.com": "", "\u212aELVIN@example.com": "\u212aelvin@example.com",
			"i@example.com": "I@example.com", "mona@example.com\t": "", "m%": "", "": "",
			strings.ToUpper(long) + "2@example.com": long + "2@example.com", long + "3@example.com": "",
		} {
			got, err := s.UserByEmail(ctx, email)
			switch {
			case want == "" && !errors.Is(err, store.ErrNotFound):
				t.Errorf("%q: got %+v, %v, want %v", email, got, err, store.ErrNotFound)
			case want != "" && err != nil:
				t.Errorf("%q: got error %v, want %q", email, err, want)
			case want != "" && got.Email != want:
				t.Errorf("%q: got %q, want %q", email, got.Email, want)
			}
		}
	})
}

// What fits is kept whole, up to the last byte of each limit, also in letters of
// four bytes; what is longer is refused before the database can cut it.
func TestLengths(t *testing.T) {
	fill := func(n int) string { return strings.Repeat("\U0001f600", n/4) + strings.Repeat("x", n%4) }
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		u, a := person("")
		a.Key = store.Key{Provider: fill(255), Subject: fill(255)}
		text := fill(65535)
		u.Name, u.Username, u.AvatarURL, u.Locale, u.Email, u.EmailVerified = text, text, text, text, text, true
		a.Issuer, a.Name, a.Username, a.AvatarURL, a.Email = text, text, text, text, text
		if err := s.CreateUser(ctx, u, a); err != nil {
			t.Fatal(err)
		}
		sealed := slices.Repeat([]byte{0, 0xff, '\'', '\\'}, 25_000)
		if err := s.PutToken(ctx, a.Key, &store.Token{Sealed: sealed, Scopes: []string{fill(60_000)}}); err != nil {
			t.Fatal(err)
		}
		session := newSession(u.ID)
		session.ID, session.Key, session.SID, session.UserAgent, session.IP = fill(255), a.Key, text, text, text
		if err := s.CreateSession(ctx, session); err != nil {
			t.Fatal(err)
		}
		if err := s.Mark(ctx, fill(255), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		gotUser, err := s.UserByEmail(ctx, text)
		if err != nil || gotUser.Name != text || gotUser.Locale != text {
			t.Errorf("UserByEmail: something is cut (%v)", err)
		}
		gotAccount, err := s.Account(ctx, a.Key)
		if err != nil || gotAccount.Key != a.Key || gotAccount.Issuer != text || gotAccount.AvatarURL != text {
			t.Errorf("Account: something is cut (%v)", err)
		}
		gotToken, err := s.Token(ctx, a.Key)
		if err != nil || !slices.Equal(gotToken.Sealed, sealed) || gotToken.Scopes[0] != fill(60_000) {
			t.Errorf("Token: something is cut (%v)", err)
		}
		gotSession, _, err := s.SessionUser(ctx, session.ID)
		if err != nil || gotSession.Key != a.Key || gotSession.UserAgent != text || gotSession.SID != text {
			t.Errorf("SessionUser: something is cut (%v)", err)
		}
		if err := s.SwapToken(ctx, a.Key, sealed, &store.Token{Sealed: []byte("x")}); err != nil {
			t.Errorf("SwapToken: %v", err)
		}

		before := count(t, s, "gatepass_users")
		u, a = person("long")
		u.Name = fill(65536)
		if err := s.CreateUser(ctx, u, a); !errors.Is(err, store.ErrBadText) {
			t.Errorf("a name that is too long: got error %v, want %v", err, store.ErrBadText)
		}
		if got := count(t, s, "gatepass_users"); got != before {
			t.Errorf("got %d users, want %d", got, before)
		}
	})
}

// Times are those of UTC whatever the time zone of the server's session, and
// whatever the driver makes of it.
func TestTimeZones(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		dsns := []string{dsn}
		switch db.kind {
		case "postgres":
			dsns = append(dsns, with(dsn, "timezone", "Asia/Tokyo"), with(dsn, "timezone", "America/St_Johns"))
		case "mysql":
			for _, zone := range []string{"'+09:00'", "'-03:30'"} {
				cfg, err := mysqldriver.ParseDSN(dsn)
				if err != nil {
					t.Fatal(err)
				}
				cfg.Params = map[string]string{"time_zone": zone}
				dsns = append(dsns, cfg.FormatDSN())
			}
		case "sqlite":
			dsns = append(dsns, dsn+"?_loc=Asia/Tokyo")
		}
		var stores []*gormstore.Store
		for _, dsn := range dsns {
			stores = append(stores, db.open(t, dsn))
		}
		ctx := t.Context()
		// In the hour that New York has twice, and the one that it does not have.
		for i, at := range []time.Time{
			time.Date(2026, 11, 1, 5, 30, 0, 1e6, time.UTC), time.Date(2026, 11, 1, 6, 30, 0, 1e6, time.UTC),
			time.Date(2026, 3, 8, 7, 30, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC),
			time.Date(2039, 1, 1, 0, 0, 0, 0, time.FixedZone("", 14*3600)),
		} {
			for j, writer := range stores {
				writer.Now = func() time.Time { return at.Local() }
				u, a := person(fmt.Sprint(i, j))
				u.CreatedAt, a.CreatedAt = at, at
				if err := writer.CreateUser(ctx, u, a); err != nil {
					t.Fatal(err)
				}
				session := newSession(u.ID)
				session.AuthTime, session.SeenAt, session.ExpiresAt = at, at, at.Add(time.Millisecond)
				if err := writer.CreateSession(ctx, session); err != nil {
					t.Fatal(err)
				}
				if err := writer.PutToken(ctx, a.Key, &store.Token{Sealed: []byte("x"), Expiry: at}); err != nil {
					t.Fatal(err)
				}
				for k, reader := range stores {
					reader.Now = writer.Now
					session, user, err := reader.SessionUser(ctx, session.ID)
					if err != nil {
						t.Fatal(err)
					}
					account, err := reader.Account(ctx, a.Key)
					if err != nil {
						t.Fatal(err)
					}
					tok, err := reader.Token(ctx, a.Key)
					if err != nil {
						t.Fatal(err)
					}
					for what, got := range map[string]time.Time{"User.CreatedAt": user.CreatedAt, "User.UpdatedAt": user.UpdatedAt,
						"Account.CreatedAt": account.CreatedAt, "Session.AuthTime": session.AuthTime, "Session.SeenAt": session.SeenAt, "Token.Expiry": tok.Expiry} {
						if !got.Equal(at) || got.Location() != time.UTC {
							t.Errorf("written by %s, read by %s: %s: got %v, want %v", dsns[j], dsns[k], what, got, at.UTC())
						}
					}
				}
			}
		}
	})
}

// Whoever deletes a user in the database itself leaves nobody behind who could
// log in: accounts and tokens go with the user, or the user stays.
func TestDeletesCascade(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		ctx := t.Context()
		u, a, session := signUp(t, s, "one")
		other, kept, keptSession := signUp(t, s, "other")
		if err := s.AddAccount(ctx, &store.Account{Key: key("two"), UserID: u.ID}); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteUser(ctx, u.ID); err != nil {
			t.Fatal(err)
		}
		for table, want := range map[string]int64{"gatepass_users": 1, "gatepass_accounts": 1, "gatepass_sessions": 1} {
			if got := count(t, s, table); got != want {
				t.Errorf("after DeleteUser: %s has %d rows, want %d", table, got, want)
			}
		}
		if _, err := s.Account(ctx, a.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Account: got error %v, want %v", err, store.ErrNotFound)
		}
		if _, _, err := s.SessionUser(ctx, session.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("SessionUser: got error %v, want %v", err, store.ErrNotFound)
		}

		err := s.DB().Exec("DELETE FROM gatepass_users WHERE id = ?", other.ID).Error
		if db.kind == "sqlite" {
			// There the key refuses: GORM would empty the accounts whenever an app
			// alters a column of its users.
			if err == nil {
				t.Error("a user with accounts was deleted past the store")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Account(ctx, kept.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Account of a user who was deleted past the store: got error %v, want %v", err, store.ErrNotFound)
		}
		if _, _, err := s.SessionUser(ctx, keptSession.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("SessionUser of a user who was deleted past the store: got error %v, want %v", err, store.ErrNotFound)
		}
	})
}

// An account of a user who is not there cannot be stored, not even past the
// store.
func TestForeignKeys(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		err := s.DB().Exec("INSERT INTO gatepass_accounts (provider, subject, user_id) VALUES ('github', '1', 'nobody')").Error
		if err == nil {
			t.Error("an account without a user was stored")
		}
	})
}
