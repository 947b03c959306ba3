package middleware

import (
	"net/mail"
	"strings"
	"testing"
)

// parseStandard is parseEmail by net/mail.
func parseStandard(s string) (string, bool) {
	if s == "" || len(s) > maxEmail || strings.Count(s, "@") != 1 {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte(`"(),:;<>[\]`, c) >= 0 {
			return "", false
		}
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s || !strings.Contains(s[strings.IndexByte(s, '@'):], ".") && !strings.HasSuffix(s, "@localhost") {
		return "", false
	}
	return strings.ToLower(s), true
}

// This is internal because no hook or store shows which addresses were refused
// and which were never there.
func TestAddressesAreTakenAsByNetMail(t *testing.T) {
	compare := func(s string) {
		got, ok := parseEmail(s)
		if want, wantOK := parseStandard(s); got != want || ok != wantOK {
			t.Errorf("%q: got %q, %v, want %q, %v", s, got, ok, want, wantOK)
		}
	}
	for c := range 256 {
		for _, s := range []string{"ada@example.com", "a@b.c", "Ada@localhost", "ada@xlocalhost", "ada@LOCALHOST"} {
			for i := range len(s) + 1 {
				compare(s[:i] + string([]byte{byte(c)}) + s[i:])
			}
		}
	}
	var grow func(s string, n int)
	grow = func(s string, n int) {
		compare(s)
		for i := 0; n > 0 && i < len(`aZ.@"`); i++ {
			grow(s+`aZ.@"`[i:i+1], n-1)
		}
	}
	grow("", 7)
	for _, n := range []int{maxEmail - 6, maxEmail - 5, maxEmail} {
		compare(strings.Repeat("x", n) + "@a.com")
	}
}
