package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func tokenRules() []rule {
	return []rule{
		{"TokenNotThere", "Token returns ErrNotFound for an account without a token, for one that is not there, and never nil, nil.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				for _, k := range []store.Key{a.Key, key("bob"), {}} {
					tok, err := s.Token(ctx, k)
					wantErr(t, fmt.Sprintf("Token(%v)", k), err, store.ErrNotFound)
					if err == nil && tok == nil {
						t.Error("Token returned nil, nil")
					}
				}
			}},
		{"PutTokenStores", "PutToken stores the account's token in place of the one before, whole.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				_, b := signUp(ctx, t, s, "bob")
				putToken(ctx, t, s, b.Key, "other")
				for _, want := range []*store.Token{
					token("first"),
					{Sealed: []byte("second"), Scopes: []string{"one with spaces", "a,b", `"quoted"`, "ü"}},
					{Sealed: []byte("third"), Expiry: moment()},
				} {
					must(t, "PutToken", s.PutToken(ctx, a.Key, want))
					got, err := s.Token(ctx, a.Key)
					must(t, "Token", err)
					wantSame(t, "the token", got, want)
				}
				wantToken(ctx, t, s, b.Key, "other")
			}},
		{"PutTokenNoAccount", "A token of an account that is not there is refused with ErrNotFound, and not kept for later.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				signUp(ctx, t, s, "bob")
				wantErr(t, "PutToken", s.PutToken(ctx, key("ann"), token("sealed")), store.ErrNotFound)
				signUp(ctx, t, s, "ann")
				_, err := s.Token(ctx, key("ann"))
				gone(t, "Token", err)
			}},
		{"SealedIsBytes", "A token's Sealed may hold any bytes, and a hundred thousand of them.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				all := make([]byte, 256)
				for i := range all {
					all[i] = byte(i)
				}
				for _, sealed := range [][]byte{all, {0}, {0xff, 0xfe, 0}, bytes.Repeat(all, 400)} {
					must(t, "PutToken", s.PutToken(ctx, a.Key, &store.Token{Sealed: sealed}))
					got, err := s.Token(ctx, a.Key)
					must(t, "Token", err)
					if !bytes.Equal(got.Sealed, sealed) {
						t.Errorf("got %d bytes that differ from the %d stored", len(got.Sealed), len(sealed))
					}
				}
			}},
		{"SwapTokenSwaps", "SwapToken stores the token if Sealed still is old.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "old\x00\xff")
				want := token("new")
				want.Expiry, want.Scopes = moment().Add(2*time.Hour), []string{"x"}
				must(t, "SwapToken", s.SwapToken(ctx, a.Key, []byte("old\x00\xff"), want))
				got, err := s.Token(ctx, a.Key)
				must(t, "Token", err)
				wantSame(t, "the token", got, want)
				must(t, "SwapToken for the same", s.SwapToken(ctx, a.Key, []byte("new"), want))
			}},
		{"SwapTokenChanged", "SwapToken returns ErrExists if Sealed no longer is old, and changes nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "other")
				for _, old := range []string{"old", "Other", "other ", "othe", ""} {
					wantErr(t, "SwapToken", s.SwapToken(ctx, a.Key, []byte(old), token("new")), store.ErrExists)
				}
				got, err := s.Token(ctx, a.Key)
				must(t, "Token", err)
				wantSame(t, "the token", got, token("other"))
			}},
		{"SwapTokenNoToken", "SwapToken returns ErrExists if there is no token, and stores none.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				for _, old := range [][]byte{nil, {}, []byte("old")} {
					wantErr(t, "SwapToken", s.SwapToken(ctx, a.Key, old, token("new")), store.ErrExists)
				}
				_, err := s.Token(ctx, a.Key)
				gone(t, "Token", err)
			}},
		{"SwapTokenNoAccount", "SwapToken fails for an account that is not there, and stores nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				err := s.SwapToken(ctx, key("ann"), []byte("old"), token("new"))
				if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrExists) {
					t.Errorf("SwapToken: got error %v, want %v or %v", err, store.ErrNotFound, store.ErrExists)
				}
				signUp(ctx, t, s, "ann")
				_, err = s.Token(ctx, key("ann"))
				gone(t, "Token", err)
			}},
		{"SwapTokenAtOnce", "Of two swaps of one token at once, one succeeds and the other gets ErrExists.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				for range 10 {
					putToken(ctx, t, s, a.Key, "old")
					oneOf(t, "SwapToken", atOnce(2, func(i int) error {
						return s.SwapToken(ctx, a.Key, []byte("old"), token(fmt.Sprint("new", i)))
					}), store.ErrExists)
				}
			}},
		{"DeleteTokenForgets", "DeleteToken forgets the account's token, and nothing else.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				_, b := signUp(ctx, t, s, "bob")
				putToken(ctx, t, s, a.Key, "sealed")
				putToken(ctx, t, s, b.Key, "other")
				must(t, "DeleteToken", s.DeleteToken(ctx, a.Key))
				_, err := s.Token(ctx, a.Key)
				gone(t, "Token", err)
				got, err := s.Account(ctx, a.Key)
				must(t, "Account", err)
				wantSame(t, "the account", got, a)
				wantToken(ctx, t, s, b.Key, "other")
			}},
		{"DeleteTokenNotThere", "To delete a token that is not there is no error.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				must(t, "DeleteToken", s.DeleteToken(ctx, a.Key))
				must(t, "DeleteToken of an account that is not there", s.DeleteToken(ctx, key("bob")))
			}},
	}
}

