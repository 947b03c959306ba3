package provider_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

// A service's tokens bear one header after the other, of which the last good one
// is known. None of them is good for the signature or the payload of another.
func TestPartsOfTwoTokensAreNoToken(t *testing.T) {
	for _, alg := range []struct {
		name string
		key  any
	}{{"RS256", rsaKey()}, {"PS256", rsaKey()}, {"ES256", ecKey()}, {"EdDSA", edKey()}} {
		t.Run(alg.name, func(t *testing.T) {
			op := newOP()
			op.alg, op.key = alg.name, alg.key
			p := op.provider()
			token := func(typ, jti string) string {
				return op.logoutToken(set("typ", typ), set("jti", jti))
			}
			check := func(token, jti string) {
				t.Helper()
				out, err := provider.VerifyLogout(t.Context(), p, token)
				if jti == "" {
					wantReason(t, err, "logout_token_sig")
				} else if err != nil || out.JTI != jti {
					t.Errorf("got %+v, %v, want %s", out, err, jti)
				}
			}
			var all []string
			for i, typ := range []string{"logout+jwt", "logout+jwt", "application/logout+jwt"} {
				all = append(all, token(typ, fmt.Sprint("jti-", i)))
			}
			for i, good := range all {
				for range 2 {
					check(good, fmt.Sprint("jti-", i))
				}
				for j, other := range all {
					if i == j {
						continue
					}
					a, b := strings.Split(good, "."), strings.Split(other, ".")
					check(a[0]+"."+a[1]+"."+b[2], "")
					check(a[0]+"."+b[1]+"."+a[2], "")
					if a[0] != b[0] {
						check(b[0]+"."+a[1]+"."+a[2], "")
					}
					check(good, fmt.Sprint("jti-", i))
				}
			}
		})
	}
}

func TestTokensAreVerifiedAtOnce(t *testing.T) {
	op := newOP()
	op.alg, op.key = "EdDSA", edKey()
	p := op.provider()
	var wg sync.WaitGroup
	for i := range 4 {
		typ := []string{"logout+jwt", "application/logout+jwt"}[i%2]
		jti := fmt.Sprint("jti-", i)
		token := op.logoutToken(set("typ", typ), set("jti", jti))
		forged := token[:len(token)-5] + "AAAAA"
		wg.Go(func() {
			for range 50 {
				if out, err := provider.VerifyLogout(t.Context(), p, token); err != nil || out.JTI != jti {
					t.Errorf("got %+v, %v, want %s", out, err, jti)
				}
				if out, err := provider.VerifyLogout(t.Context(), p, forged); err == nil {
					t.Errorf("a forged token is good: %+v", out)
				}
			}
		})
	}
	wg.Wait()
}
