package middleware

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// These are internal because what is sealed lies in databases for years, and no
// program that uses this package sees with which key.

const sealSecret = "T2sYp0f4vQm8rJ1xZb6cKd3nLw7uHe9a"

func sealedAccount(subject string) *store.Account {
	return &store.Account{Key: store.Key{Provider: "op", Subject: subject}, UserID: "u-" + subject}
}

// openByHKDF opens t with a key that crypto/hkdf has derived.
func openByHKDF(t *testing.T, acct *store.Account, sealed *store.Token) ([]byte, error) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	prk, err := hkdf.Extract(sha256.New, []byte(sealSecret), []byte("gatepass v1"))
	check(err)
	key, err := hkdf.Expand(sha256.New, prk, "gatepass v1\x00token", 32)
	check(err)
	row, err := hkdf.Expand(sha256.New, key, string(prefixed([]byte("row"), acct.Provider, acct.Subject)), 32)
	check(err)
	block, err := aes.NewCipher(row)
	check(err)
	aead, err := cipher.NewGCM(block)
	check(err)
	return aead.Open(nil, sealed.Sealed[5:17], sealed.Sealed[17:], prefixed([]byte("gatepass token v1"), acct.Provider, acct.Subject, acct.UserID))
}

func TestTokensAreSealedUnderAKeyOfHKDF(t *testing.T) {
	s := newSealer(sealSecret, nil)
	var wg sync.WaitGroup
	for _, subject := range []string{"", "1", "two", "3"} {
		wg.Go(func() {
			acct := sealedAccount(subject)
			for range 50 {
				sealed, err := s.seal(acct, keptToken{Token: provider.Token{AccessToken: "at-" + subject}})
				if err != nil {
					t.Error(err)
					return
				}
				if clear, err := openByHKDF(t, acct, sealed); err != nil {
					t.Errorf("account %q: got %q, %v", subject, clear, err)
				}
				if tok, err := s.open(acct, sealed); err != nil || tok.AccessToken != "at-"+subject {
					t.Errorf("account %q: got %+v, %v", subject, tok, err)
				}
				if tok, err := s.open(sealedAccount("other"), sealed); err == nil {
					t.Errorf("account %q: its token opens for another: %+v", subject, tok)
				}
			}
		})
	}
	wg.Wait()
}

func TestRefreshTokenIsFoundWhateverElseATokenHolds(t *testing.T) {
	const none = `","RefreshToken":"","x":"`
	ctx, acct := context.Background(), sealedAccount("1")
	for _, secrets := range [][]string{{sealSecret}, {"Vn5oXq2wBz7kMf0tRj4yGs8dPa1hLc6e", sealSecret}} {
		old := newSealer(sealSecret, nil)
		a := &Auth{tokens: newSealer(secrets[0], secrets[1:])}
		row := a.tokens[0].rowKey(acct)
		for _, want := range []string{"", "rt", `rt"`, none} {
			s := memstore.New()
			made := *acct
			if err := s.CreateUser(ctx, &store.User{Name: "Ada"}, &made); err != nil {
				t.Fatal(err)
			}
			tok := provider.Token{
				AccessToken: "at" + none, RefreshToken: want, Type: none, IDToken: none, Secret: none, Memo: none, Scopes: []string{none}, Expiry: time.Now(),
			}
			sealed, err := old.seal(acct, keptToken{tok, time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.PutToken(ctx, acct.Key, sealed); err != nil {
				t.Fatal(err)
			}
			if got := a.oldRefreshToken(ctx, s, acct, &row); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if back, err := a.tokens.open(acct, sealed); err != nil || !reflect.DeepEqual(back.Scopes, tok.Scopes) || back.RefreshToken != want {
				t.Errorf("got %+v, %v", back, err)
			}
		}
	}
}
