package middleware

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
)

// maxToken is how large a token may be that is kept.
const maxToken = 64 << 10

const sealVersion = 1

// errUnreadable means that a sealed token does not open: it was changed, moved
// to another account, or sealed with a secret that is gone.
var errUnreadable = errors.New("sealed token does not open")

// A sealer seals providers' tokens with keys made from the secrets: the first
// seals, all open. A sealed token is
//
//	version(1) | key ID(4) | nonce(12) | AES-256-GCM of the token as JSON
//
// under a key of its account, bound to account and user, so that a row that is
// copied over another one does not open.
type sealer []secretKey

type secretKey struct {
	id  [4]byte
	key []byte
}

func newSealer(secret string, old []string) sealer {
	var s sealer
	for _, secret := range append([]string{secret}, old...) {
		prk := must(hkdf.Extract(sha256.New, []byte(secret), []byte("gatepass v1")))
		k := secretKey{key: must(hkdf.Expand(sha256.New, prk, "gatepass v1\x00token", 32))}
		copy(k.id[:], must(hkdf.Expand(sha256.New, prk, "gatepass v1\x00token kid", 4)))
		s = append(s, k)
	}
	return s
}

// must unwraps what fails only for lengths that are not ours.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// prefixed appends s with its length before it, so that no two lists of texts
// are the same bytes.
func prefixed(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	return b
}

func (k secretKey) aead(key store.Key) cipher.AEAD {
	info := prefixed([]byte("row"), key.Provider, key.Subject)
	row := must(hkdf.Expand(sha256.New, k.key, string(info), 32))
	return must(cipher.NewGCM(must(aes.NewCipher(row))))
}

func sealedFor(acct *store.Account) []byte {
	return prefixed([]byte("gatepass token v1"), acct.Provider, acct.Subject, acct.UserID)
}

// A keptToken is a token with the time at which it came, which tells how long
// it was meant to last.
type keptToken struct {
	provider.Token
	KeptAt time.Time
}

// seal returns tok as it is kept with the account.
func (s sealer) seal(acct *store.Account, tok keptToken) (*store.Token, error) {
	return s.sealWith(s[0].aead(acct.Key), acct, tok)
}

// sealWith is seal with the account's key, of the first secret.
func (s sealer) sealWith(row cipher.AEAD, acct *store.Account, tok keptToken) (*store.Token, error) {
	clear, err := json.Marshal(tok)
	if err != nil {
		return nil, err
	}
	if len(clear) > maxToken {
		return nil, fmt.Errorf("token of %d bytes is too big to keep", len(clear))
	}
	k := s[0]
	out := make([]byte, 0, 1+4+12+len(clear)+16)
	out = append(out, sealVersion)
	out = append(out, k.id[:]...)
	out = out[:1+4+12]
	_, _ = rand.Read(out[5:]) // never fails: it ends the program instead
	out = row.Seal(out, out[5:17], clear, sealedFor(acct))
	return &store.Token{Sealed: out, Expiry: tok.Expiry.UTC(), Scopes: tok.Scopes}, nil
}

// open returns the token that was sealed for the account, or errUnreadable.
func (s sealer) open(acct *store.Account, t *store.Token) (keptToken, error) {
	var tok keptToken
	clear, ok := s.openWith(nil, acct, t)
	if !ok || json.Unmarshal(clear, &tok) != nil {
		return keptToken{}, errUnreadable
	}
	return tok, nil
}

// openWith returns the JSON of the token that was sealed for the account. Row is
// the account's key, of the first secret, if it is at hand.
func (s sealer) openWith(row cipher.AEAD, acct *store.Account, t *store.Token) (clear []byte, ok bool) {
	b := t.Sealed
	if len(b) < 1+4+12+16 || b[0] != sealVersion {
		return nil, false
	}
	for i, k := range s {
		if string(k.id[:]) != string(b[1:5]) {
			continue
		}
		if i > 0 || row == nil {
			row = k.aead(acct.Key)
		}
		if clear, err := row.Open(nil, b[5:17], b[17:], sealedFor(acct)); err == nil {
			return clear, true
		}
	}
	return nil, false
}

// putToken keeps the token of a login with its account, or forgets the one
// before if tokens are not kept.
func (a *Auth) putToken(ctx context.Context, tx store.Store, v *arrival) error {
	sealed := a.tokenToKeep(ctx, v, func() (*store.Token, error) { return tx.Token(ctx, v.account.Key) })
	if sealed == nil {
		return tx.DeleteToken(ctx, v.account.Key)
	}
	return tx.PutToken(ctx, v.account.Key, sealed)
}

// tokenToKeep returns the token of a login as it is kept with its account, or nil
// if none is. Old returns the one of before.
func (a *Auth) tokenToKeep(ctx context.Context, v *arrival, old func() (*store.Token, error)) *store.Token {
	if a.cfg.DiscardTokens || v.tok.AccessToken == "" {
		return nil
	}
	tok, row := v.tok, a.tokens[0].aead(v.account.Key)
	if tok.RefreshToken == "" {
		// Many services send a refresh token at the first login only.
		if t, err := old(); err == nil && t != nil {
			tok.RefreshToken = a.oldRefreshToken(v.account, row, t)
		}
	}
	sealed, err := a.tokens.sealWith(row, v.account, keptToken{tok, a.now()})
	if err != nil {
		a.event(ctx, "token_too_big", v.e.info.ID, nil)
		return nil
	}
	return sealed
}

func (a *Auth) oldRefreshToken(acct *store.Account, row cipher.AEAD, t *store.Token) string {
	clear, ok := a.tokens.openWith(row, acct, t)
	// Most tokens have none, which needs no decoder to see: within a text, a
	// quotation mark has a backslash before it.
	if !ok || bytes.Contains(clear, []byte(`"RefreshToken":""`)) {
		return ""
	}
	var old struct{ RefreshToken string } // the rest need not be read
	if json.Unmarshal(clear, &old) != nil {
		return ""
	}
	return old.RefreshToken
}

// openToken returns the account's token as it is stored. Without one that
// opens, the error is ErrNoToken.
func (a *Auth) openToken(ctx context.Context, acct *store.Account) (keptToken, error) {
	if tok, ok := a.saveUnsaved(ctx, acct); ok {
		return tok, nil
	}
	t, err := a.cfg.Store.Token(ctx, acct.Key)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return keptToken{}, ErrNoToken
		}
		return keptToken{}, storeFailed(err)
	}
	return a.openStored(ctx, acct, t)
}

func (a *Auth) openStored(ctx context.Context, acct *store.Account, t *store.Token) (keptToken, error) {
	tok, err := a.tokens.open(acct, t)
	if err != nil {
		a.event(ctx, "token_unreadable", acct.Provider, err)
		return keptToken{}, because("token_unreadable", ErrNoToken)
	}
	return tok, nil
}
