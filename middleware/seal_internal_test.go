package middleware

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// It is internal because only a login whose service gives no refresh token shows
// whether the old one was found, whatever else the old token held.
func TestRefreshTokenIsFoundWhateverElseATokenHolds(t *testing.T) {
	const sealSecret = "T2sYp0f4vQm8rJ1xZb6cKd3nLw7uHe9a"
	const none = `","RefreshToken":"","x":"`
	ctx, acct := context.Background(), &store.Account{Key: store.Key{Provider: "op", Subject: "1"}, UserID: "u-1"}
	for _, secrets := range [][]string{{sealSecret}, {"Vn5oXq2wBz7kMf0tRj4yGs8dPa1hLc6e", sealSecret}} {
		old := newSealer(sealSecret, nil)
		a := &Auth{tokens: newSealer(secrets[0], secrets[1:])}
		row := a.tokens[0].aead(acct.Key)
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
			kept, err := s.Token(ctx, acct.Key)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.oldRefreshToken(acct, row, kept); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if back, err := a.tokens.open(acct, sealed); err != nil || !reflect.DeepEqual(back.Scopes, tok.Scopes) || back.RefreshToken != want {
				t.Errorf("got %+v, %v", back, err)
			}
		}
	}
}
