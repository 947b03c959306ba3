package databases_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"
)

// forms are the ways in which a text may stand in a file.
func forms(text string) []string {
	b := []byte(text)
	wide := make([]byte, 0, 2*len(b))
	for _, c := range b {
		wide = append(wide, c, 0)
	}
	return []string{
		text, strings.ToLower(text), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b), string(wide),
	}
}

// leaked returns the secrets that stand in a file in some form.
func leaked(content []byte, secrets []string) []string {
	var found []string
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			if bytes.Contains(content, []byte(form)) {
				found = append(found, secret)
				break
			}
		}
	}
	return found
}

// Whoever has the tables has no token and no session: nothing that the service
// has given, and nothing that a browser holds, stands in a dump or in a file.
func TestDumpHasNoSecret(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn, svc := db.fresh(t), newService(t)
		s := db.open(t, dsn)
		var cookies, users []string
		for _, subject := range []string{"ada", "bob"} {
			cookie, id := newApp(t, s, svc.URL, 0, secret).mustLogin(t, subject)
			cookies, users = append(cookies, cookie), append(users, id)
		}
		// A token that was renewed, one from before in the free pages of a file,
		// and one that a new secret has sealed.
		svc.set(func() { svc.life = 3 * time.Hour })
		if err := newApp(t, s, svc.URL, 2*time.Hour, secret).call(t.Context(), users[0]); err != nil {
			t.Fatal(err)
		}
		if n, err := newApp(t, s, svc.URL, 0, newSecret, secret).auth.ResealTokens(t.Context()); n != 2 || err != nil {
			t.Fatalf("ResealTokens: got %d, %v", n, err)
		}
		secrets := append(svc.secrets(), secret, newSecret)
		if len(secrets) != 3+3+2 {
			t.Fatalf("the service has given %d tokens, want 6", len(secrets)-2)
		}
		for _, cookie := range cookies {
			raw, err := base64.RawURLEncoding.DecodeString(cookie)
			if err != nil {
				t.Fatal(err)
			}
			// Its key is in the middle; the ends say with which secret it was made.
			secrets = append(secrets, cookie, string(raw[1:33]))
		}

		files := map[string][]byte{"the dump": db.dump(t, dsn)}
		if db.kind == "sqlite" {
			for _, name := range []string{dsn, dsn + "-wal", dsn + "-shm"} {
				b, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				files[name] = b
			}
			if len(files[dsn+"-wal"]) == 0 {
				t.Error("the write-ahead log is empty, and says nothing")
			}
		}
		seen := false
		for name, content := range files {
			if found := leaked(content, secrets); len(found) > 0 {
				t.Errorf("%s has %d secrets in it, such as %q", name, len(found), found[0])
			}
			seen = seen || len(leaked(content, users)) == len(users)
		}
		if !seen {
			t.Error("not even the users' IDs were found: the test looks in the wrong place")
		}
	})
}

// A token in the clear would be found in each of the forms.
func TestLeaked(t *testing.T) {
	for _, form := range forms("at-SECRET") {
		if got := leaked([]byte("\x00before"+form+"after"), []string{"at-SECRET", "rt-OTHER"}); len(got) != 1 {
			t.Errorf("%q: got %q", form, got)
		}
	}
}