func leaseRules() []rule {
	return []rule{
		{"LeaseTokenReturns", "LeaseToken returns the account's token.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				want := token("sealed")
				must(t, "PutToken", s.PutToken(ctx, a.Key, want))
				got, err := s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken", err)
				wantSame(t, "the token", got, want)
			}},
		{"LeaseTokenNoToken", "LeaseToken returns ErrNotFound if there is no token.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				for _, k := range []store.Key{a.Key, key("bob")} {
					_, err := s.LeaseToken(ctx, k, time.Minute)
					wantErr(t, "LeaseToken", err, store.ErrNotFound)
				}
			}},
		{"LeaseTokenHeld", "LeaseToken returns ErrLeased while another caller holds the lease, of that account alone.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				_, b := signUp(ctx, t, s, "bob")
				putToken(ctx, t, s, a.Key, "sealed")
				putToken(ctx, t, s, b.Key, "other")
				_, err := s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken", err)
				for range 2 {
					_, err = s.LeaseToken(ctx, a.Key, time.Minute)
					wantErr(t, "LeaseToken, again", err, store.ErrLeased)
				}
				_, err = s.LeaseToken(ctx, b.Key, time.Minute)
				must(t, "LeaseToken of the other account", err)
			}},
		{"LeaseTokenAtOnce", "Of many who lease one token at once, one gets it and the others get ErrLeased.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "kim")
				putToken(ctx, t, s, a.Key, "sealed")
				oneOf(t, "LeaseToken", atOnce(20, func(int) error {
					_, err := s.LeaseToken(ctx, a.Key, time.Minute)
					return err
				}), store.ErrLeased)
			}},
		{"LeaseTokenEnds", "A lease ends when its time has passed, and not before.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "sealed")
				const d = 50 * time.Millisecond
				began := time.Now()
				_, err := s.LeaseToken(ctx, a.Key, d)
				must(t, "LeaseToken", err)
				// The store's clock is nobody's to move. So ask until the lease ends.
				tick := time.NewTicker(d / 10)
				defer tick.Stop()
				for {
					_, err := s.LeaseToken(ctx, a.Key, time.Minute)
					held := time.Since(began)
					if err == nil {
						// A clock in whole milliseconds may be one early.
						if held < d-time.Millisecond {
							t.Errorf("the lease of %v ended after %v", d, held)
						}
						return
					}
					if !errors.Is(err, store.ErrLeased) {
						t.Fatalf("LeaseToken: got error %v, want %v", err, store.ErrLeased)
					}
					if held > 10*time.Second {
						t.Fatalf("the lease of %v had not ended after %v", d, held)
					}
					<-tick.C
				}
			}},
		{"LeaseTokenLocksNothing", "While a token is leased, it can be read, and its account too.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "sealed")
				_, err := s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken", err)
				wantToken(ctx, t, s, a.Key, "sealed")
				_, err = s.Account(ctx, a.Key)
				must(t, "Account", err)
				must(t, "UpdateAccount", s.UpdateAccount(ctx, a))
			}},
		{"PutTokenEndsLease", "PutToken ends the lease.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "sealed")
				_, err := s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken", err)
				putToken(ctx, t, s, a.Key, "sealed")
				_, err = s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken after PutToken", err)
			}},
		{"SwapTokenEndsLease", "SwapToken ends the lease, also if the token stays the same.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "one")
				for _, swap := range [][2]string{{"one", "two"}, {"two", "two"}} {
					leased, err := s.LeaseToken(ctx, a.Key, time.Minute)
					must(t, "LeaseToken", err)
					must(t, "SwapToken", s.SwapToken(ctx, a.Key, leased.Sealed, token(swap[1])))
				}
				_, err := s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken after SwapToken", err)
			}},
		{"SwapTokenRefusedKeepsLease", "A SwapToken that is refused does not end the lease.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				_, a := signUp(ctx, t, s, "ann")
				putToken(ctx, t, s, a.Key, "sealed")
				_, err := s.LeaseToken(ctx, a.Key, time.Minute)
				must(t, "LeaseToken", err)
				wantErr(t, "SwapToken", s.SwapToken(ctx, a.Key, []byte("old"), token("new")), store.ErrExists)
				_, err = s.LeaseToken(ctx, a.Key, time.Minute)
				wantErr(t, "LeaseToken after it", err, store.ErrLeased)
			}},
	}
}
