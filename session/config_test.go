package session_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store/memstore"
)

func TestWeakSecrets(t *testing.T) {
	random := []byte(secretA)
	for _, test := range []struct {
		name, secret, why string
	}{
		{"empty", "", "empty"},
		{"short", secretA[:31], "short"},
		{"the word", "secret", "short"},
		{"newline", secretA + "\n", "white space"},
		{"carriage return", secretA + "\r\n", "white space"},
		{"space before", " " + secretA, "white space"},
		{"spaces", strings.Repeat(" ", 40), "white space"},
		{"zeros", strings.Repeat("\x00", 32), "different bytes"},
		{"one letter", strings.Repeat("a", 64), "different bytes"},
		{"seven letters", strings.Repeat("abcdefg", 6), "different bytes"},
		{"block", strings.Repeat("k7Gq2mXv", 4), "repeats"},
		{"block cut off", strings.Repeat("k7Gq2mXvR", 4), "repeats"},
		{"two halves", secretA + secretA, "repeats"},
		{"alphabet", "abcdefghijklmnopqrstuvwxyz0123456789", "counts"},
		{"down", "zyxwvutsrqponmlkjihgfedcba9876543210", "counts"},
		{"half counted", "abcdefghijklmnopqrs" + secretA[:14], "counts"},
		{"password", secretA + "PassWord", "password"},
		{"changeme", "changeme-" + secretA, "changeme"},
		{"example", secretA[:20] + "EXAMPLE" + secretA[20:], "example"},
		{"placeholder", secretA + "placeholder", "placeholder"},
		{"insecure", secretA + "insecure", "insecure"},
		{"replace", "replace_" + secretA, "replace"},
		{"your-secret", "Your-Secret-" + secretA, "your-secret"},
		{"good", secretA, ""},
		{"hex", hex.EncodeToString(random), ""},
		{"base64", base64.StdEncoding.EncodeToString(random), ""},
		{"bytes", string(hmacSum([]byte("random"))), ""},
		{"a sentence", "correct horse battery staple, twice removed", ""},
		{"white space within", secretA + "\n" + secretB, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for field, cfg := range map[string]session.Config{
				"Secret":        {Store: memstore.New(), Secret: test.secret},
				"OldSecrets[1]": {Store: memstore.New(), Secret: secretC, OldSecrets: []string{secretB, test.secret}},
			} {
				_, err := session.New(cfg)
				if test.why == "" {
					if err != nil {
						t.Errorf("%s: %v", field, err)
					}
					continue
				}
				want := field + ": want at least 32 random bytes; make them with: openssl rand -base64 32"
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), test.why) {
					t.Errorf("%s: got %v, want %q and %q", field, err, want, test.why)
				} else if n := len(strings.TrimSpace(test.secret)); n > 8 && strings.Contains(err.Error(), strings.TrimSpace(test.secret)) {
					t.Errorf("%s: the error shows the secret: %v", field, err)
				}
			}
		})
	}
}

// The bytes count as they stand: hex and base64 of one key are two secrets.
func TestSecretIsNotDecoded(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.Secret = hex.EncodeToString([]byte(secretA)) }), newBrowser(t)
	w.login(b)
	for _, secret := range []string{secretA, base64.StdEncoding.EncodeToString([]byte(secretA)), strings.ToUpper(hex.EncodeToString([]byte(secretA)))} {
		w.wantNone(b, w.manager(func(c *session.Config) { c.Secret = secret }))
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	_, err := session.New(session.Config{
		Secret: "short", OldSecrets: []string{secretA, secretA, secretB, secretC, "short"},
		Cache: 11 * time.Second, Name: "my session", Lifetime: time.Hour, Idle: 2 * time.Hour, MaxPerUser: -1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"Store: required", "Secret: want at least 32", "OldSecrets[1]: is the same as OldSecrets[0]", "OldSecrets[4]: want at least 32",
		"OldSecrets[4]: is the same as Secret", "OldSecrets: want at most 4", "Cache: want at most 10s", "Name: want at most", "Idle: want at most Lifetime",
		"MaxPerUser: want more than zero",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in:\n%v", want, err)
		}
	}
}

func TestConfigFields(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*session.Config)
		want   string // "" if it is good
	}{
		{"zero", func(*session.Config) {}, ""},
		{"cache of ten seconds", func(c *session.Config) { c.Cache = 10 * time.Second }, ""},
		{"no cache", func(c *session.Config) { c.Cache = -1 }, ""},
		{"negative lifetime", func(c *session.Config) { c.Lifetime = -1 }, "Lifetime: want more"},
		{"negative idle", func(c *session.Config) { c.Idle = -1 }, "Idle: want more"},
		{"idle beyond the default lifetime", func(c *session.Config) { c.Idle = 31 * 24 * time.Hour }, "Idle: want at most Lifetime"},
		{"idle as long as lifetime", func(c *session.Config) { c.Idle, c.Lifetime = time.Hour, time.Hour }, ""},
		{"name", func(c *session.Config) { c.Name = "my_app.session-1" }, ""},
		{"name with a semicolon", func(c *session.Config) { c.Name = "a;b" }, "Name: "},
		{"name with an equals sign", func(c *session.Config) { c.Name = "a=b" }, "Name: "},
		{"name with a newline", func(c *session.Config) { c.Name = "a\nb" }, "Name: "},
		{"name with an umlaut", func(c *session.Config) { c.Name = "sitzüng" }, "Name: "},
		{"long name", func(c *session.Config) { c.Name = strings.Repeat("n", 65) }, "Name: "},
		{"name with its prefix", func(c *session.Config) { c.Name = "__host-x" }, "Name: "},
		{"name of a flow", func(c *session.Config) { c.Name = "x-flow-y" }, "Name: "},
		{"name of a posted callback", func(c *session.Config) { c.Name = "x-post" }, "Name: "},
		{"four old secrets", func(c *session.Config) {
			c.OldSecrets = []string{secretB, secretC, secretB + "4", secretC + "5"}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := session.Config{Store: memstore.New(), Secret: secretA}
			test.change(&cfg)
			m, err := session.New(cfg)
			if test.want == "" && (err != nil || m == nil) {
				t.Errorf("got %v", err)
			}
			if test.want != "" && (err == nil || m != nil || !strings.Contains(err.Error(), test.want) || strings.Count(err.Error(), "\n") > 0) {
				t.Errorf("got %v, want %q alone", err, test.want)
			}
		})
	}
}

// What was accepted cannot be changed from outside.
func TestConfigIsCopied(t *testing.T) {
	old := []string{secretB}
	w, b := newWorld(t), newBrowser(t)
	w.loginAs(b, w.manager(func(c *session.Config) { c.Secret = secretB }), w.user)
	m := w.manager(func(c *session.Config) { c.OldSecrets = old })
	old[0] = "x"
	w.wantUser(b, m)
}
